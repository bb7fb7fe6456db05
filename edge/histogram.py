"""Counts by class of a duration, which only grow: what Prometheus calls a histogram."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

__all__ = ["Histogram"]


class Histogram:
    """Written by one thread, read by any. bounds_s: upper bounds of the classes, ascending."""

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds_s) + 1)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds_s, seconds)] += 1
        self.total_s += seconds

    @property
    def cumulative(self) -> list[tuple[float, int]]:
        """Upper bound in seconds, and how many were not above it; the last bound is infinite."""
        bounds = (*self._bounds_s, float("inf"))
        return list(zip(bounds, accumulate(list(self._counts)), strict=True))
