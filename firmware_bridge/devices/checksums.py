"""Checksums of device frames."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["crc4", "crc8", "crc8_maxim"]


def _table(polynomial: int, reflected: bool) -> bytes:
    return bytes(_byte(value, polynomial, reflected) for value in range(256))


def _byte(value: int, polynomial: int, reflected: bool) -> int:
    for _ in range(8):
        if reflected:
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        else:
            value = (value << 1 ^ (polynomial if value & 0x80 else 0)) & 0xFF
    return value


_CRC8 = _table(0x07, reflected=False)
_CRC8_MAXIM = _table(0x8C, reflected=True)
_CRC4 = bytes(value >> 4 for value in _table(0x30, reflected=False))


def crc8(data: Iterable[int]) -> int:
    """CRC-8, x^8 + x^2 + x + 1, most significant bit first, starting from 0 (CRC-8/SMBUS)."""
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


def crc8_maxim(data: Iterable[int]) -> int:
    """CRC-8/MAXIM-DOW: x^8 + x^5 + x^4 + 1, least significant bit first, starting from 0."""
    value = 0
    for byte in data:
        value = _CRC8_MAXIM[value ^ byte]
    return value


def crc4(data: Iterable[int]) -> int:
    """CRC-4, x^4 + x + 1, most significant bit first, starting from 0."""
    value = 0
    for byte in data:
        value = _CRC4[value << 4 ^ byte]
    return value
