"""Packets on a byte stream: COBS with a CRC-32, a zero byte before and after each packet.

COBS (Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999) removes every zero
from a packet at the price of one byte in 254, so that a zero byte can only be a border: after
any damage the receiver is in step again at the next one. The CRC-32 (that of zlib and
Ethernet, little-endian) guards payloads. The zero *before* a packet saves it where the bytes
in front of it lost their own closing zero.
"""

from __future__ import annotations

from zlib import crc32

__all__ = ["CRC_BYTES", "Deframer", "cobs_decode", "cobs_encode", "encode_packet", "wire_bytes_max"]

DELIMITER = b"\x00"
CRC_BYTES = 4
BLOCK_MAX = 254
"""Longest run of non-zero bytes that one COBS code byte can announce."""
CRC_RESIDUE = 0x2144DF1C
"""CRC-32 of every packet that ends with its own CRC-32, little-endian."""
RUN_MIN = 1 + 1 + CRC_BYTES
"""Shortest encoding of a packet: a code byte, a byte of payload, the CRC-32."""


def wire_bytes_max(payload_bytes: int) -> int:
    """Longest encoding between two delimiters that a payload of that size can have."""
    framed = payload_bytes + CRC_BYTES
    return framed + 1 + framed // BLOCK_MAX


def cobs_encode(data: bytes) -> bytes:
    """`data` without zero bytes; a run of exactly 254 at the end needs no closing code byte."""
    out = bytearray()
    runs = data.split(DELIMITER)
    last = len(runs) - 1
    for number, run in enumerate(runs):
        at = 0
        while len(run) - at >= BLOCK_MAX:
            out.append(BLOCK_MAX + 1)
            out += run[at : at + BLOCK_MAX]
            at += BLOCK_MAX
        if at < len(run) or at == 0 or number < last:
            out.append(len(run) - at + 1)
            out += run[at:]
    return bytes(out)


def cobs_decode(data: bytes) -> bytes | None:
    """What `cobs_encode` was given, or None where `data` is no COBS encoding."""
    if not data or 0 in data:
        return None
    out = bytearray(data)
    at, size = 0, len(data)
    while at < size:
        out[at] = 0  # a code byte stands where the zero before its run stood
        at += data[at]
    if at != size:
        return None
    if size > BLOCK_MAX:
        for end in reversed(_ends_of_full_runs(data)):
            del out[end : end + 1]  # but no zero stood behind a full run,
    return bytes(out[1:])  # nor before the first


def _ends_of_full_runs(data: bytes) -> list[int]:
    ends: list[int] = []
    at = 0
    while at < len(data):
        code = data[at]
        at += code
        if code == BLOCK_MAX + 1:
            ends.append(at)
    return ends


def encode_packet(payload: bytes) -> bytes:
    """Bytes that carry `payload` over the wire, delimiters included."""
    checked = payload + crc32(payload).to_bytes(CRC_BYTES, "little")
    return DELIMITER + cobs_encode(checked) + DELIMITER


class Deframer:
    """Payloads out of a byte stream, whatever else is in it.

    Every packet that arrived intact comes out; one whose CRC-32 is wrong never does. The result
    depends on the bytes alone, not on how they were cut into chunks. Time is linear in the bytes
    and the buffer holds `max_bytes` at most: a longer run without a delimiter is dropped.

    max_bytes: longest encoding between two delimiters that can be a packet.
    """

    def __init__(self, max_bytes: int = 16_384) -> None:
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._dropping = False
        self._frames = 0
        self._bad_frames = 0
        self._received_bytes = 0
        self._skipped_bytes = 0

    @property
    def frames(self) -> int:
        """Packets with a right CRC-32."""
        return self._frames

    @property
    def bad_frames(self) -> int:
        """Runs between delimiters that were no packet."""
        return self._bad_frames

    @property
    def received_bytes(self) -> int:
        """All bytes that came, delimiters included."""
        return self._received_bytes

    @property
    def skipped_bytes(self) -> int:
        """Bytes of the runs that were no packet, delimiters not included."""
        return self._skipped_bytes

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for their delimiter, at most `max_bytes`."""
        return len(self._pending)

    def push(self, data: bytes) -> list[bytes]:
        """Payloads of the packets that `data` completed, in order."""
        self._received_bytes += len(data)
        *runs, tail = data.split(DELIMITER)
        if runs:
            runs[0] = self._ended(runs[0])
        payloads = [payload for run in runs if run and (payload := self._check(run))]
        self._extend(tail)
        return payloads

    def reset(self) -> None:
        """Forget a packet half received; its bytes count as skipped."""
        self._skipped_bytes += len(self._pending)
        self._pending.clear()
        self._dropping = False

    def _extend(self, run: bytes) -> None:
        if not run:
            return
        if not self._dropping and len(self._pending) + len(run) <= self._max_bytes:
            self._pending += run
            return
        if not self._dropping:
            self._dropping = True
            self._bad_frames += 1
        self._skipped_bytes += len(self._pending) + len(run)
        self._pending.clear()

    def _ended(self, last: bytes) -> bytes:
        """The run that a delimiter has just ended: what was pending, and these bytes."""
        self._extend(last)
        run = bytes(self._pending)
        self._pending.clear()
        self._dropping = False
        return run

    def _check(self, run: bytes) -> bytes | None:
        """The payload of a whole run, or None where it is no packet; counts either."""
        if RUN_MIN <= len(run) <= self._max_bytes:
            checked = cobs_decode(run)
            if checked and len(checked) > CRC_BYTES and crc32(checked) == CRC_RESIDUE:
                self._frames += 1
                return checked[:-CRC_BYTES]
        self._bad_frames += 1
        self._skipped_bytes += len(run)
        return None
