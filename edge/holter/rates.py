"""Heart rate: over the whole recording, each minute, each hour, and at its extremes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.holter.beats import Beats
from edge.holter.seconds import Seconds, Signal
from firmware_bridge.stream import NS_PER_S

__all__ = ["Moment", "Rates", "is_trusted", "rates"]

RR_RANGE_MS = (200.0, 4000.0)
"""Of intervals that a rate is told from: 300 to 15 beats a minute, the range of IEC 60601-2-27."""
BEATS = 8
"""Consecutive intervals that a momentary rate is the mean of."""
MINUTE_S = 60
COVERED_MIN_S = 20.0
"""Of a minute that has a rate: so long lies in RR intervals."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A value, and when it was: from `start_ns` for `length_s` (UTC)."""

    value: float
    start_ns: int
    length_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """In beats a minute. mean_bpm: of all intervals. highest, lowest: over eight consecutive ones.

    minute_bpm: of each minute from the beginning on, NaN where too little of it is known;
    minute_low_bpm, minute_high_bpm: least and greatest momentary rate that ends in it.
    fastest_minute, slowest_minute: those of the highest and lowest mean.
    """

    mean_bpm: float | None
    highest: Moment | None
    lowest: Moment | None
    fastest_minute: Moment | None
    slowest_minute: Moment | None
    minute_bpm: NDArray[np.float64]
    minute_low_bpm: NDArray[np.float64]
    minute_high_bpm: NDArray[np.float64]


def rates(beats: Beats, seconds: Seconds) -> Rates:
    """All rates, from intervals between trusted beats."""
    good = is_trusted(beats, seconds) & (beats.rr_ms >= RR_RANGE_MS[0])
    good &= beats.rr_ms <= RR_RANGE_MS[1]
    at = np.flatnonzero(good)
    minutes = len(seconds) // MINUTE_S + 1
    minute = (beats.time_ns[at] - seconds.start_ns) // (MINUTE_S * NS_PER_S)
    minute = np.clip(minute, 0, minutes - 1)
    sums_ms = np.bincount(minute, beats.rr_ms[at], minlength=minutes)
    counts = np.bincount(minute, minlength=minutes)
    known = sums_ms >= COVERED_MIN_S * 1000
    minute_bpm = np.divide(60_000.0 * counts, sums_ms, out=np.full(minutes, np.nan), where=known)
    ends, momentary = _momentary(beats, good)
    low, high = np.full(minutes, np.inf), np.full(minutes, -np.inf)
    place = np.clip((beats.time_ns[ends] - seconds.start_ns) // (60 * NS_PER_S), 0, minutes - 1)
    np.minimum.at(low, place, momentary)
    np.maximum.at(high, place, momentary)
    return Rates(
        60_000.0 / float(beats.rr_ms[at].mean()) if len(at) else None,
        _moment(beats, ends, momentary, 1),
        _moment(beats, ends, momentary, -1),
        _minute(minute_bpm, seconds, 1),
        _minute(minute_bpm, seconds, -1),
        minute_bpm,
        np.where(np.isfinite(low), low, np.nan),
        np.where(np.isfinite(high), high, np.nan),
    )


def is_trusted(beats: Beats, seconds: Seconds) -> NDArray[np.bool_]:
    """Of each beat, whether its interval and its surroundings can be believed: the beat before it
    is known, and each second in between is clean (or nothing was told of it) and without
    ventricular fibrillation, in which there are no beats to count."""
    believed = np.isin(seconds.signal, [Signal.CLEAN, Signal.UNJUDGED])
    believed &= ~seconds.is_rhythm("vf")
    if not (seconds.signal != Signal.NONE).any():  # a device that tells beats and no ECG
        return beats.joined
    doubts = np.concatenate([[0], np.cumsum(~believed)])
    rr_ns = (np.nan_to_num(beats.rr_ms) * 1e6).astype(np.int64)
    first, last = seconds.at(beats.time_ns - rr_ns), seconds.at(beats.time_ns)
    return np.asarray(beats.joined & (doubts[last + 1] == doubts[first]))


def _momentary(
    beats: Beats, good: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Beats that end eight good intervals in a row, and the mean rate of these."""
    rr_ms = np.where(good, beats.rr_ms, 0.0)
    sums = np.concatenate([[0.0], np.cumsum(rr_ms)])
    counts = np.concatenate([[0], np.cumsum(good)])
    ends = np.arange(BEATS - 1, len(rr_ms))
    full = counts[ends + 1] - counts[ends + 1 - BEATS] == BEATS
    ends = ends[full]
    return ends, 60_000.0 * BEATS / (sums[ends + 1] - sums[ends + 1 - BEATS])


def _moment(
    beats: Beats, ends: NDArray[np.int64], bpm: NDArray[np.float64], sign: int
) -> Moment | None:
    if not len(ends):
        return None
    at = int(np.argmax(sign * bpm))
    length_s = 60.0 * BEATS / float(bpm[at])
    return Moment(float(bpm[at]), int(beats.time_ns[ends[at]]) - int(length_s * 1e9), length_s)


def _minute(bpm: NDArray[np.float64], seconds: Seconds, sign: int) -> Moment | None:
    if np.isnan(bpm).all():
        return None
    at = int(np.nanargmax(sign * bpm))
    return Moment(float(bpm[at]), seconds.utc_ns(at * MINUTE_S), float(MINUTE_S))
