"""A session of a strap with the Heart Rate service alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["BATTERY_LEVEL", "HEART_RATE", "SPECIMENS", "measurement"]

HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"
NO_SAMPLES = np.empty((0, 1), np.float32)


def measurement(
    bpm: int,
    rr_ticks: Sequence[int] = (),
    contact: bool | None = None,
    energy_kj: int | None = None,
    wide: bool = False,
) -> bytes:
    """A Heart Rate Measurement; intervals in 1/1024 s. wide: the rate in 16 bits."""
    flags = (0 if contact is None else 4 + 2 * contact) | 1 * wide
    flags |= 8 * (energy_kj is not None) | 16 * bool(rr_ticks)
    energy = b"" if energy_kj is None else struct.pack("<H", energy_kj)
    rate = struct.pack("<H" if wide else "<B", bpm)
    return bytes([flags]) + rate + energy + struct.pack(f"<{len(rr_ticks)}H", *rr_ticks)


def _session() -> tuple[Packet, ...]:
    sent = [
        (b"\x57", BATTERY_LEVEL),
        (measurement(72, [812]), HEART_RATE),
        (measurement(195, [315, 317, 316, 314], contact=True), HEART_RATE),
        (measurement(300, [205], contact=True, energy_kj=0xFFFF, wide=True), HEART_RATE),
        (measurement(0, contact=False), HEART_RATE),
        (b"\x56", BATTERY_LEVEL),
        (measurement(73, [862, 918]), HEART_RATE),
    ]
    return tuple(Packet(data, k * 10**9, channel) for k, (data, channel) in enumerate(sent))


SPECIMENS = (
    Specimen(
        device="heart_rate",
        packets=_session(),
        samples_uv=NO_SAMPLES,
        leads=(),
        rate_hz=0.0,
        byte_stream=False,
        checked=False,
    ),
)
