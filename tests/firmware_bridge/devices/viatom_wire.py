"""Sessions of Viatom patches, encoded by their protocol of questions and answers."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["NOTIFY", "SPECIMENS", "UV", "answer", "crc", "real_time"]

NOTIFY = "0734594a-a8e7-4b1a-a6b1-cd5243059a57"
UV = 1.0035 * 1800 / (4096 * 178.74) * 1000


def crc(data: bytes) -> int:
    """CRC-8, polynomial 0x07, from 0, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value << 1 & 0xFF ^ (0x07 if value & 0x80 else 0)
    return value


def answer(payload: bytes, command: int = 0x03, flag: int = 1, sequence: int = 0) -> bytes:
    head = struct.pack("<BBBBBH", 0xA5, command, command ^ 0xFF, flag, sequence, len(payload))
    return head + payload + bytes([crc(head + payload)])


def real_time(
    counts: Sequence[int], bpm: int = 71, battery: int = 88, status: int = 2, leads: int = 1
) -> bytes:
    state = struct.pack("<HBBIB11x", bpm, 1, battery, 30, status)
    wave = struct.pack(f"<H{len(counts)}h", len(counts) // leads, *counts)
    return answer(state + wave)


COUNTS = [[(second * 700 + n * 37) % 5000 - 2500 for n in range(128)] for second in range(4)]
SPLITS = (244, 153, 20, 286)
POLL = bytes.fromhex("A503FC00000100 7D23".replace(" ", ""))


def _pieces(wires: list[bytes]) -> tuple[Packet, ...]:
    packets = []
    for second, (wire, split) in enumerate(zip(wires, SPLITS, strict=False)):
        for piece in (wire[:split], wire[split:]):
            if piece:
                packets.append(Packet(piece, second * 1_024_000_000, NOTIFY))
    return tuple(packets)


def _to_poll(command: bytes) -> tuple[Packet, ...]:
    """A patch that has nothing to send yet."""
    is_poll = command[:4] == POLL[:4]
    return (Packet(real_time([]), 0, NOTIFY),) if is_poll else ()


SPECIMENS = (
    Specimen(
        device="viatom_er1",
        packets=_pieces([real_time(counts) for counts in COUNTS]),
        samples_uv=(np.array(COUNTS) * UV).astype(np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=125.0,
        byte_stream=True,
        checked=True,
        answer=_to_poll,
    ),
    Specimen(
        device="viatom_er1",
        options={"model": "er3"},
        packets=_pieces([real_time(counts, leads=4) for counts in COUNTS]),
        samples_uv=(np.array(COUNTS) * UV).astype(np.float32).reshape(-1, 4),
        leads=("CH1", "CH2", "CH3", "CH4"),
        rate_hz=250.0,
        byte_stream=True,
        checked=True,
        answer=_to_poll,
    ),
)
