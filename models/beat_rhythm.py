"""RR intervals as numbers for the beat stage: a beat's own, against the patient's usual ones.

All intervals are natural logarithms of seconds, clipped to [RR_MIN_S, RR_MAX_S], so that a
difference is a ratio. What is usual is told by means and quantiles of the last 8, 32, 128 and
512 intervals: where ectopic beats are the majority, a high quantile is still the sinus rhythm.
Where fewer intervals are known, those are repeated. What quantiles and ranks are read from is kept
in order from beat to beat, for to sort 512 intervals anew takes longer than all else.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel

__all__ = ["HISTORY", "RR_MAX_S", "RR_MIN_S", "RR_WIDTH", "Intervals", "log_rr"]

HISTORY = 512
RR_MIN_S = 0.2
RR_MAX_S = 2.0
RR_WIDTH = 47
_CENTRE = math.log(0.8)  # of a resting adult
_MATCH = 0.05  # intervals that differ by less than 5 % count as equal
_PATTERN = 32  # intervals in which a pattern is looked for
_NOMINAL_S = 0.8  # where not even one is known
_WINDOWS = (32, 128, 512)  # newest intervals that are kept in order
_STEP_WINDOWS = (32, 128)  # newest differences of successive ones, likewise
_ORDERED = sum(_WINDOWS) + sum(_STEP_WINDOWS)

Floats = NDArray[np.float32]


def log_rr(interval_s: float) -> float:
    """The logarithm of an interval in seconds, clipped."""
    return math.log(min(max(interval_s, RR_MIN_S), RR_MAX_S))


@kernel("void(float64[::1], float64, float64)")
def _replace(ordered, leaving, coming):  # type: ignore[no-untyped-def]
    """One number of those in order makes room for another."""
    place = np.searchsorted(ordered, leaving)
    while place + 1 < len(ordered) and ordered[place + 1] < coming:
        ordered[place] = ordered[place + 1]
        place += 1
    while place > 0 and ordered[place - 1] > coming:
        ordered[place] = ordered[place - 1]
        place -= 1
    ordered[place] = coming


@kernel("float64[::1](float64[::1], int64)")
def _steps(past, window):  # type: ignore[no-untyped-def]
    """Sizes of the newest differences of successive intervals."""
    return np.abs(past[:window] - past[1 : window + 1])


@kernel("void(float64, int64, float64[::1])")
def _push(interval, known, past):  # type: ignore[no-untyped-def]
    """Put one before the `known` ones; all of them are repeated up to the end."""
    count = min(known + 1, HISTORY)
    for k in range(count - 1, 0, -1):
        past[k] = past[k - 1]
    past[0] = interval
    for k in range(count, HISTORY):
        past[k] = past[k - count]


@kernel("void(float64, int64, float64[::1], float64[::1])")
def _append(interval, known, past, kept):  # type: ignore[no-untyped-def]
    """Of `kept`, windows that are full change by one number, the others are sorted anew."""
    first = 0
    for window in _WINDOWS:
        if known >= window:
            _replace(kept[first : first + window], past[window - 1], interval)
        first += window
    for window in _STEP_WINDOWS:
        if known > window:
            leaving, coming = abs(past[window - 1] - past[window]), abs(interval - past[0])
            _replace(kept[first : first + window], leaving, coming)
        first += window
    _push(interval, known, past)
    first = 0
    for window in _WINDOWS:
        if known < window:
            kept[first : first + window] = np.sort(past[:window])
        first += window
    for window in _STEP_WINDOWS:
        if known <= window:
            kept[first : first + window] = np.sort(_steps(past, window))
        first += window


@kernel("float64(float64[::1])")
def _predictability(recent):  # type: ignore[no-untyped-def]
    """Of the pairs of equal intervals, the share whose neighbours are equal too.

    exp(-SampEn), m = 1 (Richman and Moorman 2000), with one pair added so that it is defined.
    """
    pairs, longer = 1, 1
    for i in range(len(recent) - 1):
        for j in range(i + 1, len(recent) - 1):
            equal = abs(recent[i] - recent[j]) < _MATCH
            pairs += equal
            longer += equal & (abs(recent[i + 1] - recent[j + 1]) < _MATCH)
    return longer / pairs


@kernel("void(float64[::1], float64[::1], float64, float32[::1])")
def _references(past, kept, following, out):  # type: ignore[no-untyped-def]
    """How both intervals compare with means and quantiles, and their rank among the last."""
    at = first = 0
    for window in _WINDOWS:
        ordered = kept[first : first + window]
        first += window
        out[at] = past[0] - past[:window].mean()
        at += 1
        for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
            out[at] = past[0] - ordered[round(quantile * (window - 1))]
            at += 1
        for interval in (past[0], following):
            shorter = np.searchsorted(ordered, interval - _MATCH)
            longer = window - np.searchsorted(ordered, interval + _MATCH, "right")
            out[at] = (shorter - longer) / window
            at += 1


@kernel("void(float64[::1], float64[::1], float32[::1])")
def _irregularity(past, kept, out):  # type: ignore[no-untyped-def]
    """How much and how often successive intervals differ."""
    first = _ORDERED - 32 - 128
    medians = (np.sort(_steps(past, 8))[4], kept[first + 16], kept[first + 32 + 64])
    at = 0
    for k, window in enumerate((8, 32, 128)):
        steps = _steps(past, window)
        out[at] = math.sqrt((steps * steps).mean())
        out[at + 1] = (steps > _MATCH).mean()
        out[at + 2] = medians[k]
        at += 3


@kernel("void(float64[::1], float32[::1])")
def _pattern(past, out):  # type: ignore[no-untyped-def]
    """Turning points; whether each interval is like the last one, and like the one before."""
    turns = 0
    for k in range(_PATTERN - 1):
        turns += (past[k] - past[k + 1]) * (past[k + 1] - past[k + 2]) < 0
    out[0] = turns / (_PATTERN - 1)
    centred = past[: _PATTERN + 2] - past[: _PATTERN + 2].mean()
    now = centred[:_PATTERN]
    power = (now * now).mean() + _MATCH * _MATCH / 4
    out[1] = (now * centred[1 : _PATTERN + 1]).mean() / power
    out[2] = (now * centred[2 : _PATTERN + 2]).mean() / power
    out[3] = _predictability(past[:_PATTERN])


@kernel("void(float64[::1], float64[::1], float64, int64, float32[::1])")
def _fill(past, kept, following, beats, out):  # type: ignore[no-untyped-def]
    last_8 = np.sort(past[:8])
    out[0] = past[0] - _CENTRE
    out[1] = following - _CENTRE
    out[2] = past[0] - following
    out[3] = past[0] - past[1]
    out[4] = past[1] - past[2]
    out[5] = past[0] - past[2]
    out[6] = past[0] - past[:8].mean()
    out[7] = past[0] - (last_8[3] + last_8[4]) / 2
    _references(past, kept, following, out[8:32])
    _irregularity(past, kept, out[32:41])
    _pattern(past, out[41:45])
    out[45] = 1 / (1 + beats / 8)
    out[46] = 1 / (1 + beats / 128)


class Intervals:
    """The RR intervals of one stream of beats, as `log_rr` gives them: the newest HISTORY."""

    def __init__(self) -> None:
        self._known = 0
        self._past = np.empty(HISTORY)  # the newest first, repeated where fewer are known
        self._kept = np.empty(_ORDERED)

    def append(self, interval: float) -> None:
        """One more is known."""
        _append(interval, self._known, self._past, self._kept)
        self._known = min(self._known + 1, HISTORY)

    def describe(self, following: float | None, beats: int, out: Floats) -> None:
        """Fill `out`, (RR_WIDTH,), for the beat that the newest interval precedes.

        following: the interval after the beat; where it is not known, it is taken to be as the
        median of the last 8. Where no interval before the beat is known, it is taken to be as the
        one after it. beats: how many came before this one.
        """
        if not self._known:
            alone = Intervals()
            alone.append(log_rr(_NOMINAL_S) if following is None else following)
            alone.describe(following, beats, out)
            return
        if following is None:
            following = float(np.median(self._past[: min(self._known, 8)]))
        _fill(self._past, self._kept, following, beats, out)
