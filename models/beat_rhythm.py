"""RR intervals as numbers for the beat stage: a beat's own, against the patient's usual ones.

All intervals are natural logarithms of seconds, clipped to [RR_MIN_S, RR_MAX_S], so that a
difference is a ratio. What is usual is told by means and quantiles of the last 8, 32, 128 and
512 intervals: where ectopic beats are the majority, a high quantile is still the sinus rhythm.
Where fewer intervals are known, those are repeated.
"""

from __future__ import annotations

import math

import numpy as np

from models.compiled import kernel

__all__ = ["HISTORY", "RR_MAX_S", "RR_MIN_S", "RR_WIDTH", "log_rr", "rr_row"]

HISTORY = 512
RR_MIN_S = 0.2
RR_MAX_S = 2.0
RR_WIDTH = 47
_CENTRE = math.log(0.8)  # of a resting adult
_MATCH = 0.05  # intervals that differ by less than 5 % count as equal
_PATTERN = 32  # intervals in which a pattern is looked for


def log_rr(interval_s: float) -> float:
    """The logarithm of an interval in seconds, clipped."""
    return math.log(min(max(interval_s, RR_MIN_S), RR_MAX_S))


@kernel("float64(float64[::1])")
def _predictability(recent):  # type: ignore[no-untyped-def]
    """Of the pairs of equal intervals, the share whose neighbours are equal too.

    exp(-SampEn), m = 1 (Richman and Moorman 2000), with one pair added so that it is defined.
    """
    pairs, longer = 1, 1
    for i in range(len(recent) - 1):
        for j in range(i + 1, len(recent) - 1):
            if abs(recent[i] - recent[j]) < _MATCH:
                pairs += 1
                longer += abs(recent[i + 1] - recent[j + 1]) < _MATCH
    return longer / pairs


@kernel("void(float64[::1], float64, float32[::1])")
def _references(past, following, out):  # type: ignore[no-untyped-def]
    """How both intervals compare with means and quantiles, and their rank among the last."""
    at = 0
    for window in (32, 128, 512):
        recent = past[:window]
        ordered = np.sort(recent)
        out[at] = past[0] - recent.mean()
        at += 1
        for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
            out[at] = past[0] - ordered[round(quantile * (window - 1))]
            at += 1
        for interval in (past[0], following):
            shorter = np.searchsorted(ordered, interval - _MATCH)
            longer = window - np.searchsorted(ordered, interval + _MATCH, "right")
            out[at] = (shorter - longer) / window
            at += 1


@kernel("void(float64[::1], float32[::1])")
def _irregularity(past, out):  # type: ignore[no-untyped-def]
    """How much and how often successive intervals differ."""
    at = 0
    for window in (8, 32, 128):
        steps = np.abs(past[:window] - past[1 : window + 1])
        out[at] = math.sqrt((steps * steps).mean())
        out[at + 1] = (steps > _MATCH).mean()
        out[at + 2] = np.sort(steps)[window // 2]
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


@kernel("void(float64[::1], float64, int64, float32[::1])")
def rr_row(known, following, beats, out):  # type: ignore[no-untyped-def]
    """Fill `out`, (RR_WIDTH,), for one beat.

    known: `log_rr` of the intervals up to the beat, oldest first, at least one; only the last
    HISTORY count. following: of the interval after the beat. beats: how many came before it.
    """
    past = np.empty(HISTORY)
    count = min(len(known), HISTORY)
    for k in range(HISTORY):
        past[k] = known[len(known) - 1 - k % count]
    last_8 = np.sort(past[:8])
    out[0] = past[0] - _CENTRE
    out[1] = following - _CENTRE
    out[2] = past[0] - following
    out[3] = past[0] - past[1]
    out[4] = past[1] - past[2]
    out[5] = past[0] - past[2]
    out[6] = past[0] - past[:8].mean()
    out[7] = past[0] - (last_8[3] + last_8[4]) / 2
    _references(past, following, out[8:32])
    _irregularity(past, out[32:41])
    _pattern(past, out[41:45])
    out[45] = 1 / (1 + beats / 8)
    out[46] = 1 / (1 + beats / 128)
