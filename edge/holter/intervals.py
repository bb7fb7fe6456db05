"""Normal-to-normal intervals: which intervals between beats heart rate variability is told from.

Both beats of an NN interval are normal, nothing is missing between them, and the rhythm is not
known to be fibrillation, ventricular or noise. What remains is held against its neighbours as
the HRV Toolkit of PhysioNet does (`-F "0.2 20 -x 0.4 2.0"`): an interval outside 0.4 to 2 s, or
more than a fifth off the mean of the 20 before and the 20 after it, is an unseen ectopic beat or
a false detection. An interval left out is replaced by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.holter.beats import Beats
from edge.holter.seconds import Seconds

__all__ = ["NN", "nn_intervals", "without_outliers"]

RANGE_MS = (400.0, 2000.0)
NEIGHBOURS = 20
DEVIATION_MAX = 0.2
UNFIT_RHYTHMS = ("af", "vt", "vf", "noise")


@dataclass(frozen=True, slots=True, eq=False)
class NN:
    """NN intervals in order. time_s: of the beat that ends each, from the beginning of the report.

    follows: whether it begins where the one before it ends. intervals: RR intervals that there
    were. excluded: why intervals were left out, and how many.
    """

    time_s: NDArray[np.float64]
    nn_ms: NDArray[np.float64]
    follows: NDArray[np.bool_]
    intervals: int
    excluded: dict[str, int]

    def __len__(self) -> int:
        return len(self.nn_ms)

    @property
    def steps_ms(self) -> NDArray[np.float64]:
        """Differences of adjacent NN intervals."""
        return np.diff(self.nn_ms)[self.follows[1:]]

    @property
    def pairs_ms(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Adjacent NN intervals: each, and the one after it."""
        at = np.flatnonzero(self.follows[1:])
        return self.nn_ms[at], self.nn_ms[at + 1]


def nn_intervals(beats: Beats, seconds: Seconds) -> NN:
    """The NN intervals of a recording. Where no beat has a class, all count as normal."""
    normal = beats.of("N" if beats.are_classified else "NU")
    known = np.isfinite(beats.rr_ms)
    before = np.concatenate([[False], normal[:-1]])
    is_nn, excluded = known.copy(), {}
    unfit = seconds.is_rhythm(*UNFIT_RHYTHMS)[seconds.at(beats.time_ns)]
    for reason, bad in (
        ("after an unknown beat", ~beats.joined),
        ("ectopic or unclassified beat", ~(normal & before)),
        ("rhythm AF, VT, VF or noise", unfit),
    ):
        excluded[reason] = int((is_nn & bad).sum())
        is_nn &= ~bad
    at = np.flatnonzero(is_nn)
    good = without_outliers(beats.rr_ms[at])
    inside = (beats.rr_ms[at] >= RANGE_MS[0]) & (beats.rr_ms[at] <= RANGE_MS[1])
    excluded["outside 0.4 to 2 s"] = int((~inside).sum())
    excluded["20 % off its neighbours"] = int((inside & ~good).sum())
    at = at[good & inside]
    time_s = (beats.time_ns[at] - seconds.start_ns) / 1e9
    follows = np.diff(at, prepend=-2) == 1
    return NN(time_s, beats.rr_ms[at], follows, int(known.sum()), excluded)


def without_outliers(rr_ms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which intervals lie in the range and within a fifth of the mean of their neighbours."""
    inside = (rr_ms >= RANGE_MS[0]) & (rr_ms <= RANGE_MS[1])
    sums = np.concatenate([[0.0], np.cumsum(np.where(inside, rr_ms, 0.0))])
    counts = np.concatenate([[0], np.cumsum(inside)])
    at = np.arange(len(rr_ms))
    first, stop = np.maximum(at - NEIGHBOURS, 0), np.minimum(at + NEIGHBOURS + 1, len(rr_ms))
    others = counts[stop] - counts[first] - inside
    total = sums[stop] - sums[first] - np.where(inside, rr_ms, 0.0)
    mean = np.divide(total, others, out=rr_ms.astype(np.float64), where=others > 0)
    return np.asarray(inside & (np.abs(rr_ms - mean) <= DEVIATION_MAX * mean))
