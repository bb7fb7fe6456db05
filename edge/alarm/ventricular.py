"""Rules on ventricular beats and on the encoder's VT and VF outputs.

Definitions of VT and of VF/flutter: PhysioNet/CinC Challenge 2015.
"""

from __future__ import annotations

from edge.alarm.finding import Evidence, Finding, View
from edge.alarm.history import HeardBeat, Second
from edge.alarm.rate import mean_rate_bpm
from edge.alarm.signal_state import SECOND_NS
from edge.events import BeatClass

__all__ = ["pvc_run", "vf", "vt"]

NOISE_PROBABILITY = 0.5
"""An encoder that calls the second noise is not believed when it also says VF."""


def vf(view: View) -> Finding | None:
    """Encoder's VF probability (flutter included) in `vf_s` of the last `vf_s` + 1 seconds.

    Without a VF output nothing is guessed from rates: fibrillation then shows as asystole (no
    QRS found) or as extreme tachycardia, both of high priority.
    """
    limits = view.limits
    return _confirmed(view, "vf", limits.vf_s, limits.vf_probability)


def vt(view: View) -> Finding | None:
    """A run of `vt_beats` ventricular beats above `vt_bpm`, or the encoder's VT output for
    `vt_s` of `vt_s` + 1 seconds while the beats are as fast."""
    return _vt_by_beats(view) or _vt_by_encoder(view)


def pvc_run(view: View) -> Finding | None:
    """`pvc_run_beats` or more ventricular beats in a row, judged when the run has ended, or
    while it goes on where it is long and too slow for VT."""
    limits = view.limits
    labelled = _labelled(view)
    run = _trailing_run(labelled)
    if run:
        if len(run) < limits.vt_beats or _is_fast(run[-limits.vt_beats :], view):
            return None
    else:
        run = _trailing_run(labelled[:-1])
        if len(run) < limits.pvc_run_beats:
            return None
    return Finding(run[0].time_ns, {"ventricular_beats": len(run), **_rate_of(run)})


def _vt_by_beats(view: View) -> Finding | None:
    count = view.limits.vt_beats
    labelled = _labelled(view)
    run = _trailing_run(labelled)
    if len(run) < count:
        # An alarm that is on survives a fusion or a misread beat within the run.
        recent = labelled[-count:]
        ventricular = [beat for beat in recent if beat.label is BeatClass.V]
        if not (view.active and len(ventricular) * 2 > count):
            return None
        run = recent
    if not _is_fast(run[-count:], view):
        return None
    return Finding(
        run[0].time_ns,
        {
            "ventricular_beats": len(run),
            **_rate_of(run[-count:]),
            "limit_bpm": view.limits.vt_bpm,
        },
    )


def _vt_by_encoder(view: View) -> Finding | None:
    limits = view.limits
    found = _confirmed(view, "vt", limits.vt_s, limits.vt_probability)
    if found is None or view.beats_stale:
        return None
    beats = view.beats.last(limits.vt_beats, view.usable_since_ns)
    if beats is None or not _is_fast(beats, view):
        return None
    return Finding(found.onset_ns, {**found.evidence, **_rate_of(beats)})


def _confirmed(view: View, head: str, needed: int, limit: float) -> Finding | None:
    seconds = view.seconds(needed + 1)
    positive = [second for second in seconds if _says(second, head, limit)]
    enough = needed // 2 if view.active else needed
    if len(positive) < enough or not positive:
        return None
    mean = sum(getattr(second, head) for second in positive) / len(positive)
    return Finding(
        positive[0].time_ns - SECOND_NS,
        {f"{head}_probability": round(mean, 3), f"{head}_seconds": len(positive)},
    )


def _says(second: Second, head: str, limit: float) -> bool:
    probability: float | None = getattr(second, head)
    noise = second.noise or 0.0
    return probability is not None and probability >= limit and noise < NOISE_PROBABILITY


def _labelled(view: View) -> list[HeardBeat]:
    return [] if view.beats_stale else view.beats.labelled(view.usable_since_ns)


def _trailing_run(beats: list[HeardBeat]) -> list[HeardBeat]:
    start = len(beats)
    while start and beats[start - 1].label is BeatClass.V:
        start -= 1
    return beats[start:]


def _within(run: list[HeardBeat]) -> list[float]:
    return [beat.rr_ms for beat in run[1:] if beat.rr_ms is not None]


def _is_fast(run: list[HeardBeat], view: View) -> bool:
    intervals = _within(run)
    bound_bpm = view.limits.vt_bpm - view.limits.hysteresis_bpm * view.active
    return len(intervals) == len(run) - 1 and mean_rate_bpm(intervals) > bound_bpm


def _rate_of(run: list[HeardBeat]) -> Evidence:
    intervals = _within(run)
    return {"rate_bpm": round(mean_rate_bpm(intervals), 1)} if intervals else {}
