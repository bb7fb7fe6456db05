"""What bytes look like that the chosen decoder makes nothing of."""

from __future__ import annotations

from collections import deque

from firmware_bridge.devices import decoder_names, make_decoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import GattDevice, SerialDevice
from firmware_bridge.stream import Packet

__all__ = ["Sample", "looks_like"]

SAMPLE_BYTES = 4096
FRAMES_MIN = 4
EXPLAINED_MIN = 0.7
"""Share of the bytes that a decoder must explain to be named: joining in mid-frame costs some."""
QUOTED_CHARACTERS = 40


class Sample:
    """The latest bytes of a stream, a few kilobytes at most."""

    def __init__(self) -> None:
        self._packets: deque[bytes] = deque()
        self._size = 0

    def add(self, packet: Packet) -> None:
        """Keep the bytes of a packet and forget what is too old."""
        self._packets.append(packet.data)
        self._size += len(packet.data)
        while self._size - len(self._packets[0]) >= SAMPLE_BYTES:
            self._size -= len(self._packets.popleft())

    @property
    def data(self) -> bytes:
        """The bytes kept, in order."""
        return b"".join(self._packets)


def looks_like(data: bytes) -> str:
    """What a stream of bytes seems to be, in words that continue a sentence; empty if unknown."""
    device = _decoded_by(data)
    if device:
        return f"the bytes look like device={device}"
    text = _text(data)
    if text:
        return f"the device sends text: {text!r}"
    if data and len(set(data)) <= 2:
        values = " and ".join(f"0x{value:02X}" for value in sorted(set(data)))
        return f"all bytes are {values}: a wrong baud rate, or an idle line"
    return ""


def _decoded_by(data: bytes) -> str:
    """The decoder of byte streams that explains the most of these bytes, if one explains them."""
    shares = {name: _explained(name, data) for name in decoder_names()}
    best = max(shares, key=lambda name: shares[name], default="")
    return best if best and shares[best] >= EXPLAINED_MIN else ""


def _explained(name: str, data: bytes) -> float:
    try:
        decoder = make_decoder(name)
    except (SourceUriError, TypeError):  # of another package, broken or in need of options
        return 0.0
    if isinstance(decoder, GattDevice) and not isinstance(decoder, SerialDevice):
        return 0.0
    try:
        decoder.push(Packet(data, 0))
    except Exception:  # of another package; those of this one never raise
        return 0.0
    count = decoder.count
    if count.frames < FRAMES_MIN or not data:
        return 0.0
    return 1.0 - count.skipped_bytes / len(data)


def _text(data: bytes) -> str:
    """A line of text where the bytes are all printable; empty where they are not."""
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in data)
    if not data or printable < len(data):
        return ""
    lines = data.decode("ascii").splitlines()
    whole = lines[1:-1] or lines
    return next((line.strip() for line in whole if line.strip()), "")[:QUOTED_CHARACTERS]
