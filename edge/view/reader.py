"""Reads the messages of the feed, as docs/view.md lays them out. Pure; for programs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.view.wire import SCHEMA

__all__ = ["BeatsSeen", "FeedError", "GapSeen", "SamplesSeen", "read_message"]

SIGNAL, DOCUMENT = 1, 2
SAMPLES, BEATS, GAP = 1, 2, 3
HEAD_BYTES, BEAT_BYTES = 16, 10


class FeedError(ValueError):
    """A message that is not of this schema."""


@dataclass(frozen=True, slots=True, eq=False)
class SamplesSeen:
    """Samples from display index `first` (modulo 2^32) on: int16, shape (leads, samples)."""

    patient: int
    form: int
    first: int
    lead_off: int
    samples: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class BeatsSeen:
    """Stream time in ms and class of beats; a beat that is told again has its class now."""

    patient: int
    beats: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class GapSeen:
    """Samples that the device's signal lacks."""

    patient: int
    form: int
    first: int
    count: int


Record = SamplesSeen | BeatsSeen | GapSeen


def read_message(message: bytes) -> dict[str, Any] | list[Record]:
    """The document, or the records, of one message. Raises FeedError."""
    if len(message) < 2 or message[0] != SCHEMA:
        raise FeedError("the feed speaks another schema: this edge and the one watched differ")
    try:
        if message[1] == DOCUMENT:
            return msgspec.json.decode(message[2:], type=dict[str, Any])
        if message[1] == SIGNAL:
            return list(_records(message))
    except (struct.error, ValueError, IndexError, msgspec.MsgspecError) as error:
        raise FeedError(f"damaged message: {error}") from None
    raise FeedError(f"message of unknown kind {message[1]}")


def _records(message: bytes) -> Iterator[Record]:
    (count,) = struct.unpack_from("<H", message, 2)
    at = HEAD_BYTES
    for _ in range(count):
        record, size = _record(message, at)
        at += size
        yield record


def _record(message: bytes, at: int) -> tuple[Record, int]:
    kind, patient, form, leads = struct.unpack_from("<BBBB", message, at)
    if kind == SAMPLES:
        first, count, lead_off = struct.unpack_from("<III", message, at + 4)
        flat = np.frombuffer(message, "<i2", leads * count, at + 16)
        samples = flat.reshape(leads, count)
        return SamplesSeen(patient, form, first, lead_off, samples), 16 + 2 * flat.size
    if kind == BEATS:
        (count,) = struct.unpack_from("<H", message, at + 2)
        told = struct.iter_unpack("<dcx", message[at + 8 : at + 8 + BEAT_BYTES * count])
        beats = tuple((ms, label.decode("ascii")) for ms, label in told)
        if len(beats) != count:
            raise FeedError("damaged message: beats are missing")
        return BeatsSeen(patient, beats), 8 + BEAT_BYTES * count
    if kind == GAP:
        first, count = struct.unpack_from("<II", message, at + 4)
        return GapSeen(patient, form, first, count), 12
    raise FeedError(f"record of unknown type {kind}")
