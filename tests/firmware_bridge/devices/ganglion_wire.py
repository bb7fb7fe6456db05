"""Sessions of an OpenBCI Ganglion with firmware 2 (differences) and firmware 3 (values)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["RECEIVE", "SPECIMENS", "delta_stream", "packed", "raw_packet", "value_packet"]

RECEIVE = "2d30c082-f39f-4ce6-923f-3484ea480596"
COUNT_UV = 1.2e6 / (8388607 * 1.5 * 51)


def packed(values: Sequence[int], bits: int) -> bytes:
    """Numbers of so many bits, one behind the other, filled up to 19 bytes."""
    digits = "".join(format(value & (1 << bits) - 1, f"0{bits}b") for value in values)
    return int(digits.ljust(152, "0"), 2).to_bytes(19, "big")


def raw_packet(counts: Sequence[int]) -> bytes:
    """Firmware 2: the whole sample that begins a cycle."""
    body = b"".join((value & 0xFFFFFF).to_bytes(3, "big") for value in counts)
    return b"\x00" + body + b"ABCDEFG"


def delta_stream(counts: np.ndarray, wide: bool = True) -> list[bytes]:
    """Firmware 2: counts, shape (1 + 2 n, 4), as one cycle. Bit 0 of a difference is its sign."""
    packets = [raw_packet(counts[0].tolist())]
    for place in range(1, (len(counts) + 1) // 2):
        steps = -np.diff(counts[2 * place - 2 : 2 * place + 1], axis=0)
        signed = [int(step) & ~1 | (int(step) < 0) for step in steps.ravel()]
        number = place + 100 if wide else place
        packets.append(bytes([number]) + packed(signed, 19 if wide else 18))
    return packets


def value_packet(number: int, counts: Sequence[int], aux: int = 0) -> bytes:
    """Firmware 3: the upper bits of two samples of four channels."""
    bits = 19 if number >= 100 else 18
    packet = bytearray(bytes([number]) + packed([value >> 24 - bits for value in counts], bits))
    if bits == 18:
        packet[19] = aux
    return bytes(packet)


def _steady(samples: int) -> np.ndarray:
    """Counts whose differences survive the loss of their lowest bit: new less old is odd where
    it is positive, and even where it is negative.
    """
    up, down = np.array([20_001, 301, 5, 77_777]), np.array([-19_998, -302, -6, -77_776])
    steps = np.where((np.arange(samples - 1) // 3 % 2 == 0)[:, None], up, down)
    return np.concatenate([[[-300_000, 5, 8_000_000, -8_000_000]], steps]).cumsum(axis=0)


def _firmware_2() -> Specimen:
    counts = np.concatenate([_steady(201), _steady(41)])
    wires = delta_stream(counts[:201]) + delta_stream(counts[201:])
    packets = tuple(Packet(wire, at * 10_000_000, RECEIVE) for at, wire in enumerate(wires))
    uv = (counts * COUNT_UV).astype(np.float32)
    return Specimen(
        "ganglion", packets, uv, ("CH1", "CH2", "CH3", "CH4"), 200.0, False, False, {}, _greet, 0.01
    )


def _firmware_3() -> Specimen:
    counts = (np.arange(240)[:, None] * np.array([97, -331, 503, -791]) + 64) * 32
    pairs = counts.reshape(-1, 8).tolist()
    wires = [value_packet(100 + at % 100, row) for at, row in enumerate(pairs)]
    packets = tuple(Packet(wire, at * 10_000_000, RECEIVE) for at, wire in enumerate(wires))
    uv = (counts[:, [0, 3]] * COUNT_UV).astype(np.float32)
    options = {"channels": "1,4"}
    return Specimen("ganglion", packets, uv, ("CH1", "CH4"), 200.0, False, False, options)


def _greet(command: bytes) -> tuple[Packet, ...]:
    if command != b"v":
        return ()
    return (
        Packet(b"\xceOpenBCI Ganglion v2", 0, RECEIVE),
        Packet(b"\xcf.0.1\r\nGanglion-1a2b\r\n", 0, RECEIVE),
    )


SPECIMENS = (_firmware_2(), _firmware_3())
