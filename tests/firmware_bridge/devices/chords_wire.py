"""What a board with Chords firmware sends, by the firmware's source."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["SPECIMENS", "board", "packet"]

_DIGITAL = np.arange(6 * 300).reshape(300, 6) * 7 % 1024


def packet(counter: int, values: Sequence[int]) -> bytes:
    """One sample of every channel."""
    header = bytes([0xC7, 0x7C, counter % 256])
    return header + struct.pack(f">{len(values)}H", *values) + b"\x01"


def board(name: str) -> dict[bytes, bytes]:
    """What a board of that name answers to a command."""
    return {b"WHORU\n": name.encode() + b"\r\n", b"START\n": b"", b"STOP\n": b""}


def _answer(command: bytes) -> tuple[Packet, ...]:
    told = board("UNO-R3")[command]
    return (Packet(told, 0),) if told else ()


def _read(first: int, count: int) -> Packet:
    wire = b"".join(packet(k, _DIGITAL[k].tolist()) for k in range(first, first + count))
    return Packet(wire, first * 4_000_000)


SPECIMENS = (
    Specimen(
        device="chords",
        packets=tuple(_read(first, 20) for first in range(0, 300, 20)),
        samples_uv=((_DIGITAL - 512) * (5e6 / 1024 / 1000)).astype(np.float32),
        leads=("CH1", "CH2", "CH3", "CH4", "CH5", "CH6"),
        rate_hz=250.0,
        byte_stream=True,
        checked=False,
        answer=_answer,
    ),
)
