"""A strap that tells heart rates, and where asked sends an ECG: an encoder and its decoder."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from firmware_bridge.stream import (
    NS_PER_S,
    DecodeCount,
    Frame,
    HeartRate,
    Packet,
    Reading,
    StreamFormat,
)

FORMAT = StreamFormat(250.0, ("ECG",))
RATE, ECG = 1, 2
CONTACTS = (None, False, True)
UNKNOWN = 255
HOST_NS = 7_000 * NS_PER_S
"""When the strap of `readings_of` begins, on the host's monotonic clock."""


def rate_bytes(reading: HeartRate) -> bytes:
    """One reading on this strap's wire; intervals as floats, in milliseconds."""
    battery = UNKNOWN if reading.battery_percent is None else reading.battery_percent
    contact = CONTACTS.index(reading.contact)
    head = struct.pack("<BHfBB", RATE, len(reading.rr_ms), reading.bpm, contact, battery)
    return head + struct.pack(f"<{len(reading.rr_ms)}d", *reading.rr_ms)


def ecg_bytes(samples_uv: np.ndarray, counter: int) -> bytes:
    """Samples of the one lead, float32."""
    samples = np.asarray(samples_uv, np.float32)
    return struct.pack("<BHI", ECG, len(samples), counter) + samples.tobytes()


class TellingDecoder:
    """Reads the stream of both, however it is cut."""

    def __init__(self) -> None:
        self._left = b""
        self._readings: list[Reading] = []
        self._frames = 0

    def push(self, packet: Packet) -> list[Frame]:
        self._left += packet.data
        frames: list[Frame] = []
        while (size := self._size()) and len(self._left) >= size:
            message, self._left = self._left[:size], self._left[size:]
            self._frames += 1
            if message[0] == RATE:
                self._readings.append(_reading(message))
            else:
                samples = np.frombuffer(message[7:], np.float32)[:, None]
                (counter,) = struct.unpack("<I", message[3:7])
                frames.append(Frame(FORMAT, samples, counter=counter))
        return frames

    def readings(self) -> tuple[Reading, ...]:
        told, self._readings = tuple(self._readings), []
        return told

    def _size(self) -> int:
        if len(self._left) < 9:
            return 0
        kind, count = struct.unpack("<BH", self._left[:3])
        return 9 + 8 * count if kind == RATE else 7 + 4 * count

    @property
    def count(self) -> DecodeCount:
        return DecodeCount(frames=self._frames)

    def start_commands(self) -> tuple[bytes, ...]:
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        return ()

    def reset(self) -> None:
        self._left = b""


def _reading(message: bytes) -> HeartRate:
    count, bpm, contact, battery = struct.unpack("<HfBB", message[1:9])
    rr_ms = struct.unpack(f"<{count}d", message[9:])
    return HeartRate(bpm, rr_ms, CONTACTS[contact], None if battery == UNKNOWN else battery)


@dataclass(frozen=True)
class Told:
    """A reading and its arrival on the host's monotonic clock."""

    reading: HeartRate
    host_ns: int


def readings_of(
    rr_ms: Sequence[float],
    jitter_ms: Iterable[float] = (),
    contact: bool | None = True,
    battery_percent: int | None = None,
) -> list[Told]:
    """A strap that sends once a second the intervals that ended in it, the first beat at 0 s.

    jitter_ms: delay of each packet, the last value held.
    """
    ends_s = np.cumsum(rr_ms) / 1000
    delays = _held(jitter_ms)
    told = []
    for second in range(1, int(ends_s[-1]) + 2):
        within = (second - 1 < ends_s) & (ends_s <= second)
        intervals = tuple(float(each) for each in np.asarray(rr_ms)[within])
        bpm = 60_000 / intervals[-1] if intervals else 0.0
        reading = HeartRate(bpm, intervals, contact, battery_percent)
        host_ns = HOST_NS + second * NS_PER_S + round(next(delays) * 1e6)
        told.append(Told(reading, max(host_ns, told[-1].host_ns if told else 0)))
    return told


def _held(values: Iterable[float]) -> Iterator[float]:
    value = 0.0
    for value in values:
        yield value
    while True:
        yield value
