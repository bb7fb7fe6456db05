"""Beat-by-beat comparison of ANSI/AAMI EC57, with the rules of WFDB's `bxb`.

Match window 150 ms, a learning period of 5 minutes that is not scored, no beats counted
inside ventricular flutter or fibrillation as the reference marks it. Pure functions on
arrays; times are sample indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MATCH_WINDOW_S = 0.150
LEARNING_S = 300.0
MISSED = "O"  # EC57's pseudo-beat: the other side has no beat here
CLASSES = ("N", "S", "V", "F", "Q")
AAMI_CLASS = {
    **dict.fromkeys("NLRBej", "N"),
    **dict.fromkeys("AaJSn", "S"),
    **dict.fromkeys("VEr", "V"),
    "F": "F",
    **dict.fromkeys("/fQ?", "Q"),
}
"""MIT annotation symbol to AAMI class; a symbol that is not here is no beat."""


@dataclass(frozen=True, slots=True)
class BeatTable:
    """Counts of beat pairs: `counts[i, j]` of reference class i and test class j.

    Classes are those of CLASSES, then MISSED: row MISSED counts the test's extra beats,
    column MISSED the reference's missed ones. Tables of records add up to the gross table.
    """

    counts: NDArray[np.int64]

    def __add__(self, other: BeatTable) -> BeatTable:
        return BeatTable(self.counts + other.counts)

    def of(self, reference: str, test: str) -> int:
        """Pairs of any of the reference classes with any of the test classes."""
        names = (*CLASSES, MISSED)
        rows = [names.index(name) for name in reference]
        columns = [names.index(name) for name in test]
        return int(self.counts[np.ix_(rows, columns)].sum())

    @property
    def qrs(self) -> Score:
        """Detection, whatever the class."""
        return Score(self.of("NSVFQ", "NSVFQ"), self.of("O", "NSVFQ"), self.of("NSVFQ", "O"))

    @property
    def veb(self) -> Score:
        """Ventricular ectopic beats; an F or Q called V is not counted against it."""
        return Score(self.of("V", "V"), self.of("NSO", "V"), self.of("V", "NSFQO"))

    @property
    def sveb(self) -> Score:
        """Supraventricular ectopic beats; a Q called S is not counted against it."""
        return Score(self.of("S", "S"), self.of("NVFO", "S"), self.of("S", "NVFQO"))

    @property
    def veb_false_positive_rate(self) -> float | None:
        """Share of beats that are no VEB but were called one, percent; None without any."""
        false = self.veb.fp
        negative = self.of("NSFQO", "NSFQ")
        return _percent(false, false + negative)

    @property
    def sveb_false_positive_rate(self) -> float | None:
        """Share of beats that are no SVEB but were called one, percent; None without any."""
        false = self.sveb.fp
        negative = self.of("NVFQO", "NVFQ")
        return _percent(false, false + negative)


@dataclass(frozen=True, slots=True)
class Score:
    """True positives, false positives, false negatives."""

    tp: int
    fp: int
    fn: int

    @property
    def se(self) -> float | None:
        """Sensitivity in percent, None where the reference holds none."""
        return _percent(self.tp, self.tp + self.fn)

    @property
    def ppv(self) -> float | None:
        """Positive predictivity in percent, None where the test holds none."""
        return _percent(self.tp, self.tp + self.fp)


def compare_beats(
    reference: NDArray[np.int64],
    test: NDArray[np.int64],
    rate_hz: float,
    *,
    reference_classes: Sequence[str] | None = None,
    test_classes: Sequence[str] | None = None,
    fibrillation: Sequence[tuple[int, int]] = (),
    start_s: float = LEARNING_S,
) -> BeatTable:
    """Pair the beats of one record and count the pairs.

    reference, test: sample indices of beats, ascending. The classes are AAMI letters, one
    a beat; None counts every beat as N. fibrillation: (first, last) sample indices of the
    reference's ventricular flutter or fibrillation (annotations `[` and `]`).
    """
    start = round(start_s * rate_hz)
    window = round(MATCH_WINDOW_S * rate_hz)
    reference = np.asarray(reference, np.int64)
    test = np.asarray(test, np.int64)
    labels = _labels(reference, reference_classes), _labels(test, test_classes)
    outside = ~_inside(reference, fibrillation)
    pairs = match_beats(reference[outside], test, window)
    reference_index = np.flatnonzero(outside)
    silent = _inside(test, fibrillation)
    counts = np.zeros((len(CLASSES) + 1, len(CLASSES) + 1), np.int64)
    missed = len(CLASSES)
    for r, t in pairs:
        row = missed if r < 0 else labels[0][reference_index[r]]
        column = missed if t < 0 else labels[1][t]
        at = test[t] if r < 0 else reference[reference_index[r]]
        if at >= start and not (r < 0 and silent[t]):
            counts[row, column] += 1
    return BeatTable(counts)


def match_beats(
    reference: NDArray[np.int64], test: NDArray[np.int64], window: int
) -> list[tuple[int, int]]:
    """One-to-one pairs (reference position, test position), -1 for none, in order.

    As `bxb` does it: the earlier of the two next beats is paired with the other where that
    lies within `window` samples and nearer than the other side's following beat.
    """
    pairs: list[tuple[int, int]] = []
    r = t = 0
    while r < len(reference) or t < len(test):
        here, there = _at(reference, r), _at(test, t)
        if there < here:
            near = here - there <= window and here - there < abs(here - _at(test, t + 1))
            pairs.append((r if near else -1, t))
        else:
            near = there - here <= window and there - here < abs(there - _at(reference, r + 1))
            pairs.append((r, t if near else -1))
        r += pairs[-1][0] >= 0
        t += pairs[-1][1] >= 0
    return pairs


def fibrillation_intervals(
    samples: Sequence[int], symbols: Sequence[str], length: int
) -> list[tuple[int, int]]:
    """Intervals between annotations `[` and `]`; one left open ends at `length`."""
    intervals = []
    begun: int | None = None
    for sample, symbol in zip(samples, symbols, strict=True):
        if symbol == "[" and begun is None:
            begun = int(sample)
        elif symbol == "]" and begun is not None:
            intervals.append((begun, int(sample)))
            begun = None
    if begun is not None:
        intervals.append((begun, length))
    return intervals


def _at(beats: NDArray[np.int64], position: int) -> int:
    return int(beats[position]) if position < len(beats) else 1 << 60


def _labels(beats: NDArray[np.int64], classes: Sequence[str] | None) -> list[int]:
    if classes is None:
        return [0] * len(beats)
    if len(classes) != len(beats):
        raise ValueError(f"{len(classes)} classes for {len(beats)} beats")
    return [CLASSES.index(label) for label in classes]


def _inside(beats: NDArray[np.int64], intervals: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    inside = np.zeros(len(beats), np.bool_)
    for first, last in intervals:
        inside |= (beats >= first) & (beats <= last)
    return inside


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None


__all__ = [
    "AAMI_CLASS",
    "CLASSES",
    "BeatTable",
    "Score",
    "compare_beats",
    "fibrillation_intervals",
    "match_beats",
]
