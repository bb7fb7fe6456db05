"""What travels to a viewer: binary messages of signal and beats, and JSON documents.

The layout is documented in docs/view.md; all numbers are little-endian. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MESSAGE_MAX",
    "MISSING",
    "SCALE_UV",
    "SCHEMA",
    "beat_records",
    "document",
    "gap_record",
    "in_messages",
    "sample_records",
    "with_dropped",
]

SCHEMA = 1
"""Of the messages; the first byte of each, and `schema` in `hello`."""
SIGNAL, DOCUMENT = 1, 2
SAMPLES, BEATS, GAP = 1, 2, 3
CAUSES = {"loss": 0, "reboot": 1, "disconnect": 2}

SCALE_UV = 1.0
"""Microvolts a step: +-32.7 mV, more than an ECG without its baseline ever has."""
MISSING = -32768

MESSAGE_MAX = 60_000
"""Bytes of a message of signal: what WebSocket clients with small limits still take."""
BLOCK_BYTES = 16_384

_HEAD = struct.Struct("<BBHId")
_DROPPED_AT = 4
_SAMPLES = struct.Struct("<BBBBIII")
_BEATS = struct.Struct("<BBHI")
_BEAT = struct.Struct("<dcx")
_GAP = struct.Struct("<BBBBII")


def sample_records(
    patient: int, form: int, first: int, lead_off: int, samples: NDArray[np.int16]
) -> Iterator[bytes]:
    """Samples, int16 (samples, leads), from display index `first` of format `form` on."""
    leads = samples.shape[1]
    step = max(1, BLOCK_BYTES // (2 * leads))
    for start in range(0, len(samples), step):
        part = samples[start : start + step]
        head = _SAMPLES.pack(SAMPLES, patient, form, leads, first + start, len(part), lead_off)
        yield head + np.ascontiguousarray(part.T, "<i2").tobytes()


def gap_record(patient: int, form: int, first: int, count: int, cause: str) -> bytes:
    """`count` samples that the device's signal lacks."""
    return _GAP.pack(GAP, patient, form, CAUSES.get(cause, 0), first, count)


def beat_records(patient: int, beats: list[tuple[float, str]]) -> Iterator[bytes]:
    """Beats or, where one was told before, their classes: stream time in ms, and the letter."""
    for start in range(0, len(beats), 1024):
        part = beats[start : start + 1024]
        body = b"".join(_BEAT.pack(ms, label.encode()[:1] or b"U") for ms, label in part)
        yield _BEATS.pack(BEATS, patient, len(part), 0) + body


def in_messages(records: Iterable[bytes], arrived_ms: float) -> list[bytes]:
    """As few messages as hold the records, each within `MESSAGE_MAX`.

    arrived_ms: UTC, ms since 1970, at which the oldest of it reached the host; 0: not known.
    """
    messages: list[bytes] = []
    held: list[bytes] = []
    size = 0
    for record in records:
        if held and size + len(record) > MESSAGE_MAX:
            messages.append(_message(held, arrived_ms))
            held, size = [], 0
        held.append(record)
        size += len(record)
    if held:
        messages.append(_message(held, arrived_ms))
    return messages


def with_dropped(message: bytes, dropped: int) -> bytes:
    """The message of signal for a viewer to whom `dropped` before it could not be sent."""
    counted = (dropped & 0xFFFFFFFF).to_bytes(4, "little")
    return message[:_DROPPED_AT] + counted + message[_DROPPED_AT + 4 :]


def document(kind: str, /, **fields: Any) -> bytes:
    """A JSON document as a message. kind: becomes its `type`."""
    return bytes((SCHEMA, DOCUMENT)) + msgspec.json.encode({"type": kind, **fields})


def _message(records: list[bytes], arrived_ms: float) -> bytes:
    return _HEAD.pack(SCHEMA, SIGNAL, len(records), 0, arrived_ms) + b"".join(records)
