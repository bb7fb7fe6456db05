"""The label of each second of a stretch: its rhythm, and ventricular tachycardia and fibrillation.

A second belongs to a rhythm where all beats that touch it do: those within it, the last one
before and the first one after. It is unknown where the rhythm changes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.patch.beat_sequences import BEAT_CLASSES, OTHER, SINUS, UNKNOWN
from firmware_bridge.patch.stretches import Stretch

__all__ = ["NO_ARREST", "VF", "VT", "rhythm_by_second", "ventricular_by_second"]

VT, VF, NO_ARREST = 0, 1, 2

_S, _V = BEAT_CLASSES.index("S"), BEAT_CLASSES.index("V")
_ECTOPY_S, _MEMORY_S = 10.0, 30.0
_NORMAL_BPM = (50.0, 100.0)
_VT_BPM = 100.0
_RUN = 3  # ventricular beats in a row: neither taught as VT nor as free of it

Labels = NDArray[np.int8]


def rhythm_by_second(stretch: Stretch) -> Labels:
    """0 sinus rhythm, 1 atrial fibrillation, 2 other, -100 unknown: shape (seconds,).

    Sinus rhythm: 50 to 100 beats a minute, no ectopic or unknown beat in the last 30 s. Up to
    10 s after an ectopic beat of sinus rhythm it is "other", from there to 30 s unknown.
    """
    beats = stretch.beats
    labels = _unanimous(stretch, beats.rhythm)
    ectopic = np.isin(beats.beat_class, (_S, _V))
    labels[(labels == SINUS) & (_since_s(stretch, ectopic) < _ECTOPY_S)] = OTHER
    doubtful = (_since_s(stretch, ectopic | (beats.beat_class == UNKNOWN)) < _MEMORY_S) | (
        _outside(stretch, *_NORMAL_BPM)
    )
    labels[(labels == SINUS) & doubtful] = UNKNOWN
    return _with_arrest(stretch, labels, {"vt": OTHER, "vf": OTHER, "vfl": OTHER}, UNKNOWN)


def ventricular_by_second(stretch: Stretch) -> Labels:
    """0 VT, 1 ventricular fibrillation or flutter, 2 neither, -100 unknown: shape (seconds,).

    VT: beats of that rhythm, all ventricular, at 100 a minute or more. Slower ones, and runs of
    three in another rhythm, are unknown.
    """
    beats = stretch.beats
    ventricular = beats.beat_class == _V
    in_run = _in_runs(ventricular)
    kind = np.full(len(ventricular), NO_ARREST, np.int8)
    kind[in_run | (beats.label == "VT") | (beats.label == "Unclassifiable")] = UNKNOWN
    kind[in_run & (beats.label == "VT")] = VT
    labels = _unanimous(stretch, kind)
    slow = _outside(stretch, _VT_BPM, np.inf)
    labels[(labels == VT) & slow] = UNKNOWN
    return _with_arrest(stretch, labels, {"vt": VT, "vf": VF, "vfl": VF}, NO_ARREST)


def _seconds(stretch: Stretch) -> NDArray[np.int64]:
    return np.arange(int(stretch.duration_s))


def _touching(stretch: Stretch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last beat that touch each second."""
    beat_s, seconds = stretch.beats.beat_s, _seconds(stretch)
    first = np.searchsorted(beat_s, seconds, side="right") - 1
    last = np.searchsorted(beat_s, seconds + 1)
    return np.maximum(first, 0), np.minimum(last, len(beat_s) - 1)


def _unanimous(stretch: Stretch, kind: Labels) -> Labels:
    first, last = _touching(stretch)
    changes = np.concatenate([[0], np.cumsum(np.diff(kind) != 0)])
    return np.where(changes[first] == changes[last], kind[first], UNKNOWN).astype(np.int8)


def _since_s(stretch: Stretch, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """From the last of the beats chosen to the end of each second, at least 0."""
    times_s = np.concatenate([[-np.inf], stretch.beats.beat_s[chosen]])
    end_s = _seconds(stretch) + 1.0
    return np.asarray(end_s - times_s[np.searchsorted(times_s, end_s) - 1])


def _outside(stretch: Stretch, low_bpm: float, high_bpm: float) -> NDArray[np.bool_]:
    first, last = _touching(stretch)
    beat_s = stretch.beats.beat_s
    rr_s = (beat_s[last] - beat_s[first]) / np.maximum(last - first, 1)
    return np.asarray((rr_s > 60.0 / low_bpm) | (rr_s < 60.0 / high_bpm))


def _in_runs(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    marked = np.zeros(len(flags), np.bool_)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        marked[start:stop] = stop - start >= _RUN
    return marked


def _with_arrest(stretch: Stretch, labels: Labels, inside: dict[str, int], rest: int) -> Labels:
    """Labels with the arrest's in its whole seconds, unknown in those where it begins or ends."""
    arrest = stretch.arrest
    if arrest is None:
        return labels
    seconds = _seconds(stretch)
    touched = (seconds + 1 > arrest.start_s) & (seconds < arrest.stop_s + 1)
    within = (seconds >= arrest.start_s) & (seconds + 1 <= arrest.stop_s)
    labels[touched] = UNKNOWN
    labels[within] = inside.get(arrest.kind, rest)
    return labels
