"""Figures from counts: shares in percent, quantiles, averages of records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["Row", "average", "percent", "quantiles", "rounded"]

Row = dict[str, Any]
"""One line of a report, ready for JSON. None stands for a figure that has nothing to divide by."""

DIGITS = 4


def percent(part: float, whole: float) -> float | None:
    """Share in percent, None of nothing."""
    return 100.0 * part / whole if whole else None


def average(values: Iterable[float | None]) -> float | None:
    """Mean of the records that have the figure."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """Median, 90th percentile and greatest."""
    if not values:
        return {"p50": None, "p90": None, "max": None}
    p50, p90 = np.percentile(values, [50, 90])
    return {"p50": float(p50), "p90": float(p90), "max": float(max(values))}


def rounded(value: Any) -> Any:
    """All floats within, to four digits after the point."""
    match value:
        case float():
            return round(value, DIGITS)
        case dict():
            return {key: rounded(each) for key, each in value.items()}
        case list() | tuple():
            return [rounded(each) for each in value]
        case _:
            return value
