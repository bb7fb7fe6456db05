"""Sessions of HealthyPi boards over Bluetooth LE, encoded as their firmware does."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["BATTERY", "ECG", "HEART_RATE", "SPECIMENS", "v4", "word"]

ECG = "00001424-0000-1000-8000-00805f9b34fb"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"


def v4(counts: Sequence[int]) -> bytes:
    return struct.pack("<9h", *counts)


def word(counts: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(counts)}i", *counts)


V4_COUNTS = [[k * 100 - n for n in range(9)] for k in range(-2, 3)]
MOVE_COUNTS = [[k * 9000 + n for n in range(8)] for k in range(-4, 5)]


def _session(
    options: dict[str, object], notifications: list[bytes], uv: object, rate_hz: float
) -> Specimen:
    return Specimen(
        device="healthypi_ble",
        options=options,
        packets=tuple(Packet(data, n * 64_000_000, ECG) for n, data in enumerate(notifications)),
        samples_uv=np.array(uv, np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=rate_hz,
        byte_stream=False,
        checked=False,
    )


SPECIMENS = (
    _session(
        {"model": "v4"},
        [v4(counts) for counts in V4_COUNTS],
        np.array(V4_COUNTS) * (2.42e6 / 6 / (2**23 - 1) * 256),
        125.0,
    ),
    _session(
        {"model": "move"},
        [word(counts) for counts in MOVE_COUNTS],
        np.array(MOVE_COUNTS) * (1e6 / 2**17 / 80),
        128.0,
    ),
    _session(
        {},
        [word(counts[:4]) for counts in MOVE_COUNTS],
        np.array(MOVE_COUNTS)[:, :4] * (1e6 / 2**17 / 80),
        128.0,
    ),
)
