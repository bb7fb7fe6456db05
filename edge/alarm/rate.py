"""Rules on QRS times alone: asystole, pause, rates too low or too high.

Definitions of asystole and of the extreme rates: PhysioNet/CinC Challenge 2015 (Clifford et al.,
Computing in Cardiology 42, 273-276).
"""

from __future__ import annotations

from collections.abc import Callable

from edge.alarm.finding import Finding, View
from edge.alarm.history import HeardBeat
from edge.alarm.signal_state import SECOND_NS

__all__ = ["asystole", "brady", "extreme_brady", "extreme_tachy", "mean_rate_bpm", "pause", "tachy"]

VF_WAIT_NS = SECOND_NS
"""Asystole waits so much longer while the encoder says VF, for one event to be one alarm."""

MS_PER_MINUTE = 60_000.0


def mean_rate_bpm(intervals_ms: list[float]) -> float:
    """Beats per minute over these RR intervals (not empty)."""
    return MS_PER_MINUTE * len(intervals_ms) / sum(intervals_ms)


def asystole(view: View) -> Finding | None:
    """No QRS for `asystole_s` in a signal clean enough to show one.

    The clock stops where beats are not known yet, so that none which is told late is missed, and
    with the last assessed second, so that a silent link never makes an asystole.
    """
    signal, limits = view.signal, view.limits
    if signal.clean_since_ns is None or signal.second_ns is None:
        return None
    last_ns = view.beats.last_ns
    onset_ns = signal.clean_since_ns if last_ns is None else max(last_ns, signal.clean_since_ns)
    silent_ns = min(signal.second_ns, view.beats.until_ns) - onset_ns
    limit_ns = limits.asystole_s * SECOND_NS
    if silent_ns < limit_ns or (silent_ns < limit_ns + VF_WAIT_NS and _vf_now(view)):
        return None
    return Finding(
        onset_ns,
        {"no_qrs_s": round(silent_ns / SECOND_NS, 1), "limit_s": limits.asystole_s},
    )


def pause(view: View) -> Finding | None:
    """The latest RR interval is at least `pause_s`; known when the next QRS has come, so that
    an asystole is not announced as a pause first."""
    beats, limits = view.beats.beats, view.limits
    clean_since_ns = view.signal.clean_since_ns
    if not beats or clean_since_ns is None or view.beats_stale:
        return None
    rr_ms = beats[-1].rr_ms
    if rr_ms is None or rr_ms < limits.pause_s * 1000:
        return None
    onset_ns = beats[-1].time_ns - round(rr_ms * 1e6)
    if onset_ns < clean_since_ns:
        return None
    return Finding(onset_ns, {"rr_ms": round(rr_ms, 1), "limit_s": limits.pause_s})


def extreme_brady(view: View) -> Finding | None:
    """Every interval of the last beats is below the extreme rate."""
    limits = view.limits
    return _slow(view, limits.extreme_brady_bpm, limits.extreme_brady_beats)


def brady(view: View) -> Finding | None:
    """Every interval of the last beats is below the rate limit."""
    return _slow(view, view.limits.brady_bpm, view.limits.brady_beats)


def extreme_tachy(view: View) -> Finding | None:
    """The intervals of the last beats, but for the tolerance, are above the extreme rate."""
    limits = view.limits
    return _fast(view, limits.extreme_tachy_bpm, limits.extreme_tachy_beats)


def tachy(view: View) -> Finding | None:
    """The intervals of the last beats, but for the tolerance, are above the rate limit."""
    return _fast(view, view.limits.tachy_bpm, view.limits.tachy_beats)


def _vf_now(view: View) -> bool:
    latest = view.seconds(1)
    return bool(latest) and view.says_ventricular(latest[0])


def _slow(view: View, limit_bpm: float, count: int) -> Finding | None:
    bound_bpm = limit_bpm + view.limits.hysteresis_bpm * view.active
    return _rate(view, count, lambda rr_ms: rr_ms * bound_bpm > MS_PER_MINUTE, 0, limit_bpm)


def _fast(view: View, limit_bpm: float, count: int) -> Finding | None:
    bound_bpm = limit_bpm - view.limits.hysteresis_bpm * view.active
    tolerance = view.limits.rate_tolerance
    return _rate(view, count, lambda rr_ms: rr_ms * bound_bpm < MS_PER_MINUTE, tolerance, limit_bpm)


def _rate(
    view: View, count: int, outside: Callable[[float], bool], tolerance: int, limit_bpm: float
) -> Finding | None:
    """Counts intervals instead of averaging them, so that a sudden fast rate crosses both its
    limits at the same beat and is announced once, as the extreme one.

    An interval that is not known, as where another source of beats takes over, starts no alarm and
    ends none: one that is on is judged by those that are known."""
    latest = view.beats.beats[1 - count :]
    if _any_more(latest, outside, tolerance) or view.beats_stale:
        return None
    beats = view.beats.last(count, view.usable_since_ns, joined=not view.active)
    intervals = [beat.rr_ms for beat in beats[1:] if beat.rr_ms is not None] if beats else []
    if not beats or not intervals:
        return None
    return Finding(
        beats[0].time_ns,
        {
            "rate_bpm": round(mean_rate_bpm(intervals), 1),
            "limit_bpm": limit_bpm,
            "beats": count,
        },
    )


def _any_more(beats: list[HeardBeat], outside: Callable[[float], bool], tolerance: int) -> bool:
    """Whether more intervals than tolerated are not outside; the latest one says so mostly."""
    left = tolerance
    for beat in reversed(beats):
        if beat.rr_ms is not None and not outside(beat.rr_ms):
            if not left:
                return True
            left -= 1
    return False
