"""Distributions of measured times, and how many values a percentile takes.

A percentile p is given from n values on, where n is the least number for which, with 99 %
confidence, at least two of them lie above the true percentile: P(Binomial(n, 1 - p) <= 1) <= 0.01.
That gives 64 for p90 and 662 for p99, the early-stopping floors of MLPerf Inference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["NEEDED", "Distribution", "Histogram", "distribution", "histogram", "significant"]

NEEDED = {"p50": 11, "p90": 64, "p95": 130, "p99": 662}
"""Percentile to the least number of values that it is given for."""

DIGITS = 5
BINS = 40

Count = Annotated[int, msgspec.Meta(ge=0)]


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Values in the unit that the name of the field ends in.

    p50, p90, p95, p99: the least value that so many percent of all values do not exceed; null
    below 11, 64, 130 and 662 values. std: of the values, not of their mean. All null where n is 0.
    """

    n: Count
    min: float | None = None
    mean: float | None = None
    std: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of values between edges that grow by a constant factor; one edge more than counts."""

    edges: list[float]
    counts: list[Count]


def distribution(values: Sequence[float] | NDArray[np.float64]) -> Distribution:
    """Of any values; order does not matter. Raises ValueError where one is not finite."""
    ordered = _ordered(values)
    n = len(ordered)
    if not n:
        return Distribution(n=0)
    shares = {name: int(name[1:]) / 100 for name, least in NEEDED.items() if n >= least}
    percentiles = {
        name: significant(float(ordered[math.ceil(share * n) - 1]))
        for name, share in shares.items()
    }
    return Distribution(
        n=n,
        min=significant(float(ordered[0])),
        mean=significant(float(ordered.mean())),
        std=significant(float(ordered.std())),
        max=significant(float(ordered[-1])),
        **percentiles,
    )


def histogram(values: Sequence[float] | NDArray[np.float64]) -> Histogram:
    """Of values above 0; others are left out. Empty where none is left."""
    kept = _ordered(values)
    kept = kept[kept > 0]
    if not len(kept):
        return Histogram(edges=[], counts=[])
    low, high = float(kept[0]), float(kept[-1])
    edges = np.geomspace(low, max(high, low * 1.01), BINS + 1)
    edges[0], edges[-1] = low, max(high, edges[-1])
    counts = np.histogram(kept, edges)[0]
    return Histogram(edges=[significant(each) for each in edges.tolist()], counts=counts.tolist())


def significant(value: float, digits: int = DIGITS) -> float:
    """The value to so many significant digits."""
    return float(f"{value:.{digits}g}")


def _ordered(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(np.asarray(values, np.float64))
    if not np.isfinite(ordered).all():
        raise ValueError("a measured value is not finite")
    return ordered
