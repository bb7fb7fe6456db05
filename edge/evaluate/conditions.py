"""Alarm conditions that the reference annotations show, by the definitions of `AlarmLimits`.

Written apart from the alarm rules, so that a mistake there shows here. Rates, pauses and runs
come from annotated beats; AF, VF and, where no beats are annotated, VT and asystole from rhythms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from edge.alarm.limits import AlarmLimits
from edge.alarm.precedence import EXPLAINS, ORDER
from edge.alert import AlarmKind, Priority
from edge.evaluate.reference import Reference
from edge.evaluate.spans import Span, merged, overlaps, without

__all__ = ["Conditions", "reference_conditions"]

K = AlarmKind
NEAR = {K.AF: ("AFL",), K.VT: ("VT", "HGEA")}
"""Rhythms in which an alarm of that kind is neither asked for nor counted as false."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Spans of one kind in seconds. required: an alarm must come. excused: one may come."""

    required: tuple[Span, ...]
    excused: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Beats without fibrillation between them: times in seconds and AAMI classes."""

    times_s: list[float] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)


def reference_conditions(reference: Reference, limits: AlarmLimits) -> dict[AlarmKind, Conditions]:
    """Every kind that these annotations can judge, in the order of precedence.

    Spans nearer than an alarm takes to end (and, below high priority, to be told again) are one.
    What is too short for its definition, explained by a condition that takes precedence, or
    annotated as noise is excused.
    """
    present = _present(reference, limits)
    by_beats = frozenset(_BEAT_RULES) if len(reference.beats) else frozenset()
    noise = _seconds(reference, reference.spans("NOISE"))
    found: dict[AlarmKind, Conditions] = {}
    for kind in (kind for kind in ORDER if kind in present):
        explainers = [found[k] for k in found if kind in EXPLAINS.get(k, ())]
        above = [span for each in explainers for span in each.required]
        silent = merged([*above, *noise])
        if kind in by_beats:
            required = [span for span in present[kind] if not overlaps(span, silent)]
        else:
            required = _lasting(without(present[kind], silent), _least_s(kind, limits))
        near = _seconds(reference, reference.spans(*NEAR.get(kind, ())))
        found[kind] = Conditions(
            tuple(merged(required, _one_alarm_s(kind, limits))),
            tuple(merged([*present[kind], *above, *near])),
        )
    return found


def _lasting(spans: Iterable[Span], least_s: float) -> list[Span]:
    return [span for span in spans if span[1] - span[0] >= least_s]


def _present(reference: Reference, limits: AlarmLimits) -> dict[AlarmKind, list[Span]]:
    present = {
        K.VF: _seconds(reference, reference.fibrillation),
        K.AF: _seconds(reference, reference.spans("AFIB")),
        K.VT: _seconds(reference, reference.spans("VT")),
        K.ASYSTOLE: _seconds(reference, reference.spans("ASYS")),
    }
    if len(reference.beats):
        stretches = _stretches(reference)
        for kind, find in _BEAT_RULES.items():
            spans = (span for stretch in stretches for span in find(stretch, limits))
            present[kind] = merged(spans)
    return present


def _least_s(kind: AlarmKind, limits: AlarmLimits) -> float:
    """What a rhythm must last to be the condition."""
    least_s = {
        K.VF: float(limits.vf_s),
        K.AF: float(limits.af_s),
        K.VT: (limits.vt_beats - 1) * 60.0 / limits.vt_bpm,
        K.ASYSTOLE: limits.asystole_s,
    }
    return least_s[kind]


def _one_alarm_s(kind: AlarmKind, limits: AlarmLimits) -> float:
    high = limits.priority(kind) is Priority.HIGH
    return limits.end_s + (0.0 if high else limits.refractory_s)


def _stretches(reference: Reference) -> list[_Stretch]:
    fibrillation = _seconds(reference, reference.fibrillation)
    stretches = [_Stretch()]
    last_s: float | None = None
    for sample, label in zip(reference.beats.tolist(), reference.classes, strict=True):
        time_s = sample / reference.rate_hz
        if last_s is not None and overlaps((last_s, time_s), fibrillation):
            stretches.append(_Stretch())
        stretches[-1].times_s.append(time_s)
        stretches[-1].classes.append(label)
        last_s = time_s
    return stretches


def _asystole(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    return (s for s in pairwise(stretch.times_s) if s[1] - s[0] >= limits.asystole_s)


def _pause(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    return (s for s in pairwise(stretch.times_s) if s[1] - s[0] >= limits.pause_s)


def _rate(
    times_s: Sequence[float], count: int, outside: Callable[[float], bool], tolerance: int
) -> Iterable[Span]:
    """Every `count` beats of which all intervals but `tolerance` are outside the limit."""
    marks = [outside(stop - start) for start, stop in pairwise(times_s)]
    for first in range(len(times_s) - count + 1):
        if sum(marks[first : first + count - 1]) >= count - 1 - tolerance:
            yield times_s[first], times_s[first + count - 1]


def _extreme_brady(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    return _slow(stretch, limits.extreme_brady_beats, limits.extreme_brady_bpm)


def _brady(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    return _slow(stretch, limits.brady_beats, limits.brady_bpm)


def _slow(stretch: _Stretch, beats: int, bpm: float) -> Iterable[Span]:
    return _rate(stretch.times_s, beats, lambda rr_s: rr_s * bpm > 60.0, 0)


def _extreme_tachy(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    beats, bpm = limits.extreme_tachy_beats, limits.extreme_tachy_bpm
    return _rate(stretch.times_s, beats, lambda rr_s: rr_s * bpm < 60.0, limits.rate_tolerance)


def _tachy(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    beats, bpm = limits.tachy_beats, limits.tachy_bpm
    return _rate(stretch.times_s, beats, lambda rr_s: rr_s * bpm < 60.0, limits.rate_tolerance)


def _ventricular_runs(stretch: _Stretch) -> Iterable[list[float]]:
    """Times of the beats of each run of class V."""
    beats = zip(stretch.classes, stretch.times_s, strict=True)
    for label, run in groupby(beats, lambda beat: beat[0]):
        if label == "V":
            yield [time_s for _, time_s in run]


def _vt(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    """Any `vt_beats` in a row of a run whose mean rate is above `vt_bpm`."""
    longest_s = (limits.vt_beats - 1) * 60.0 / limits.vt_bpm
    for run in _ventricular_runs(stretch):
        for first, last in zip(run, run[limits.vt_beats - 1 :], strict=False):
            if last - first < longest_s:
                yield first, last


def _pvc_run(stretch: _Stretch, limits: AlarmLimits) -> Iterable[Span]:
    for run in _ventricular_runs(stretch):
        if len(run) >= limits.pvc_run_beats:
            yield run[0], run[-1]


_BEAT_RULES: dict[AlarmKind, Callable[[_Stretch, AlarmLimits], Iterable[Span]]] = {
    K.ASYSTOLE: _asystole,
    K.VT: _vt,
    K.EXTREME_BRADY: _extreme_brady,
    K.EXTREME_TACHY: _extreme_tachy,
    K.PAUSE: _pause,
    K.BRADY: _brady,
    K.TACHY: _tachy,
    K.PVC_RUN: _pvc_run,
}


def _seconds(reference: Reference, spans: Iterable[Span]) -> list[Span]:
    rate_hz = reference.rate_hz
    return merged((start / rate_hz, stop / rate_hz) for start, stop in spans)
