"""Packed integers of device frames to float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["int24_be", "int24_le", "uint10_le"]

# 32-bit words read every 3 bytes: each holds an integer in its upper bits, and below them a byte
# of its neighbour, which the shift drops while it carries the sign.
_LITTLE, _BIG, _FLOAT = np.dtype("<i4"), np.dtype(">i4"), np.dtype(np.float32)
# Five bytes hold four integers of 10 bits: integer k begins in byte k, behind 2k bits.
_WORD, _FOUR_IN_FIVE = np.dtype("<u2"), np.array([0, 2, 4, 6], np.uint16)


def int24_le(data: bytes) -> NDArray[np.float32]:
    """Signed 24-bit little-endian integers; the length must be a multiple of 3."""
    words: NDArray[np.int32] = np.ndarray((len(data) // 3,), _LITTLE, b"\0" + data, 0, (3,))
    return (words >> 8).astype(_FLOAT)


def int24_be(data: bytes) -> NDArray[np.float32]:
    """Signed 24-bit big-endian integers; the length must be a multiple of 3."""
    words: NDArray[np.int32] = np.ndarray((len(data) // 3,), _BIG, data + b"\0", 0, (3,))
    return (words >> 8).astype(_FLOAT)


def uint10_le(data: bytes) -> NDArray[np.float32]:
    """Unsigned 10-bit integers packed without gaps, least significant bit first.

    Bits that make no whole integer at the end are passed over.
    """
    fives = -(-len(data) // 5)
    words: NDArray[np.uint16] = np.ndarray((fives, 4), _WORD, data + bytes(5), 0, (5, 1))
    integers = (words >> _FOUR_IN_FIVE & 0x3FF).astype(_FLOAT)
    return integers.ravel()[: len(data) * 8 // 10]
