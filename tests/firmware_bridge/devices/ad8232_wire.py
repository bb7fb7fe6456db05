"""What an Arduino with an AD8232 prints, as SparkFun's sketch and its kin do."""

from __future__ import annotations

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["SPECIMENS", "printed"]

_ADC = np.arange(40) * 26 % 1024


def printed(*lines: object, cut: str = "12") -> bytes:
    """Lines as `Serial.println` writes them, after the rest of one that the opening cut."""
    return "".join(f"{line}\r\n" for line in (cut, *lines)).encode()


def _specimen(lines: list[str], **options: object) -> Specimen:
    wire = printed(*lines)
    return Specimen(
        device="ad8232",
        options=options,
        packets=tuple(Packet(wire[at : at + 50], at * 1_000_000) for at in range(0, len(wire), 50)),
        samples_uv=((_ADC - 512) * (5e6 / 1024 / 1100)).astype(np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=200.0,
        byte_stream=True,
        checked=False,
    )


SPECIMENS = (
    _specimen([str(value) for value in _ADC]),
    _specimen([f"{value},{k % 7 == 3:d}" for k, value in enumerate(_ADC)], columns="value,leadoff"),
    _specimen([f"{1000 + 5 * k},{value}" for k, value in enumerate(_ADC)], columns="millis,value"),
)
