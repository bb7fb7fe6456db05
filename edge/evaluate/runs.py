"""Run-by-run comparison of ANSI/AAMI EC57:1998, clause 4.2, with the rules of WFDB's `rxr`.

A ventricular run is a row of beats V or F, a supraventricular one of beats S; any other beat ends
it. Runs are couplets (2), short (3 to 5 beats) or long (above 5). Fibrillation, ventricular or
atrial, is a long run of its kind, and in atrial fibrillation or flutter a normal beat counts as
S. Sensitivity looks at the runs of the reference: each is found where the longest run of the
test, within its first to its last beat and 150 ms to either side, is of its class or longer.
Positive predictivity looks at the runs of the test in the same way. The first 5 minutes are not
scored, nor is a run that the end of the recording cuts off.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from edge.evaluate.ec57 import LEARNING_S, MATCH_WINDOW_S
from edge.evaluate.figures import Row, percent

__all__ = ["LENGTHS", "LONGEST", "Beats", "Kind", "RunScore", "compare_runs", "sum_runs"]

Kind = Literal["veb", "sveb"]
LONGEST = 6
"""Longer runs count as this long."""

LENGTHS = {"couplets": (2, 2), "short": (3, 5), "long": (LONGEST, LONGEST)}
"""Least and greatest number of beats of each class of runs."""

MEMBERS = {"veb": frozenset("VF"), "sveb": frozenset("S")}
OPENS, CLOSES = {"veb": "[", "sveb": "{"}, {"veb": "]", "sveb": "}"}
LABELS = frozenset("NSVFQ")
EXTENT = frozenset("]}")
Span = tuple[int, int]
Mark = tuple[int, str]
AT = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Beats:
    """What one side says. Times are sample indices, ascending; classes AAMI letters.

    ventricular, atrial: (start, stop) of ventricular and of atrial fibrillation (or flutter);
    the spans of one kind do not overlap.
    """

    samples: Sequence[int]
    classes: Sequence[str]
    ventricular: Sequence[Span] = ()
    atrial: Sequence[Span] = ()


@dataclass(frozen=True, slots=True)
class RunScore:
    """One class of runs, by the names of `rxr`. tps and fn count runs of the reference that
    were found or missed, tpp and fp runs of the test that are true or false.

    Scores of records add up to the gross score.
    """

    tps: int = 0
    fn: int = 0
    tpp: int = 0
    fp: int = 0

    def __add__(self, other: RunScore) -> RunScore:
        return RunScore(*(getattr(self, k) + getattr(other, k) for k in self.__slots__))

    @property
    def fields(self) -> Row:
        """Counts, and sensitivity and positive predictivity in percent."""
        counts = {name: getattr(self, name) for name in self.__slots__}
        return {
            **counts,
            "se": percent(self.tps, self.tps + self.fn),
            "ppv": percent(self.tpp, self.tpp + self.fp),
        }


@dataclass(frozen=True, slots=True)
class _Run:
    length: int
    first: int
    last: int


def compare_runs(
    reference: Beats, test: Beats, rate_hz: float, kind: Kind, *, start_s: float = LEARNING_S
) -> dict[str, RunScore]:
    """Couplets, short and long runs of one kind in one record."""
    window, start = round(MATCH_WINDOW_S * rate_hz), round(start_s * rate_hz)
    asked = _found(reference, test, kind, start, window)
    told = _found(test, reference, kind, start, window)
    scores = {}
    for name, (least, most) in LENGTHS.items():
        found = [there >= least for length, there in asked if least <= length <= most]
        true = [there >= least for length, there in told if least <= length <= most]
        scores[name] = RunScore(
            sum(found), len(found) - sum(found), sum(true), len(true) - sum(true)
        )
    return scores


def sum_runs(rows: Iterable[Row]) -> dict[str, RunScore]:
    """Classes of runs added up, from rows of `fields` by class."""
    sums = {name: RunScore() for name in LENGTHS}
    for row in rows:
        for name in LENGTHS:
            sums[name] += RunScore(*(row[name][count] for count in RunScore.__slots__))
    return sums


def _found(here: Beats, there: Beats, kind: Kind, start: int, window: int) -> list[tuple[int, int]]:
    """Length of every run on this side, and of the longest on the other side in its place."""
    others = _marks(there)
    episodes = there.ventricular if kind == "veb" else there.atrial
    return [
        (run.length, _longest(others, episodes, kind, run.first - window, run.last + window))
        for run in _runs(here, kind, start)
    ]


def _runs(side: Beats, kind: Kind, start: int) -> Iterator[_Run]:
    """Runs that end before the recording does; what began before `start` begins there.

    An episode of fibrillation within a run lengthens its extent, not its count of beats.
    """
    episodes = side.ventricular if kind == "veb" else side.atrial
    running = any(begin < start <= end for begin, end in episodes)
    run = _Run(LONGEST, start, start) if running else None
    for at, label in _marks(side):
        if at < start:
            continue
        if label in MEMBERS[kind]:
            length = min(LONGEST, run.length + 1) if run else 1
            run = _Run(length, run.first if run else at, at)
        elif label in LABELS:
            if run:
                yield run
            run = None
        elif label == OPENS[kind] and run is None:
            run = _Run(LONGEST, at, at)
        elif label == CLOSES[kind] and run:
            run = _Run(run.length, run.first, at)


def _longest(
    marks: Sequence[Mark], episodes: Sequence[Span], kind: Kind, first: int, last: int
) -> int:
    """Beats in the longest run from `first` to `last`, both included."""
    if any(begin <= last and end > first for begin, end in episodes):
        return LONGEST
    longest = length = 0
    begin = bisect_left(marks, first, key=AT)
    for _, label in marks[begin : bisect_right(marks, last, key=AT)]:
        if label in MEMBERS[kind]:
            length += 1
            longest = max(longest, length)
        elif label not in EXTENT:
            length = 0
    return min(longest, LONGEST)


def _marks(side: Beats) -> list[Mark]:
    """Bounds of episodes and beats, in order; in atrial fibrillation normal beats are S."""
    marks: list[Mark] = []
    for kind, spans in (("veb", side.ventricular), ("sveb", side.atrial)):
        marks += [(begin, OPENS[kind]) for begin, _ in spans]
        marks += [(end, CLOSES[kind]) for _, end in spans]
    marks += [
        (at, "S" if label == "N" and _within(at, side.atrial) else label)
        for at, label in zip(side.samples, side.classes, strict=True)
    ]
    return sorted(marks, key=AT)


def _within(at: int, spans: Sequence[Span]) -> bool:
    return any(begin <= at < end for begin, end in spans)
