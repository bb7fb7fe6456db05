"""A session of a Shimmer3 ECG unit: the answers to its settings, then data packets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["ECG_CHANNELS", "SPECIMENS", "answer", "data_packet", "inquiry_answer"]

ECG_CHANNELS = (0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22)


def inquiry_answer(step: int = 64, channels: Sequence[int] = ECG_CHANNELS) -> bytes:
    """Rate in clock ticks, configuration, channels."""
    return (
        b"\x02"
        + step.to_bytes(2, "little")
        + b"\x01\xff\x01\x09"
        + bytes([len(channels), 1, *channels])
    )


def data_packet(
    ticks: int, counts: Sequence[int], status: tuple[int, int] = (0x80, 0x80), bits: int = 24
) -> bytes:
    """Both chips, two channels each."""
    size = bits // 8
    body = [(value & (1 << bits) - 1).to_bytes(size, "big") for value in counts]
    chips = [bytes([status[chip]]) + body[2 * chip] + body[2 * chip + 1] for chip in (0, 1)]
    return b"\x00" + (ticks % (1 << 24)).to_bytes(3, "little") + b"".join(chips)


def answer(command: bytes) -> tuple[Packet, ...]:
    """FF, and what else the command asks for."""
    told = {1: inquiry_answer(), 0x95: b"\x8a\x94\x39\x0a\x80"}.get(command[0], b"")
    return (Packet(b"\xff" + told, 0),)


def _specimen() -> Specimen:
    counts = np.arange(60)[:, None] * np.array([1_001, -301, 17, -2_011]) - 70_000
    wires = [data_packet((1 << 24) - 640 + 64 * at, row) for at, row in enumerate(counts.tolist())]
    packets = tuple(Packet(b"".join(wires[at : at + 9]), at * 1_953_125) for at in range(0, 60, 9))
    uv = (counts[:, [0, 1, 3]] * 2.42 / (2**23 - 1) / 4 * 1e6).astype(np.float32)
    leads = ("LL-RA", "LA-RA", "Vx-RL")
    return Specimen("shimmer3", packets, uv, leads, 512.0, True, False, {}, answer)


SPECIMENS = (_specimen(),)
