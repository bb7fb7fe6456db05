"""What the records of a piece hold, as bytes and back. Numbers are little-endian."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.record.framed import PAYLOAD_MAX, Kind, framed
from edge.record.notes import Notes
from firmware_bridge.stream import NS_PER_S, Chunk, StreamFormat

__all__ = [
    "BLOCK_SAMPLES_MAX",
    "VERSION",
    "Axis",
    "Block",
    "Header",
    "Lost",
    "axis_of",
    "block_of",
    "format_id",
    "format_record",
    "gap_record",
    "header_of",
    "header_record",
    "lost_of",
    "notes_of",
    "notes_record",
    "samples_records",
    "utc_of_samples",
]

VERSION = 1
_BLOCK = struct.Struct("<HBBqqqQII")
_GAP = struct.Struct("<Hqq")
_HAS_DEVICE_TIME, _HAS_BATTERY = 1, 2
BLOCK_SAMPLES_MAX = (PAYLOAD_MAX - _BLOCK.size) // 4
"""Of all leads together, in one record."""

_FLOAT32 = np.dtype("<f4")
_INT64 = range(-(1 << 63), 1 << 63)


class Header(msgspec.Struct, frozen=True):
    """Whose recording a piece is part of.

    run: of the process that wrote it; stream time and indices go on within a run only.
    utc_ns: host's clock when the piece was begun.
    """

    edge_recording: int
    patient: str
    device: str
    run: str
    sequence: int
    utc_ns: int
    software: str = ""


class Axis(msgspec.Struct, frozen=True):
    """From sample `start` on, at stream time `start_ns`: rate and leads of the samples."""

    id: int
    start: int
    start_ns: int
    rate_hz: float
    leads: tuple[str, ...]

    @property
    def format(self) -> StreamFormat:
        """Rate and leads."""
        return StreamFormat(self.rate_hz, self.leads)

    def time_ns(self, index: int) -> int:
        """Stream time of a sample."""
        return self.start_ns + round((index - self.start) / self.rate_hz * NS_PER_S)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive samples.

    start: index of the first on the stream's axis. samples_uv: float32, (samples, leads).
    time_ns, utc_ns, device_time_ns: stream time, host's clock and device clock of the first.
    """

    format: StreamFormat
    start: int
    time_ns: int
    utc_ns: int
    samples_uv: NDArray[np.float32]
    device_time_ns: int | None = None
    lead_off: int = 0
    battery_percent: int | None = None

    @property
    def stop(self) -> int:
        """Index one past the last sample."""
        return self.start + len(self.samples_uv)

    def part(self, first: int, stop: int) -> Block:
        """Its samples from `first` to `stop`, counted within the block."""
        if first == 0:
            return replace(self, samples_uv=self.samples_uv[:stop])
        later_ns = round(first / self.format.rate_hz * NS_PER_S)
        device_ns = self.device_time_ns
        return replace(
            self,
            start=self.start + first,
            time_ns=self.time_ns + later_ns,
            utc_ns=self.utc_ns + later_ns,
            device_time_ns=None if device_ns is None else device_ns + later_ns,
            samples_uv=self.samples_uv[first:stop],
        )


@dataclass(frozen=True, slots=True)
class Lost:
    """Samples that are not there.

    cause: "loss", "reboot" or "disconnect" between device and host; "unrecorded" where the disk
    was full or too slow; "damaged" where the file is.
    """

    format: StreamFormat
    start: int
    length: int
    time_ns: int
    cause: str


def header_record(header: Header) -> bytes:
    """The header as a record."""
    return framed(Kind.HEADER, msgspec.json.encode(header))


def header_of(payload: bytes) -> Header | None:
    """The header, None where the payload is none."""
    try:
        return msgspec.json.decode(payload, type=Header)
    except msgspec.DecodeError:
        return None


def format_record(axis: Axis) -> bytes:
    """A format as a record."""
    return framed(Kind.FORMAT, msgspec.json.encode(axis))


def axis_of(payload: bytes) -> Axis | None:
    """The format, None where the payload is none."""
    try:
        axis = msgspec.json.decode(payload, type=Axis)
    except msgspec.DecodeError:
        return None
    return axis if axis.rate_hz > 0 and axis.leads else None


def samples_records(
    axis_id: int, first: Chunk, utc_ns: int, samples: Sequence[NDArray[np.float32]]
) -> list[bytes]:
    """Consecutive chunks as records: one, but where it would be larger than a record may be.

    first: the first of the chunks, whose contact and charge hold for all; utc_ns: its time.
    samples: of all chunks.
    """
    leads = len(first.format.leads)
    count = sum(map(len, samples))
    if count * leads <= BLOCK_SAMPLES_MAX:
        return [_samples_record(axis_id, first, utc_ns, samples)]
    joined, step, records = np.concatenate(samples), BLOCK_SAMPLES_MAX // leads, []
    for at in range(0, count, step):
        later_ns = round(at / first.format.rate_hz * NS_PER_S)
        device_ns = first.device_time_ns
        shifted = replace(
            first,
            start=first.start + at,
            device_time_ns=None if device_ns is None else device_ns + later_ns,
        )
        records.append(
            _samples_record(axis_id, shifted, utc_ns + later_ns, [joined[at : at + step]])
        )
    return records


def block_of(payload: bytes, axis: Axis) -> Block | None:
    """The samples, None where the payload is none of that format."""
    if len(payload) < _BLOCK.size:
        return None
    _, has, battery, start, utc_ns, device_ns, lead_off, samples, leads = _BLOCK.unpack_from(
        payload
    )
    if leads != len(axis.leads) or len(payload) != _BLOCK.size + 4 * samples * leads:
        return None
    values = np.frombuffer(payload, "<f4", samples * leads, _BLOCK.size)
    return Block(
        axis.format,
        start,
        axis.time_ns(start),
        utc_ns,
        values.reshape(samples, leads),
        device_ns if has & _HAS_DEVICE_TIME else None,
        lead_off,
        battery if has & _HAS_BATTERY else None,
    )


def utc_of_samples(payload: bytes) -> int | None:
    """The host's clock at the first sample, as `Block` has it."""
    return _BLOCK.unpack_from(payload)[4] if len(payload) >= _BLOCK.size else None


def gap_record(axis: Axis, start: int, length: int, cause: str) -> bytes:
    """A gap as a record."""
    return framed(Kind.GAP, _GAP.pack(axis.id, start, length) + cause.encode())


def lost_of(payload: bytes, axis: Axis) -> Lost | None:
    """The gap, None where the payload is none."""
    if len(payload) < _GAP.size:
        return None
    _, start, length = _GAP.unpack_from(payload)
    cause = payload[_GAP.size :].decode("utf-8", "replace")
    return Lost(axis.format, start, length, axis.time_ns(start), cause) if length > 0 else None


def format_id(payload: bytes) -> int:
    """Which format a record of samples or a gap is in."""
    return int.from_bytes(payload[:2], "little")


def notes_record(notes: Notes) -> bytes:
    """Annotations as a record."""
    return framed(Kind.NOTES, msgspec.json.encode(notes))


def notes_of(payload: bytes) -> Notes | None:
    """The annotations, None where the payload holds none."""
    try:
        return msgspec.json.decode(payload, type=Notes)
    except msgspec.DecodeError:
        return None


def _samples_record(
    axis_id: int, first: Chunk, utc_ns: int, samples: Sequence[NDArray[np.float32]]
) -> bytes:
    device_ns, battery = first.device_time_ns, first.battery_percent
    if device_ns is not None and device_ns not in _INT64:
        device_ns = None  # an epoch beyond 292 years is no time
    head = _BLOCK.pack(
        axis_id,
        (device_ns is not None) * _HAS_DEVICE_TIME | (battery is not None) * _HAS_BATTERY,
        min(max(battery or 0, 0), 100),
        first.start,
        utc_ns,
        device_ns or 0,
        first.lead_off & ((1 << 64) - 1),
        sum(map(len, samples)),
        len(first.format.leads),
    )
    values = (each if each.dtype == _FLOAT32 else each.astype(_FLOAT32) for each in samples)
    return framed(Kind.SAMPLES, head + b"".join([each.tobytes() for each in values]))
