"""Axes of charts: from values to millimetres, with round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Scale", "round_step"]

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """`low` lies at `low_mm` and `high` at `high_mm`."""

    low: float
    high: float
    low_mm: float
    high_mm: float

    def mm(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where values lie; NaN where there is none."""
        share = (np.asarray(values, np.float64) - self.low) / (self.high - self.low)
        return np.asarray(self.low_mm + share * (self.high_mm - self.low_mm))

    def at(self, value: float) -> float:
        """Where one value lies."""
        return float(self.mm(value))

    def ticks(self, most: int) -> list[float]:
        """Round values in the range, at most so many and one."""
        step = round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [step * k for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(max(least, 1e-12)))
    return next(factor * power for factor in STEPS if factor * power >= least * (1 - 1e-9))
