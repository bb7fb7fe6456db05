"""A session of a Polar H10: ECG, heart rate, battery, and movement where it is wanted."""

from __future__ import annotations

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.heart_rate_wire import BATTERY_LEVEL, HEART_RATE, measurement
from tests.firmware_bridge.devices.pmd_encoder import acc_frame, ecg_frame
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["PMD_CONTROL", "PMD_DATA", "SPECIMENS"]

PMD_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
PMD_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

EPOCH_NS = 599_616_000_000_000_000
"""Where the clock of a strap begins that was never set: 2019-01-01."""
FRAMES, SAMPLES = 6, 73
FRAME_NS = round(SAMPLES * 1e9 / 130)
ECG_UV = (np.arange(FRAMES * SAMPLES) * 977) % 40_000 - 20_000
ACC_ROWS = [(k - 18, 3 * k % 7 - 1, 1000 - k) for k in range(36)]


def answer(command: bytes) -> tuple[Packet, ...]:
    """The strap accepts what it is told."""
    return (Packet(bytes([0xF0, *command[:2], 0, 0, 0]), 0, PMD_CONTROL),)


def _session(acc: bool) -> tuple[Packet, ...]:
    sent = [(b"\x0f\x05" + bytes(15), PMD_CONTROL), (b"\x57", BATTERY_LEVEL)]
    for k in range(FRAMES):
        last_ns = EPOCH_NS + (k + 1) * FRAME_NS
        part_uv = ECG_UV[k * SAMPLES : (k + 1) * SAMPLES].tolist()
        sent.append((measurement(61, [1000 + k]), HEART_RATE))
        sent.append((ecg_frame(part_uv, last_ns), PMD_DATA))
        if acc:
            blocks = ((4, 10), (9, 25)) if k % 2 else ()
            sent.append((acc_frame(ACC_ROWS, last_ns, blocks), PMD_DATA))
    return tuple(Packet(data, k * 10**8, channel) for k, (data, channel) in enumerate(sent))


def _specimen(acc: bool) -> Specimen:
    return Specimen(
        device="polar_h10",
        options={"acc": "200"} if acc else {},
        packets=_session(acc),
        samples_uv=ECG_UV.astype(np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=130.0,
        byte_stream=False,
        checked=False,
        answer=answer,
    )


SPECIMENS = (_specimen(acc=False), _specimen(acc=True))
