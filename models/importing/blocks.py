"""Weights as 8-bit numbers, with a scale and a zero point for each block of 16 along a row.

weight = (number - zero) * scale. One scale a row is too coarse for a net of width 64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Blocks", "quantise_blocks"]

BLOCK = 16
"""Weights that share a scale and a zero point."""


class Blocks(NamedTuple):
    """numbers uint8 (outputs, blocks, 16); scales float32 and zeros uint8 (outputs, blocks, 1)."""

    numbers: NDArray[np.uint8]
    scales: NDArray[np.float32]
    zeros: NDArray[np.uint8]


def quantise_blocks(weight: NDArray[np.float32]) -> Blocks:
    """Round to nearest between each block's least and greatest weight, 0 always among them.

    weight: (outputs, inputs), inputs a multiple of 16. No weight moves by more than its scale.
    """
    outputs, inputs = weight.shape
    blocks = weight.reshape(outputs, inputs // BLOCK, BLOCK).astype(np.float64)
    low = np.minimum(blocks.min(axis=2, keepdims=True), 0.0)
    high = np.maximum(blocks.max(axis=2, keepdims=True), 0.0)
    scales = np.where(high > low, (high - low) / 255.0, 1.0).astype(np.float32)
    zeros = np.rint(-low / scales)
    numbers = np.clip(np.rint(blocks / scales) + zeros, 0, 255)
    return Blocks(numbers.astype(np.uint8), scales, zeros.astype(np.uint8))
