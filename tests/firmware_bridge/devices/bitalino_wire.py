"""Sessions of a BITalino (r)evolution over its serial port."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["SPECIMENS", "bitalino_frame"]


def _remainder(frame: bytes) -> int:
    """Bit by bit, as PLUX's own library computes it: the checksum's half byte is 0."""
    state = 0
    for byte in frame:
        for bit in range(7, -1, -1):
            state <<= 1
            if state & 0x10:
                state ^= 0x13
            state ^= byte >> bit & 1
    return state & 0x0F


def bitalino_frame(counter: int, values: Sequence[int], digital: int = 0xF) -> bytes:
    """One frame: four values of 10 bits, further ones of 6, in the order of the channels."""
    bits = f"{counter % 16:04b}0000{digital:04b}"
    bits += "".join(format(v, "010b" if at < 4 else "06b") for at, v in enumerate(values))
    bits += "0" * (-len(bits) % 8)
    upside_down = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    frame = upside_down[::-1]
    return frame[:-1] + bytes([frame[-1] | _remainder(frame)])


def _two() -> Specimen:
    adc = (np.arange(50)[:, None] * 37 + np.array([0, 411])) % 1024
    wires = [bitalino_frame(at, row) for at, row in enumerate(adc.tolist())]
    packets = tuple(Packet(b"".join(wires[at : at + 8]), 0) for at in range(0, 50, 8))
    uv = ((adc / 1024 - 0.5) * 3.3 / 1100 * 1e6).astype(np.float32)
    return Specimen("bitalino", packets, uv, ("A1", "A2"), 1000.0, True, False, {"channels": "1,2"})


def _six() -> Specimen:
    scale = np.array([1024] * 4 + [64] * 2)
    adc = (np.arange(40)[:, None] * 29 + np.arange(6) * 7) % scale
    wires = [bitalino_frame(at, row) for at, row in enumerate(adc.tolist())]
    packets = (Packet(b"".join(wires), 0),)
    uv = ((adc / scale - 0.5) * 3.3 / 1100 * 1e6).astype(np.float32)[:, [5, 1]]
    options = {"channels": "A1,A2,A3,A4,A5,A6", "ecg": "6,2", "rate": "100"}
    return Specimen("bitalino", packets, uv, ("A6", "A2"), 100.0, True, False, options)


SPECIMENS = (_two(), _six())
