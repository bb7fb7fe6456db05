"""What the atria do in a stretch of beats: P waves of every origin, fibrillation and flutter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.patch.beat_sequences import BEAT_CLASSES, OTHER, local_median
from firmware_bridge.patch.patient_heart import ECTOPIC_P, RETROGRADE_P, SINUS_P, Heart
from firmware_bridge.patch.stretches import FLUTTER, Stretch

__all__ = ["PWaves", "atrial_waves_uv", "p_waves"]

_N, _S, _V = (BEAT_CLASSES.index(name) for name in "NSV")
_JITTER_S = 0.003
_BLOCKED_RR = 1.6  # of the local median: a beat of the atria was not conducted
_THIRD_DEGREE_RR_S = 1.3
_COMPENSATORY = (0.9, 1.1)
_FLUTTER_HZ = (4.0, 5.5)
_FADE_S = 0.25
_TWO_PI = 2 * np.pi

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PWaves:
    """P waves: time of their peaks in seconds and indexes of `Heart.p`, shape (waves,)."""

    peak_s: Floats
    shape: NDArray[np.int64]


def p_waves(stretch: Stretch, heart: Heart, rng: np.random.Generator) -> PWaves:
    """P waves of a stretch with its context.

    None in fibrillation and flutter. A sinus beat has one `pr_s` before it, an early atrial beat
    one of another shape or, from the junction, a retrograde one or none. Behind a ventricular
    beat the sinus node goes on unseen, or is reached from below. In AV block some P waves, or
    all, are not conducted.
    """
    beats = stretch.beats
    rr_s = _filled_rr_s(beats.beat_s)
    typical_s = local_median(rr_s)
    atria_beat = beats.label != FLUTTER
    third_degree = (beats.label == "AVB") & (typical_s >= _THIRD_DEGREE_RR_S)
    escape = beats.atrial & (beats.beat_class == _N)
    sinus = atria_beat & ~third_degree & ~escape & ~np.isin(beats.beat_class, (_S, _V))
    pr_s = _pr_s(stretch, heart, rr_s, typical_s)
    groups = [
        PWaves((beats.beat_s - pr_s)[sinus], np.full(sinus.sum(), SINUS_P)),
        _ectopic(stretch, heart, rng, atria_beat & ((beats.beat_class == _S) | escape)),
        _around_ventricular(stretch, heart, rr_s, typical_s, pr_s),
        _blocked(stretch, rr_s, typical_s, pr_s, third_degree),
        _dissociated(stretch, heart, rng, third_degree),
    ]
    peak_s = np.concatenate([group.peak_s for group in groups])
    peak_s = peak_s + rng.normal(0, _JITTER_S, len(peak_s))
    return PWaves(peak_s, np.concatenate([group.shape for group in groups]))


def _filled_rr_s(beat_s: Floats) -> Floats:
    rr_s = np.diff(beat_s, prepend=np.nan)
    rr_s[:1] = np.median(rr_s[1:]) if len(rr_s) > 1 else 1.0
    return rr_s


def _pr_s(stretch: Stretch, heart: Heart, rr_s: Floats, typical_s: Floats) -> Floats:
    """P peak to R peak of each beat: shorter at high rates, longer in AV block."""
    pr_s = heart.pr_s * np.clip(typical_s, 0.4, 1.3) ** 0.3
    block = stretch.beats.label == "AVB"
    since = np.arange(len(rr_s)) - np.maximum.accumulate(
        np.where(rr_s > _BLOCKED_RR * typical_s, np.arange(len(rr_s)), 0)
    )
    # First degree: up to 0.3 s; grows from beat to beat up to the blocked one (Wenckebach).
    delayed_s = np.clip(0.08 + 0.02 * np.minimum(since, 6), 0.0, 0.45 * typical_s)
    return np.asarray(pr_s + np.where(block, delayed_s, 0.0))


def _ectopic(
    stretch: Stretch, heart: Heart, rng: np.random.Generator, chosen: NDArray[np.bool_]
) -> PWaves:
    """P of ectopic and escape beats: a focus holds for as long as its beats follow each other."""
    beats = stretch.beats
    index = np.flatnonzero(chosen)
    if not len(index):
        return PWaves(np.empty(0), np.empty(0, np.int64))
    run = np.cumsum(np.diff(index, prepend=-2) > 1) - 1
    wandering = beats.label[index] == "MAT"
    run = np.where(wandering, np.arange(len(index)), run)
    runs = len(index)
    escape = beats.beat_class[index] == _N
    junctional = rng.random(runs)[run] < np.where(escape, 0.8, heart.junctional_share)
    main_focus = rng.random() < 0.5
    focus = np.where(rng.random(runs) < 0.85, main_focus, not main_focus)[run].astype(np.int64)
    hidden = rng.random(runs)[run] < 0.5
    after_s = rng.uniform(-0.07, 0.12, runs)[run]
    before_s = heart.pr_s * rng.uniform(0.75, 1.2, runs)[run]
    peak_s = beats.beat_s[index] + np.where(junctional, after_s, -before_s)
    shape = np.where(junctional, RETROGRADE_P, np.array(ECTOPIC_P)[focus])
    seen = ~(junctional & hidden)
    return PWaves(peak_s[seen], shape[seen])


def _around_ventricular(
    stretch: Stretch, heart: Heart, rr_s: Floats, typical_s: Floats, pr_s: Floats
) -> PWaves:
    """The sinus beat that a ventricular one hides, or the P wave that it sends up."""
    beats = stretch.beats
    single = (beats.beat_class == _V) & (beats.label != FLUTTER)
    if heart.retrograde:
        peak_s = beats.beat_s[single] + heart.pr_s
        return PWaves(peak_s, np.full(len(peak_s), RETROGRADE_P))
    next_s = np.append(rr_s[1:], np.nan)
    around = (rr_s + next_s) / (2 * typical_s)
    hidden = single & (around > _COMPENSATORY[0]) & (around < _COMPENSATORY[1])
    hidden &= beats.label != "VT"
    peak_s = (beats.beat_s - rr_s + (rr_s + next_s) / 2 - pr_s)[hidden]
    return PWaves(peak_s, np.full(len(peak_s), SINUS_P))


def _blocked(
    stretch: Stretch, rr_s: Floats, typical_s: Floats, pr_s: Floats, third: NDArray[np.bool_]
) -> PWaves:
    """P waves within the pauses of second-degree AV block."""
    beats = stretch.beats
    long = (beats.label == "AVB") & ~third & (rr_s > _BLOCKED_RR * typical_s)
    peaks = [
        end_s - np.arange(1, round(rr / usual)) * rr / round(rr / usual) - pr
        for end_s, rr, usual, pr in zip(
            beats.beat_s[long], rr_s[long], typical_s[long], pr_s[long], strict=True
        )
    ]
    peak_s = np.concatenate([np.empty(0), *peaks])
    return PWaves(peak_s, np.full(len(peak_s), SINUS_P))


def _dissociated(
    stretch: Stretch, heart: Heart, rng: np.random.Generator, third: NDArray[np.bool_]
) -> PWaves:
    """P waves at their own rate: of third-degree AV block, and of VT and ventricular standstill."""
    tachycardia = (stretch.beats.label == "VT") & (not heart.retrograde)
    spans = _spans_s(stretch, third | tachycardia)
    if stretch.arrest and stretch.arrest.kind == "standstill":
        spans.append((stretch.arrest.start_s, stretch.arrest.stop_s))
    interval_s = rng.uniform(0.6, 1.1)
    peaks = [
        start_s + np.cumsum(interval_s * rng.normal(1, 0.02, int((stop_s - start_s) / interval_s)))
        for start_s, stop_s in spans
    ]
    peak_s = np.concatenate([np.empty(0), *peaks])
    return PWaves(peak_s, np.full(len(peak_s), SINUS_P))


def _spans_s(stretch: Stretch, chosen: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Start and stop of each run of the beats chosen, from the beat before to the last of them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    beat_s = stretch.beats.beat_s
    return [
        (float(beat_s[max(first - 1, 0)]), float(beat_s[stop - 1]))
        for first, stop in zip(edges[::2], edges[1::2], strict=True)
    ]


def atrial_waves_uv(
    stretch: Stretch, heart: Heart, time_s: Floats, rng: np.random.Generator
) -> Floats:
    """Waves of atrial fibrillation and flutter at `time_s`, microvolts; 0 in other rhythms.

    Fibrillation: a sawtooth of three harmonics at 4 to 9 Hz with modulated frequency and
    amplitude (Stridh and Sornmo, IEEE Trans Biomed Eng 48:105-111, 2001). Flutter: a sawtooth
    at 4 to 5.5 Hz, in step with the beats.
    """
    beats = stretch.beats
    atrial = beats.label == FLUTTER
    total = np.zeros(len(time_s))
    if not atrial.any():
        return total
    flutters = atrial & (beats.rhythm == OTHER)
    slow = np.sin(_TWO_PI * rng.uniform(0.05, 0.3, 4) * time_s[:, None] + rng.uniform(0, 6.28, 4))
    angle = _TWO_PI * heart.atrial_hz * time_s + 2.2 * slow[:, 0] + 1.3 * slow[:, 1]
    level = heart.atrial_uv * (1 + 0.35 * slow[:, 2] + 0.25 * slow[:, 3])
    total += _gate(stretch, atrial & ~flutters, time_s) * level * _saw(angle)
    total += (
        _gate(stretch, flutters, time_s)
        * 2
        * heart.atrial_uv
        * _saw(_flutter_angle(beats.beat_s, time_s))
    )
    return total


def _saw(angle: Floats) -> Floats:
    return np.asarray(np.sin(angle) + np.sin(2 * angle) / 2 + np.sin(3 * angle) / 3)


def _flutter_angle(beat_s: Floats, time_s: Floats) -> Floats:
    """A whole number of atrial waves in each RR interval, at a rate near that of flutter."""
    rr_s = np.diff(beat_s)
    waves = np.maximum(1, np.round(rr_s * np.mean(_FLUTTER_HZ)))
    turns = np.concatenate([[0.0], np.cumsum(waves)])
    return np.asarray(_TWO_PI * np.interp(time_s, beat_s, turns))


def _gate(stretch: Stretch, chosen: NDArray[np.bool_], time_s: Floats) -> Floats:
    """1 from the beat before the chosen ones to the last of them, with soft edges; else 0."""
    beat_s = stretch.beats.beat_s
    index = np.clip(np.searchsorted(beat_s, time_s), 0, len(beat_s) - 1)
    gate = chosen[index].astype(np.float64)
    step_s = float(time_s[1] - time_s[0])
    window = np.hanning(max(3, int(2 * _FADE_S / step_s)))
    return np.convolve(gate, window / window.sum(), mode="same")
