"""A session of a BioHarness 3, encoded by its serial protocol."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["SPECIMENS", "crc", "ecg", "intervals", "message", "packed", "stamp", "summary"]

MIDNIGHT_MS = 86_400_000


def crc(payload: bytes) -> int:
    """CRC-8/MAXIM bit by bit, as the maker's document prints it."""
    value = 0
    for byte in payload:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8C if value & 1 else 0)
    return value


def message(identifier: int, payload: bytes, end: int = 0x03) -> bytes:
    return bytes([2, identifier, len(payload)]) + payload + bytes([crc(payload), end])


def stamp(sequence: int, time_ms: int, day: int = 3) -> bytes:
    return struct.pack("<BHBBI", sequence % 256, 2026, 11, day, time_ms)


def packed(values: Iterable[int], size: int) -> bytes:
    """10-bit values, least significant bit first."""
    number = sum(value << 10 * place for place, value in enumerate(values))
    return number.to_bytes(size, "little")


def ecg(sequence: int, values: Iterable[int], time_ms: int = 0, day: int = 3) -> bytes:
    return message(0x22, stamp(sequence, time_ms, day) + packed(values, 79))


def intervals(sequence: int, values: Iterable[int]) -> bytes:
    return message(0x24, stamp(sequence, 0) + struct.pack("<18h", *values))


def summary(sequence: int, bpm: int, battery: int) -> bytes:
    payload = bytearray(71)
    payload[:9] = stamp(sequence, 0)
    payload[10:12] = struct.pack("<H", bpm)
    payload[24] = battery
    return message(0x2B, bytes(payload))


VALUES = [[(sequence * 97 + place * 31) % 1024 for place in range(63)] for sequence in range(5)]


def _packet(number: int) -> Packet:
    wire = ecg(253 + number, VALUES[number], time_ms=3_600_000 + number * 252)
    if number == 2:
        wire += summary(1, 66, 80)
    return Packet(wire, number * 252_000_000)


def _answer(command: bytes) -> tuple[Packet, ...]:
    """The strap accepts each command."""
    if command[:1] != b"\x02" or command[1] == 0x23:
        return ()
    return (Packet(message(command[1], b"", 0x06), 0),)


SPECIMENS = (
    Specimen(
        device="bioharness",
        packets=tuple(_packet(number) for number in range(5)),
        samples_uv=((np.array(VALUES) - 512) * 13.4).astype(np.float32).reshape(-1, 1),
        leads=("ECG",),
        rate_hz=250.0,
        byte_stream=True,
        checked=True,
        answer=_answer,
    ),
)
