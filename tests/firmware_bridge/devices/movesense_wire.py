"""What a Movesense sensor sends, by the GATT SensorData Protocol specification, version 1."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["ECG_REF", "NOTIFY", "SPECIMENS", "answer", "heart_rate", "message", "reply", "split"]

NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"
ECG_REF = 100
RAW_UV = 0.000381469726563 * 1000


def message(stamp_ms: int, samples: Sequence[int], unit: str = "raw", ref: int = ECG_REF) -> bytes:
    """A message of 16 samples as one notification."""
    letter = {"raw": "i", "mv": "h"}[unit]
    return struct.pack(f"<BBI16{letter}", 2, ref, stamp_ms % (1 << 32), *samples)


def split(whole: bytes, mtu: int) -> list[bytes]:
    """The notifications of a message over a link with that MTU."""
    room = mtu - 3 - 2
    parts = [whole[2 + at : 2 + at + room] for at in range(0, len(whole) - 2, room)]
    return [bytes([2 if k == 0 else 3, whole[1]]) + part for k, part in enumerate(parts)]


def heart_rate(bpm: float, *rr_ms: int, ref: int = 101) -> bytes:
    """A message of /Meas/HR."""
    return struct.pack(f"<BBf{len(rr_ms)}H", 2, ref, bpm, *rr_ms)


def reply(ref: int, status: int, data: bytes = b"") -> bytes:
    """The answer to a command."""
    return struct.pack("<BBH", 1, ref, status) + data


def answer(command: bytes) -> tuple[Packet, ...]:
    """What the sensor answers to a command."""
    code, ref = command[0], command[1]
    told = {
        0: bytes([1, ref, 1]) + b"012345678901\0Movesense\0AABBCCDDEEFF\0App\0002.3\0",
        1: reply(ref, 200),
        2: reply(ref, 200),
        4: reply(ref, 200, bytes([87])),
    }
    return (Packet(told[code], 0, NOTIFY),)


_DIGITAL = np.arange(-24, 24) * 1000 + 7
_DIGITAL_MV = np.concatenate([np.arange(-30, 16), [-32768, 32767]])


def _packets(digital: np.ndarray[tuple[int], np.dtype[np.int64]], unit: str) -> tuple[Packet, ...]:
    return tuple(
        Packet(message(5000 + 64 * k, digital[16 * k : 16 * k + 16].tolist(), unit), 0, NOTIFY)
        for k in range(3)
    )


SPECIMENS = (
    Specimen(
        device="movesense",
        packets=_packets(_DIGITAL, "raw"),
        samples_uv=(_DIGITAL * RAW_UV).astype(np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=250.0,
        byte_stream=False,
        checked=False,
        answer=answer,
        tolerance_uv=2e-3,
    ),
    Specimen(
        device="movesense",
        options={"unit": "mv", "hr": "1"},
        packets=_packets(_DIGITAL_MV, "mv"),
        samples_uv=_DIGITAL_MV.astype(np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=250.0,
        byte_stream=False,
        checked=False,
        answer=answer,
    ),
)
