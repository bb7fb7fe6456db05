"""What an NPG Lite sends over Bluetooth LE, by its firmware's source."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["BATTERY", "CONTROL", "DATA", "SPECIMENS", "block"]

DATA = "beb5483e-36e1-4688-b7f5-ea07361b26a8"
CONTROL = "0000ff01-0000-1000-8000-00805f9b34fb"
BATTERY = "f633d0ec-46b4-43c1-a39f-1ca06d0602e1"

_DIGITAL = np.arange(3 * 60).reshape(60, 3) * 22


def block(first: int, rows: Sequence[Sequence[int]]) -> bytes:
    """A notification: rows of a counter and a value a channel."""
    return b"".join(
        struct.pack(f">B{len(row)}h", (first + k) % 256, *row) for k, row in enumerate(rows)
    )


SPECIMENS = (
    Specimen(
        device="npg_lite",
        packets=tuple(
            Packet(block(k, _DIGITAL[k : k + 10].tolist()), k * 2_000_000, DATA)
            for k in range(0, 60, 10)
        ),
        samples_uv=((_DIGITAL - 2048) * (2.5e6 / 4096 / 1000)).astype(np.float32),
        leads=("CH1", "CH2", "CH3"),
        rate_hz=500.0,
        byte_stream=False,
        checked=False,
    ),
)
