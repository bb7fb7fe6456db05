"""Sessions of a Viatom ER3, encoded by its protocol and its compression."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen
from tests.firmware_bridge.devices.viatom_wire import NOTIFY, answer

__all__ = ["SPECIMENS", "compressed", "real_time"]

UV = 1000 / 409.6
EIGHT = ("V6", "I", "II", "V1", "V2", "V3", "V4", "V5")


def compressed(rows: Sequence[Sequence[int]]) -> bytes:
    """Differences of 8 bit (-127 to 127); larger ones whole, behind 0x80 and a mask."""
    last, wire = [0] * len(rows[0]) if rows else [], b""
    for row in rows:
        steps = [value - before for value, before in zip(row, last, strict=True)]
        mask = sum(1 << k for k, step in enumerate(steps) if abs(step) > 127)
        if mask:
            wire += bytes([0x80, mask])
        for k, (value, step) in enumerate(zip(row, steps, strict=True)):
            wire += struct.pack("<h", value) if mask >> k & 1 else struct.pack("<b", step)
        last = list(row)
    return wire


def real_time(
    rows: Sequence[Sequence[int]],
    first: int = 0,
    cable: int = 0,
    off: int = 0,
    bpm: int = 72,
    battery: int = 90,
    is_in: bool = True,
) -> bytes:
    vitals = struct.pack("<HHBBHHH", bpm, 0xFFFF, 98, 25, 71, 15, 0x04 * is_in)
    state = struct.pack("<BI7sB15sH6s", battery, 60, bytes(7), cable, b"SN", off, bytes(6))
    return answer(
        vitals + state + struct.pack("<IH", first, len(rows)) + compressed(rows), command=0x06
    )


def _rows(channels: int) -> list[list[list[int]]]:
    """Four answers of 50 rows, with steps of all sizes and both signs."""
    rng = np.random.default_rng(7)
    steps = rng.integers(-90, 91, (200, channels))
    steps[::17] *= 20
    return np.cumsum(steps, axis=0).reshape(4, 50, channels).tolist()  # type: ignore[no-any-return]


def _session(cable: int, channels: int, columns: list[int], leads: tuple[str, ...]) -> Specimen:
    answers = _rows(channels)
    packets = []
    for number, rows in enumerate(answers):
        wire = real_time(rows, first=1000 + number * 50, cable=cable)
        for piece in (wire[:180], wire[180:]):
            packets.append(Packet(piece, number * 200_000_000, NOTIFY))
    return Specimen(
        device="viatom_er3",
        packets=tuple(packets),
        samples_uv=(np.array(answers).reshape(-1, channels)[:, columns] * UV).astype(np.float32),
        leads=leads,
        rate_hz=250.0,
        byte_stream=True,
        checked=True,
        tolerance_uv=0.01,
    )


SPECIMENS = (
    _session(0, 8, list(range(8)), EIGHT),
    _session(5, 4, [1, 2], ("I", "II")),
)
