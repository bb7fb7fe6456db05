"""Resident memory over time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

__all__ = ["SLOPE_S", "resident_mb", "slope_mb_per_h"]

SLOPE_S = 60.0
"""Below so many seconds no slope is told: allocators grow in steps."""

S_PER_H = 3600.0
MOST_POINTS = 600


def resident_mb(root: Path = Path("/")) -> float | None:
    """Resident memory of this process, 10^6 bytes; None where the system does not tell."""
    try:
        pages = int((root / "proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def slope_mb_per_h(points: Sequence[tuple[float, float]]) -> float | None:
    """Theil and Sen's slope (the median over all pairs) of (seconds, megabytes), in order.

    None where they span less than a minute.
    """
    thinned = points[:: 1 + len(points) // MOST_POINTS]
    if len(thinned) < 2 or thinned[-1][0] - thinned[0][0] < SLOPE_S:
        return None
    pairs = combinations(thinned, 2)
    slopes = [(mb - before) / (at - since) for (since, before), (at, mb) in pairs if at > since]
    return round(median(slopes) * S_PER_H, 3)
