"""Atrial fibrillation: the encoder's word confirmed by irregular RR intervals, or these alone."""

from __future__ import annotations

from edge.alarm.finding import Finding, View
from edge.alarm.history import Second
from edge.alarm.irregularity import SEGMENT_BEATS, looks_random, rmssd_ratio
from edge.alarm.signal_state import SECOND_NS
from edge.events import BeatClass

__all__ = ["af"]

CONFIRM_INTERVALS = 20
"""RR intervals that confirm the encoder's word."""

AGREEING_SHARE = 0.8
KEEPING_SHARE = 0.5
"""Shares of the window's seconds that must say AF for the alarm to start and to go on."""

ECTOPIC = frozenset({BeatClass.S, BeatClass.V, BeatClass.F})
ECTOPIC_SHARE = 0.1
"""With more ectopic beats than this, irregular intervals alone say nothing of the atria."""


def af(view: View) -> Finding | None:
    """AF for `af_s`: by the encoder where the bundle has such a head, by RR alone otherwise."""
    if view.beats_stale:
        return None
    seconds = view.seconds(view.limits.af_s)
    if seconds and seconds[-1].af is not None:
        return _by_encoder(view, seconds)
    return _by_intervals(view)


def _by_encoder(view: View, seconds: list[Second]) -> Finding | None:
    limits = view.limits
    positive = [s for s in seconds if s.af is not None and s.af >= limits.af_probability]
    share = KEEPING_SHARE if view.active else AGREEING_SHARE
    if len(seconds) < limits.af_s or len(positive) < share * limits.af_s:
        return None
    intervals = view.beats.trailing_intervals_ms(CONFIRM_INTERVALS, view.usable_since_ns)
    ratio = rmssd_ratio(intervals)
    if not view.active and (len(intervals) < CONFIRM_INTERVALS or ratio < limits.af_rr_ratio):
        return None
    mean = sum(s.af or 0.0 for s in positive) / len(positive)
    return Finding(
        positive[0].time_ns - SECOND_NS,
        {
            "af_probability": round(mean, 3),
            "af_seconds": len(positive),
            "rmssd_ratio": round(ratio, 3),
        },
    )


def _by_intervals(view: View) -> Finding | None:
    limits = view.limits
    intervals = view.beats.trailing_intervals_ms(SEGMENT_BEATS, view.usable_since_ns)
    if sum(intervals) < limits.af_s * 1000 or not looks_random(intervals, limits.af_rr_ratio):
        return None
    beats = view.beats.beats[-len(intervals) :]
    if sum(beat.label in ECTOPIC for beat in beats) > ECTOPIC_SHARE * len(beats):
        return None
    return Finding(
        beats[0].time_ns, {"rmssd_ratio": round(rmssd_ratio(intervals), 3), "beats": len(intervals)}
    )
