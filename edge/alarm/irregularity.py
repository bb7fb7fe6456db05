"""How irregular RR intervals are: the statistics of Dash et al. 2009.

Dash S, Chon KH, Lu S, Raeder EA. Automatic real time detection of atrial fibrillation. Annals of
Biomedical Engineering 37(9), 1701-1709 (2009): fibrillation where RMSSD / mean RR, the turning
point ratio and the Shannon entropy of a segment of 128 beats all look random. Added to these,
for ectopic beats alone satisfy the three: most intervals must differ from the one before, and few
may be an early beat followed by a compensatory pause. Bounds of both: training half (DS1) of the
MIT-BIH Arrhythmia Database.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median

__all__ = [
    "SEGMENT_BEATS",
    "changing_share",
    "compensated_share",
    "looks_random",
    "rmssd_ratio",
    "shannon_entropy",
    "turning_point_ratio",
]

SEGMENT_BEATS = 128

TURNING_POINT_RANGE = (0.54, 0.77)
"""Ratios that a random series of this length has (2/3 expected); bigeminy lies above."""

ENTROPY_LEAST = 0.7

ENTROPY_BINS = 16

CHANGING_LEAST = 0.6

CHANGE = 0.1
"""Change from one interval to the next that counts, as a fraction of the median interval."""

COMPENSATED_MOST = 0.1

EARLY = 0.85
"""A beat that comes before this fraction of the interval before it is early."""

LATE = 1.2
"""The pause after it is longer than its own interval by this factor at least."""

OUTLIERS = 8
"""Longest and shortest intervals left out of the entropy (ectopic beats and their pauses)."""


def rmssd_ratio(intervals_ms: list[float]) -> float:
    """Root mean square of successive differences over the mean; 0 for fewer than two intervals."""
    if len(intervals_ms) < 2:
        return 0.0
    squares = [(after - before) ** 2 for before, after in pairwise(intervals_ms)]
    mean_ms = sum(intervals_ms) / len(intervals_ms)
    return math.sqrt(sum(squares) / len(squares)) / mean_ms


def turning_point_ratio(intervals_ms: list[float]) -> float:
    """Share of inner intervals that are longer or shorter than both neighbours, 0 to 1."""
    inner = len(intervals_ms) - 2
    if inner < 1:
        return 0.0
    signs = [after - before for before, after in pairwise(intervals_ms)]
    return sum(left * right < 0 for left, right in pairwise(signs)) / inner


def shannon_entropy(intervals_ms: list[float]) -> float:
    """Entropy of the histogram without outliers, relative to a uniform one, 0 to 1."""
    kept = sorted(intervals_ms)[OUTLIERS : len(intervals_ms) - OUTLIERS]
    if len(kept) < 2 or kept[-1] == kept[0]:
        return 0.0
    width_ms = (kept[-1] - kept[0]) / ENTROPY_BINS
    counts = [0] * ENTROPY_BINS
    for interval_ms in kept:
        counts[min(ENTROPY_BINS - 1, int((interval_ms - kept[0]) / width_ms))] += 1
    shares = [count / len(kept) for count in counts if count]
    return -sum(share * math.log(share) for share in shares) / math.log(ENTROPY_BINS)


def changing_share(intervals_ms: list[float]) -> float:
    """Share of intervals that differ from the one before by more than a tenth of the median."""
    if len(intervals_ms) < 2:
        return 0.0
    least_ms = CHANGE * median(intervals_ms)
    changes = [abs(after - before) > least_ms for before, after in pairwise(intervals_ms)]
    return sum(changes) / len(changes)


def compensated_share(intervals_ms: list[float]) -> float:
    """Share of intervals that end early and whose pause makes up for it: the two last as long as
    two of the interval before, within a tenth."""
    inner = len(intervals_ms) - 2
    if inner < 1:
        return 0.0
    triples = zip(intervals_ms, intervals_ms[1:], intervals_ms[2:], strict=False)
    found = sum(
        early < EARLY * before
        and pause > LATE * early
        and abs(early + pause - 2 * before) < CHANGE * 2 * before
        for before, early, pause in triples
    )
    return found / inner


def looks_random(intervals_ms: list[float], ratio_least: float) -> bool:
    """All statistics of a full segment look like fibrillation."""
    if len(intervals_ms) < SEGMENT_BEATS or rmssd_ratio(intervals_ms) < ratio_least:
        return False
    low, high = TURNING_POINT_RANGE
    return (
        changing_share(intervals_ms) >= CHANGING_LEAST
        and compensated_share(intervals_ms) < COMPENSATED_MOST
        and low < turning_point_ratio(intervals_ms) < high
        and shannon_entropy(intervals_ms) > ENTROPY_LEAST
    )
