"""Sessions of an OpenBCI Cyton, alone and with a Daisy, as its radio dongle tells them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = ["GREETING", "RADIO_FAILURE", "SPECIMENS", "answer", "cyton_packet"]

GREETING = (
    b"OpenBCI V3 8-16 channel\nADS1299 Device ID: 0x3E\nLIS3DH Device ID: 0x33\n"
    b"Firmware: v3.1.1\n$$$"
)
RADIO_FAILURE = b"Failure: Communications timeout - Device failed to poll Host$$$"
COUNT_UV = 4.5 / 24 / (2**23 - 1) * 1e6


def cyton_packet(
    counter: int, counts: Sequence[int], aux: bytes = bytes(6), stop: int = 0xC0
) -> bytes:
    """One packet of eight channels."""
    body = b"".join(struct.pack(">i", value)[1:] for value in counts)
    return struct.pack("BB", 0xA0, counter % 256) + body + aux + bytes([stop])


def answer(command: bytes) -> tuple[Packet, ...]:
    """What dongle and board say because of a command, before they stream."""
    if command == b"v":
        return (Packet(GREETING, 0),)
    if command == b"C":
        return (Packet(b"16$$$", 0),)
    if command == b"<":
        return (Packet(b",", 0), Packet(b"Time stamp ON$$$", 0))
    if command[:1] == b"x":
        return (Packet(b"Success: Channel set for " + command[1:2] + b"$$$", 0),)
    return ()


def _counts(samples: int, channels: int) -> np.ndarray:
    steps = np.arange(samples)[:, None] * 1009 - np.arange(channels)[None, :] * 2503
    return (steps % 16_001 - 8_000) * 41


def _packets(wires: Iterable[bytes], size: int = 5) -> tuple[Packet, ...]:
    each = list(wires)
    return tuple(
        Packet(b"".join(each[at : at + size]), at * 4_000_000) for at in range(0, len(each), size)
    )


def _alone() -> Specimen:
    counts = _counts(40, 8)
    moved = struct.pack(">3h", 16, -32, 8000)
    wires = [
        cyton_packet(240 + at, row, moved if at % 10 == 0 else bytes(6))
        for at, row in enumerate(counts.tolist())
    ]
    uv = (counts[:, [0, 2]] * COUNT_UV).astype(np.float32)
    options = {"channels": "1,3"}
    return Specimen(
        "cyton", _packets(wires), uv, ("CH1", "CH3"), 250.0, True, False, options, answer
    )


def _timed() -> Specimen:
    counts = _counts(30, 8)
    wires = [
        cyton_packet(at, row, b"X\x01" + struct.pack(">I", 5_000 + 4 * at), 0xC4)
        for at, row in enumerate(counts.tolist())
    ]
    uv = (counts[:, :3] * COUNT_UV * 24 / 12).astype(np.float32)
    leads = ("CH1", "CH2", "CH3")
    return Specimen("cyton", _packets(wires), uv, leads, 250.0, True, False, {"gain": "12"}, answer)


def _with_daisy() -> Specimen:
    counts = _counts(20, 16)
    wires = [cyton_packet(0, [7] * 8)]  # the first sample of a board with a Daisy is invalid
    for at, row in enumerate(counts.tolist()):
        wires += [cyton_packet(2 * at + 1, row[:8]), cyton_packet(2 * at + 2, row[8:])]
    uv = (counts[:, [0, 8, 15]] * COUNT_UV).astype(np.float32)
    options = {"daisy": "1", "channels": "1,9,16"}
    leads = ("CH1", "CH9", "CH16")
    return Specimen("cyton", _packets(wires, 7), uv, leads, 125.0, True, False, options, answer)


SPECIMENS = (_alone(), _timed(), _with_daisy())
