"""Heart rate variability in the time domain, by the Task Force of the ESC and NASPE (Circulation
93:1043-1065, 1996).

Standard deviations have n - 1 in the denominator. Geometric measures use the bins of 1/128 s
that the Task Force recommends.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.holter.intervals import NN

__all__ = ["SEGMENT_S", "TimeDomain", "segments", "time_domain", "tinn_ms"]

SEGMENT_S = 300.0
COVERED_MIN = 0.8
"""Of a segment of five minutes that counts: this share of it lies in NN intervals."""
BIN_MS = 1000.0 / 128.0
INTERVALS_MIN = 20
STEP_MS = 50.0


@dataclass(frozen=True, slots=True)
class TimeDomain:
    """All in milliseconds but pnn50_percent and triangular_index; None where too little is known.

    segments: of five minutes, that SDANN and SDNN index are told from.
    """

    nn: int
    mean_nn_ms: float | None = None
    sdnn_ms: float | None = None
    sdann_ms: float | None = None
    sdnn_index_ms: float | None = None
    rmssd_ms: float | None = None
    pnn50_percent: float | None = None
    triangular_index: float | None = None
    tinn_ms: float | None = None
    sd1_ms: float | None = None
    sd2_ms: float | None = None
    segments: int = 0


def time_domain(nn: NN) -> TimeDomain:
    """All measures. SD1 and SD2 are of the Poincaré plot of adjacent NN intervals (Brennan et
    al., IEEE Trans Biomed Eng 48:1342-1347, 2001)."""
    if len(nn) < INTERVALS_MIN:
        return TimeDomain(len(nn))
    within = [nn.nn_ms[each] for each in segments(nn)]
    steps_ms = nn.steps_ms
    counts = _histogram(nn.nn_ms)[0]
    has_steps = len(steps_ms) >= INTERVALS_MIN
    first_ms, second_ms = nn.pairs_ms
    return TimeDomain(
        nn=len(nn),
        mean_nn_ms=float(nn.nn_ms.mean()),
        sdnn_ms=_sd(nn.nn_ms),
        sdann_ms=_sd(np.array([each.mean() for each in within])) if len(within) > 1 else None,
        sdnn_index_ms=float(np.mean([_sd(each) for each in within])) if within else None,
        rmssd_ms=float(np.sqrt(np.mean(steps_ms**2))) if has_steps else None,
        pnn50_percent=float(100 * np.mean(np.abs(steps_ms) > STEP_MS)) if has_steps else None,
        triangular_index=len(nn) / float(counts.max()),
        tinn_ms=tinn_ms(nn.nn_ms),
        sd1_ms=_sd((second_ms - first_ms) / np.sqrt(2)) if has_steps else None,
        sd2_ms=_sd((second_ms + first_ms) / np.sqrt(2)) if has_steps else None,
        segments=len(within),
    )


def segments(nn: NN) -> list[slice]:
    """Stretches of five minutes from the beginning on, of those that NN intervals cover enough."""
    number = (nn.time_s // SEGMENT_S).astype(np.int64)
    edges = np.flatnonzero(np.diff(number, prepend=-1, append=number[-1:] + 1))
    found = [slice(a, b) for a, b in pairwise(edges.tolist())]
    return [each for each in found if nn.nn_ms[each].sum() >= COVERED_MIN * SEGMENT_S * 1000]


def tinn_ms(nn_ms: NDArray[np.float64]) -> float:
    """Width of the base of the triangle that fits the histogram best, by least squares.

    Its top is at the fullest bin. The error of its left side does not depend on the right one,
    so that each end is looked for alone, among all bins on its side.
    """
    counts, edges = _histogram(nn_ms)
    centres, top = (edges[:-1] + edges[1:]) / 2, int(counts.argmax())
    left = _foot(counts[: top + 1][::-1], centres[: top + 1][::-1], -BIN_MS)
    right = _foot(counts[top:], centres[top:], BIN_MS)
    return right - left


def _foot(counts: NDArray[np.float64], centres: NDArray[np.float64], step_ms: float) -> float:
    """Where the side of the triangle that begins at the first bin best meets zero.

    step_ms: from each bin to the next one outwards.
    """
    ends = np.append(centres[1:], centres[-1] + step_ms)
    errors = [
        float(
            ((np.clip((end - centres) / (end - centres[0]), 0, 1) * counts[0] - counts) ** 2).sum()
        )
        for end in ends
    ]
    return float(ends[int(np.argmin(errors))])


def _histogram(nn_ms: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts and edges, bins at whole multiples of their width."""
    first, last = np.floor(nn_ms.min() / BIN_MS), np.floor(nn_ms.max() / BIN_MS) + 1
    edges = np.arange(first, last + 1) * BIN_MS
    counts, _ = np.histogram(nn_ms, edges)
    return counts.astype(np.float64), edges


def _sd(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
