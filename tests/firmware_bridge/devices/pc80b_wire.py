"""A session of a PC-80B, encoded by its protocol."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.bioharness_wire import crc
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["NOTIFY", "SPECIMENS", "continuous", "fast", "message", "session"]

NOTIFY = "0000fff1-0000-1000-8000-00805f9b34fb"


def message(event: int, payload: bytes) -> bytes:
    head = bytes([0xA5, event, len(payload)]) + payload
    return head + bytes([crc(head)])


def session(stored: bool = False) -> bytes:
    return message(0x55, bytes([11, int(stored)]) + b"SN0123456789")


def continuous(
    sequence: int, counts: Sequence[int], bpm: int = 70, is_off: bool = False, gain: int = 1
) -> bytes:
    flags = is_off << 7 | gain << 4 | 0x0E
    payload = struct.pack("<B25HBBB", sequence, *counts, bpm, 0x10, flags)
    return message(0xAA, payload)


def fast(
    sequence: int,
    counts: Sequence[int],
    bpm: int = 70,
    is_off: bool = False,
    kind: int = 1,
    stage: int = 2,
) -> bytes:
    head = struct.pack("<HBBBB", sequence, 0x10, 0x40 | 0x10 | stage, bpm, is_off << 7 | kind)
    return message(0xDD, head + struct.pack(f"<{len(counts)}H", *counts))


COUNTS = [[(number * 211 + place * 57) % 4096 for place in range(25)] for number in range(6)]


def _samples_uv() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return ((np.array(COUNTS) - 2048) / 330 * 1000).astype(np.float32).reshape(-1, 1)


def _specimen(wires: list[bytes]) -> Specimen:
    packets = [Packet(wire, n * 166_666_667, NOTIFY) for n, wire in enumerate(wires)]
    return Specimen(
        device="pc80b",
        packets=(Packet(session(), 0, NOTIFY), *packets),
        samples_uv=_samples_uv(),
        leads=("ECG",),
        rate_hz=150.0,
        byte_stream=True,
        checked=True,
    )


SPECIMENS = (
    _specimen([continuous((253 + n) % 256, counts) for n, counts in enumerate(COUNTS)]),
    _specimen([fast(65_533 + n & 0xFFFF, counts) for n, counts in enumerate(COUNTS)]),
)
