"""A session of a device with the shipped firmware."""

from __future__ import annotations

import numpy as np

from firmware_bridge.native import encode_frame
from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["SPECIMENS"]

_DIGITAL = np.arange(-60, 60, dtype=np.int32).reshape(-1, 2) * 100


def _packet(frame: int) -> Packet:
    wire = encode_frame(
        _DIGITAL[frame * 20 : frame * 20 + 20],
        rate_hz=250.0,
        scale_nv=1000.0,
        sequence=frame * 20,
        device_time_us=frame * 80_000,
    )
    return Packet(wire, frame * 80_000_000)


SPECIMENS = (
    Specimen(
        device="native",
        packets=tuple(_packet(frame) for frame in range(3)),
        samples_uv=_DIGITAL.astype(np.float32),
        leads=("lead1", "lead2"),
        rate_hz=250.0,
        byte_stream=True,
        checked=True,
    ),
)
