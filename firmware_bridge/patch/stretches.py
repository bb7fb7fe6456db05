"""Stretches of beat sequences that are worth rendering: those with what is rare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.patch.beat_sequences import (
    AF,
    BEAT_CLASSES,
    OTHER,
    UNKNOWN,
    BeatSequence,
    rr_intervals_s,
)

__all__ = ["FLUTTER", "Arrest", "Stretch", "pick_stretches"]

FLUTTER = "AFIB/AFL"
"""arrdb's label; with rhythm OTHER it is flutter, else fibrillation."""

_STRETCH_S = 120.0
_BEFORE_S = 35.0
_AFTER_S = 3.0
_STEP_S = 10.0
_HOLE_S = 4.0
_BLOCK_HOLE_S = 8.0  # a pause of AV block or of the sinus node may be that long
_UNKNOWN_SHARE = 0.03
_PAUSE_S = 2.0
_LABEL_WEIGHTS = {"SVTA": 3.0, "MAT": 2.0, "SR-mPAC-BT": 2.0, "SR-mPVC-BT": 1.5} | {
    "SND": 1.5,
    "AVB": 3.0,
    "VT": 5.0,
    "N": 0.3,
}
_S_WEIGHT, _V_WEIGHT, _AF_WEIGHT, _FLUTTER_WEIGHT, _PAUSE_WEIGHT = 3.0, 2.0, 1.0, 3.0, 3.0


@dataclass(frozen=True, slots=True)
class Arrest:
    """Made-up activity without a pulse between real beats; seconds since the stretch began.

    kind: "vt", "vf", "vfl", "asystole" or "standstill" (P waves without QRS).
    """

    kind: str
    start_s: float
    stop_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Part of a patient's beats, its time counted from its own start.

    beats: those in [0, duration_s) and, for context, up to 35 s before and 3 s after.
    """

    name: str
    beats: BeatSequence
    duration_s: float
    arrest: Arrest | None = None


def pick_stretches(sequence: BeatSequence, minutes: float) -> Iterator[Stretch]:
    """The stretches of at most 2 minutes with the most of what is rare, `minutes` in all.

    Each next one counts what the ones before it hold already for less (square root of counts).
    Stretches with holes in the annotation or more than 3 % of unknown beats are left out.
    """
    length_s = min(_STRETCH_S, minutes * 60)
    starts_s = _allowed_starts_s(sequence, length_s)
    features, weights = _features(sequence)
    total = np.vstack([np.zeros(len(weights)), np.cumsum(features, axis=0)])
    taken = np.zeros(len(weights))
    for number in range(max(1, int(minutes * 60 // length_s))):
        if not len(starts_s):
            return
        first = np.searchsorted(sequence.beat_s, starts_s)
        last = np.searchsorted(sequence.beat_s, starts_s + length_s)
        counts = total[last] - total[first]
        gains = (np.sqrt(taken + counts) - np.sqrt(taken)) @ weights
        best = int(np.argmax(gains))
        taken = taken + counts[best]
        yield _cut(sequence, number, float(starts_s[best]), length_s)
        starts_s = starts_s[np.abs(starts_s - starts_s[best]) >= length_s]


def _cut(sequence: BeatSequence, number: int, start_s: float, length_s: float) -> Stretch:
    first, last = np.searchsorted(
        sequence.beat_s, [start_s - _BEFORE_S, start_s + length_s + _AFTER_S]
    )
    part = slice(int(first), int(last))
    beats = replace(
        sequence,
        beat_s=sequence.beat_s[part] - start_s,
        beat_class=sequence.beat_class[part],
        rhythm=sequence.rhythm[part],
        label=sequence.label[part],
        atrial=sequence.atrial[part],
    )
    return Stretch(f"{sequence.name}-{number}", beats, length_s)


def _allowed_starts_s(sequence: BeatSequence, length_s: float) -> NDArray[np.float64]:
    beat_s = sequence.beat_s
    starts_s = np.arange(beat_s[0], beat_s[-1] - length_s, _STEP_S)
    first, last = np.searchsorted(beat_s, starts_s), np.searchsorted(beat_s, starts_s + length_s)
    unknown = _sums(sequence.beat_class == UNKNOWN, first, last)
    may_pause = np.isin(sequence.label, ("SND", "AVB"))
    hole_s = np.where(may_pause, _BLOCK_HOLE_S, _HOLE_S)
    holes = _sums(rr_intervals_s(beat_s) > hole_s, first, np.minimum(last + 1, len(beat_s)))
    return np.asarray(starts_s[(unknown <= _UNKNOWN_SHARE * (last - first)) & (holes == 0)])


def _sums(
    flags: NDArray[np.bool_], first: NDArray[np.intp], last: NDArray[np.intp]
) -> NDArray[np.int64]:
    total = np.concatenate([[0], np.cumsum(flags)])
    return np.asarray(total[last] - total[first])


def _features(sequence: BeatSequence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each beat counts for, shape (beats, features), and the weight of each feature."""
    atrial_arrhythmia = sequence.label == FLUTTER
    columns = [
        (_S_WEIGHT, sequence.beat_class == BEAT_CLASSES.index("S")),
        (_V_WEIGHT, sequence.beat_class == BEAT_CLASSES.index("V")),
        (_AF_WEIGHT, sequence.rhythm == AF),
        (_FLUTTER_WEIGHT, atrial_arrhythmia & (sequence.rhythm == OTHER)),
        (_PAUSE_WEIGHT, rr_intervals_s(sequence.beat_s) > _PAUSE_S),
        *((weight, sequence.label == word) for word, weight in _LABEL_WEIGHTS.items()),
    ]
    weights, flags = zip(*columns, strict=True)
    return np.stack(flags, axis=1).astype(np.float64), np.array(weights)
