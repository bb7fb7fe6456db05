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


def vf(view: View) -> Finding | None:
    """Encoder's VT or VF (flutter included) in `vf_s` of the last `vf_s` + 1 seconds, and VF the
    more probable of the two; once on, it stays while either goes on.

    That a rhythm is one of the two is far surer than which: their sum decides whether to call,
    their shares only what. Without these outputs nothing is guessed from rates: fibrillation
    then shows as asystole (no QRS found) or as extreme tachycardia, both of high priority.
    """
    limits = view.limits
    said = _confirmed(view, limits.vf_s)
    if not said or not (view.active or _mean(said, "vf") >= _mean(said, "vt")):
        return None
    return _said(said)


def vt(view: View) -> Finding | None:
    """A run of `vt_beats` ventricular beats above `vt_bpm`, or the encoder's VT or VF for `vt_s`
    of `vt_s` + 1 seconds, VT the more probable, while the beats are as fast."""
    if view.beats_stale:
        return None
    return _vt_by_beats(view) or _vt_by_encoder(view)


def pvc_run(view: View) -> Finding | None:
    """`pvc_run_beats` or more ventricular beats in a row, judged when the run has ended, or
    while it goes on where it is long and too slow for VT."""
    limits = view.limits
    if view.beats_stale:
        return None
    run = _latest_run(view)
    if run:
        if len(run) < limits.vt_beats or _is_fast(run[-limits.vt_beats :], view):
            return None
    else:
        run = _latest_run(view, skipped=1)
        if len(run) < limits.pvc_run_beats:
            return None
    return Finding(run[0].time_ns, {"ventricular_beats": len(run), **_rate_of(run)})


def _vt_by_beats(view: View) -> Finding | None:
    count = view.limits.vt_beats
    run = _latest_run(view)
    if len(run) < count:
        # An alarm that is on survives a fusion or a misread beat within the run.
        labelled = view.beats.labelled(view.usable_since_ns) if view.active else []
        run = labelled[-count:]
        if sum(beat.label is BeatClass.V for beat in run) * 2 <= count:
            return None
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
    said = _confirmed(view, limits.vt_s)
    if not said or not _mean(said, "vt") > _mean(said, "vf"):
        return None
    beats = view.beats.last(limits.vt_beats, view.usable_since_ns)
    if beats is None or not _is_fast(beats, view):
        return None
    found = _said(said)
    return Finding(found.onset_ns, {**found.evidence, **_rate_of(beats)})


def _confirmed(view: View, needed: int) -> list[Second]:
    """The seconds that the encoder calls VT or VF, where they are enough; else none."""
    seconds = view.seconds(needed + 1)
    positive = [second for second in seconds if view.says_ventricular(second)]
    enough = needed // 2 if view.active else needed
    return positive if len(positive) >= max(enough, 1) else []


def _said(seconds: list[Second]) -> Finding:
    evidence: Evidence = {
        "vf_probability": round(_mean(seconds, "vf"), 3),
        "vt_probability": round(_mean(seconds, "vt"), 3),
        "seconds": len(seconds),
    }
    return Finding(seconds[0].time_ns - SECOND_NS, evidence)


def _mean(seconds: list[Second], head: str) -> float:
    return sum(getattr(second, head) or 0.0 for second in seconds) / len(seconds)


def _latest_run(view: View, skipped: int = 0) -> list[HeardBeat]:
    return view.beats.latest_run(BeatClass.V, view.usable_since_ns, skipped)


def _within(run: list[HeardBeat]) -> list[float]:
    return [beat.rr_ms for beat in run[1:] if beat.rr_ms is not None]


def _is_fast(run: list[HeardBeat], view: View) -> bool:
    intervals = _within(run)
    bound_bpm = view.limits.vt_bpm - view.limits.hysteresis_bpm * view.active
    return len(intervals) == len(run) - 1 and mean_rate_bpm(intervals) > bound_bpm


def _rate_of(run: list[HeardBeat]) -> Evidence:
    intervals = _within(run)
    return {"rate_bpm": round(mean_rate_bpm(intervals), 1)} if intervals else {}
