"""Sessions of Polar's optical armbands: light, movement, pulse intervals, heart rate."""

from __future__ import annotations

import struct

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.heart_rate_wire import (
    BATTERY_LEVEL,
    HEART_RATE,
    NO_SAMPLES,
    measurement,
)
from tests.firmware_bridge.devices.pmd_encoder import acc_frame, ppg_frame, ppi_frame
from tests.firmware_bridge.devices.polar_h10_wire import PMD_CONTROL, PMD_DATA
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["ACC_ROWS", "FEATURES", "PLAIN_ROWS", "PPG_ROWS", "SETTINGS", "SPECIMENS", "answer"]

FEATURES = bytes.fromhex("0f 6e 02") + bytes(14)
SETTINGS = {
    1: bytes.fromhex("00 01 87 00 01 01 16 00 04 01 04"),
    2: bytes.fromhex("00 01 34 00 01 01 10 00 02 01 08 00 04 01 03"),
}
"""As a Verity Sense with an older firmware tells them."""
PPG_ROWS = [(11_564 + 178 * k, 30_658 - 68 * k, k * k - 11_565, 37 * k % 101) for k in range(42)]
PPG_BLOCKS = ((9, 20), (10, 21))
PLAIN_ROWS = 18
"""Rows of light that fit a notification of 229 bytes without compression."""
ACC_ROWS = [(k % 5 - 2, k - 20, 1000 + 3 * k) for k in range(36)]
ACC_BLOCKS = ((4, 30), (16, 5))


def answer(command: bytes) -> tuple[Packet, ...]:
    """The armband's reply: its settings, or that it starts, with the factor of its samples."""
    told = b""
    if command[0] == 1:
        told = SETTINGS[command[1]]
    elif command[:2] == b"\x02\x01":
        told = b"\x05\x01" + struct.pack("<f", 1.0)
    return (Packet(bytes([0xF0, *command[:2], 0, 0]) + told, 0, PMD_CONTROL),)


def _light(k: int, last_ns: int) -> bytes:
    if k % 2:
        return ppg_frame(PPG_ROWS, last_ns, PPG_BLOCKS)
    return ppg_frame(PPG_ROWS[:PLAIN_ROWS], last_ns)


def _session(frame_ns: int) -> tuple[Packet, ...]:
    sent = [(FEATURES, PMD_CONTROL), (b"\x57", BATTERY_LEVEL)]
    for k in range(1, 5):
        sent += [
            (measurement(62), HEART_RATE),
            (_light(k, k * frame_ns), PMD_DATA),
            (acc_frame(ACC_ROWS, k * frame_ns, ACC_BLOCKS if k % 2 else ()), PMD_DATA),
        ]
    sent.append((ppi_frame([(62, 968, 10, 0), (61, 900, 200, 1), (60, 1002, 9, 6)]), PMD_DATA))
    return tuple(Packet(data, k * 10**8, channel) for k, (data, channel) in enumerate(sent))


def _specimen(device: str, rate_hz: float, acc: str) -> Specimen:
    return Specimen(
        device=device,
        options={"acc": acc, "ppi": "1"},
        packets=_session(round(42 * 1e9 / rate_hz)),
        samples_uv=NO_SAMPLES,
        leads=(),
        rate_hz=rate_hz,
        byte_stream=False,
        checked=False,
        answer=answer,
    )


SPECIMENS = (_specimen("polar_verity", 55.0, "52"), _specimen("polar_oh1", 135.0, "50"))
