"""Ectopic beats: how many, and in what company they come."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.holter.beats import CLASSES, Beats
from edge.holter.rates import Moment
from edge.holter.seconds import spans_of

__all__ = ["Ectopy", "ectopy"]

RUN_MIN = 3
CYCLES_MIN = 3
"""Ectopic beats in a row that alternate with normal ones make a bi- or trigeminy."""


@dataclass(frozen=True, slots=True)
class Ectopy:
    """Beats of one class. burden_percent: of all beats that have a class, None where none has.

    single, couplets, runs: how often one, two, and three or more came in a row; run_beats: in
    runs. longest: run of the most beats, its value their number; fastest: run of the highest
    mean rate, its value that rate in beats a minute. bigeminy, trigeminy: how often three ectopic
    beats or more came after every normal beat, after every second one; with their beats.
    """

    beats: int
    burden_percent: float | None
    single: int
    couplets: int
    runs: int
    run_beats: int
    longest: Moment | None
    fastest: Moment | None
    bigeminy: int
    bigeminy_beats: int
    trigeminy: int
    trigeminy_beats: int


def ectopy(beats: Beats, label: str) -> Ectopy:
    """Of one class, such as "V"."""
    is_it = beats.of(label)
    classified = int((~beats.of("U")).sum())
    rows = _rows(beats, is_it)
    lengths = [stop - first for first, stop in rows]
    runs = [(first, stop) for first, stop in rows if stop - first >= RUN_MIN]
    bigeminy, trigeminy = (_geminy(beats, is_it, normal) for normal in (1, 2))
    return Ectopy(
        int(is_it.sum()),
        100.0 * float(is_it.sum()) / classified if classified else None,
        lengths.count(1),
        lengths.count(2),
        len(runs),
        sum(stop - first for first, stop in runs),
        _longest(beats, runs),
        _fastest(beats, runs),
        len(bigeminy),
        sum(bigeminy),
        len(trigeminy),
        sum(trigeminy),
    )


def _rows(beats: Beats, is_it: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Beats of the class in a row, as (first, one past the last), no gap within."""
    rows: list[tuple[int, int]] = []
    for first, stop in spans_of(is_it):
        breaks = [k for k in range(first + 1, stop) if not beats.joined[k]]
        edges = [first, *breaks, stop]
        rows += pairwise(edges)
    return rows


def _geminy(beats: Beats, is_it: NDArray[np.bool_], normal: int) -> list[int]:
    """Ectopic beats of each stretch in which they come after just so many normal beats."""
    plain = beats.kind == CLASSES.index("N")
    at = np.flatnonzero(is_it)
    follows = np.zeros(len(at), bool)
    if len(at) > 1:
        regular = np.diff(at) == normal + 1
        for back in range(normal + 1):
            regular &= beats.joined[at[1:] - back]
            regular &= plain[at[1:] - back] if back else True
        follows[1:] = regular
    cycles = [stop - first + 1 for first, stop in spans_of(follows)]
    return [each for each in cycles if each >= CYCLES_MIN]


def _bpm(beats: Beats, first: int, stop: int) -> float:
    """Mean rate within a row."""
    return 60_000.0 / float(beats.rr_ms[first + 1 : stop].mean())


def _moment(beats: Beats, first: int, stop: int, value: float) -> Moment:
    start_ns = int(beats.time_ns[first])
    return Moment(value, start_ns, (int(beats.time_ns[stop - 1]) - start_ns) / 1e9)


def _longest(beats: Beats, runs: list[tuple[int, int]]) -> Moment | None:
    if not runs:
        return None
    first, stop = max(runs, key=lambda run: run[1] - run[0])
    return _moment(beats, first, stop, float(stop - first))


def _fastest(beats: Beats, runs: list[tuple[int, int]]) -> Moment | None:
    if not runs:
        return None
    first, stop = max(runs, key=lambda run: _bpm(beats, *run))
    return _moment(beats, first, stop, _bpm(beats, first, stop))
