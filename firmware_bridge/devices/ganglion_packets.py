"""Packets of the OpenBCI Ganglion to counts: firmware 2 sends differences, firmware 3 values.

Source: OpenBCI's document "Ganglion Data Format" and the source of firmware 2.0.1
(github.com/OpenBCI/OpenBCI_Ganglion_Library). Both give bit 0 of a packed number its sign; in
firmware 3 the uppermost bit says the same.
"""

from __future__ import annotations

import msgspec

__all__ = ["CHANNELS", "AbsolutePackets", "Counted", "DeltaPackets", "is_raw"]

CHANNELS = 4
RAW_ID = 0
RAW_END = 1 + 3 * CHANNELS
RAW_PADDING = (b"ABCDEFG", bytes(7))
"""What fills a raw packet in firmware 2; other senders use zeros."""
DELTA_CYCLE = 201
"""Samples from raw packet to raw packet: one in it, two in each of the hundred behind it."""
COUNTS = 1 << 32
NARROW_BITS, WIDE_BITS = 18, 19
SHIFTS_18 = tuple(range(8 + 7 * NARROW_BITS, 7, -NARROW_BITS))
SHIFTS_19 = tuple(range(7 * WIDE_BITS, -1, -WIDE_BITS))


class Counted(msgspec.Struct, frozen=True):
    """Samples of one packet: `rows` of counts, and the index of the first, modulo `modulus`."""

    rows: list[list[int]]
    index: int
    modulus: int


def is_raw(data: bytes) -> bool:
    """Whether a packet with the identifier 0 is a raw one of firmware 2, by its padding."""
    return data[RAW_END:] in RAW_PADDING


class DeltaPackets:
    """Firmware 2: 0 is raw; 1 to 100 are 18-bit differences, 101 to 200 are 19-bit ones.

    A difference is old minus new. Where a packet is missing, nothing is known until the next raw
    one.
    """

    def __init__(self) -> None:
        self._last: list[int] = []
        self._place = 0

    def take(self, data: bytes) -> Counted | None:
        """Samples of a packet of 20 bytes, None while differences have nothing to stand on."""
        number = data[0]
        if number == RAW_ID:
            self._last, self._place = _raw(data), 0
            return Counted([self._last], 0, DELTA_CYCLE)
        place = (number - 1) % 100 + 1
        if not self._last or place != self._place + 1:
            self._last = []
            return None
        self._place = place
        deltas = _signs_below(data, NARROW_BITS if number <= 100 else WIDE_BITS)
        first = [old - step for old, step in zip(self._last, deltas[:CHANNELS], strict=True)]
        self._last = [old - step for old, step in zip(first, deltas[CHANNELS:], strict=True)]
        return Counted([first, self._last], 2 * place - 1, DELTA_CYCLE)


class AbsolutePackets:
    """Firmware 3: 0 to 99 hold the upper 18 bits of each sample, 100 to 199 the upper 19.

    Firmware 3.0 has 101 packets a cycle instead, and leaves the first half of the first one
    unwritten (OpenBCI_Ganglion_Library, pull request 31). It is known by its identifier 200, by
    100 behind 18-bit packets, or by a first half of zeros.
    """

    def __init__(self) -> None:
        self._base = 0
        self._place = -1
        self._is_wide = True
        self._is_odd = False

    def take(self, data: bytes) -> Counted:
        """Samples of a packet of 20 bytes; their counter is this side's, packets lost included."""
        number = data[0]
        ends_narrow = number == 100 and not self._is_wide
        self._is_wide = number >= 100 and not ends_narrow
        place = number - 100 if self._is_wide else number
        values = _signs_above(data, WIDE_BITS if self._is_wide else NARROW_BITS)
        rows = [values[:CHANNELS], values[CHANNELS:]]
        if place == 100 or (place == 0 and not any(rows[0])):
            self._learn_odd_cycle()
        if self._place >= place:
            self._base += 201 if self._is_odd else 200
        self._place = place
        first = self._base + 2 * place - self._is_odd
        if place == 0 and self._is_odd:
            return Counted(rows[1:], (first + 1) % COUNTS, COUNTS)
        return Counted(rows, first % COUNTS, COUNTS)

    def _learn_odd_cycle(self) -> None:
        """The cycle has 201 samples; what was counted before keeps its place."""
        if not self._is_odd:
            self._is_odd = True
            self._base += self._place >= 0


def _raw(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 3], "big", signed=True) for at in range(1, RAW_END, 3)]


def _signs_below(data: bytes, bits: int) -> list[int]:
    """Eight packed numbers whose lowest bit is their sign."""
    return [value - (1 << bits) if value & 1 else value for value in _packed(data, bits)]


def _signs_above(data: bytes, bits: int) -> list[int]:
    """Eight packed numbers, the upper bits of 24-bit ones."""
    sign, up = 1 << bits - 1, 24 - bits
    return [(value ^ sign) - sign << up for value in _packed(data, bits)]


def _packed(data: bytes, bits: int) -> list[int]:
    number = int.from_bytes(data[1:20], "big")
    mask = (1 << bits) - 1
    shifts = SHIFTS_18 if bits == NARROW_BITS else SHIFTS_19
    return [number >> shift & mask for shift in shifts]
