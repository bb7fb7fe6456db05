"""Packed integers of device frames to float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["int24_be", "int24_le"]


def int24_le(data: bytes) -> NDArray[np.float32]:
    """Signed 24-bit little-endian integers; the length must be a multiple of 3."""
    padded = np.zeros((len(data) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return (padded.view("<i4").ravel() >> 8).astype(np.float32)  # the shift carries the sign


def int24_be(data: bytes) -> NDArray[np.float32]:
    """Signed 24-bit big-endian integers; the length must be a multiple of 3."""
    padded = np.zeros((len(data) // 3, 4), np.uint8)
    padded[:, :3] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return (padded.view(">i4").ravel() >> 8).astype(np.float32)
