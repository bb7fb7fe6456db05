"""What a Movesense sensor with the firmware of J. Primbs sends, by its README."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["ECG", "ECG_UNTIL_0_7", "SPECIMENS", "notification"]

ECG = "00002bf1-0000-1000-8000-00805f9b34fb"
ECG_UNTIL_0_7 = "00002bdd-0000-1000-8000-00805f9b34fb"
RAW_UV = 0.000381469726563 * 1000


def notification(stamp_ms: int, samples: Sequence[int]) -> bytes:
    """A time and samples; -32768 is one that the firmware could not express."""
    return struct.pack(f"<I{len(samples)}h", stamp_ms % (1 << 32), *samples)


_DIGITAL = np.arange(-32767, 32767, 1366)[:48]


def _specimen(channel: str, rate_hz: int, options: dict[str, object]) -> Specimen:
    step_ms = 16 * 1000 // rate_hz
    return Specimen(
        device="movesense_primbs",
        options=options,
        packets=tuple(
            Packet(notification(900 + step_ms * k, _DIGITAL[16 * k :][:16].tolist()), 0, channel)
            for k in range(3)
        ),
        samples_uv=(_DIGITAL * RAW_UV).astype(np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=float(rate_hz),
        byte_stream=False,
        checked=False,
        tolerance_uv=2e-3,
    )


SPECIMENS = (
    _specimen(ECG, 250, {}),
    _specimen(ECG_UNTIL_0_7, 125, {"firmware": "0.7", "rate": "125"}),
)
