"""Made-up arrests between real beats: the rhythms that no annotated beat sequence holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.patch.beat_sequences import BEAT_CLASSES, OTHER, SINUS, BeatSequence
from firmware_bridge.patch.stretches import Arrest, Stretch

__all__ = ["KINDS", "with_arrest"]

KINDS = ("vt", "vf", "asystole", "vfl", "standstill")

_DURATION_S = {"vt": (6.0, 25.0), "vf": (8.0, 30.0), "vfl": (6.0, 20.0)} | {
    "asystole": (5.0, 25.0),
    "standstill": (5.0, 15.0),
}
_TACHYCARDIA_BPM = (125.0, 240.0)
_TACHYCARDIA_SPREAD = 0.015
_AFTER_S = 15.0
_WITHIN = (0.2, 0.6)


def with_arrest(stretch: Stretch, kind: str, rng: np.random.Generator) -> Stretch | None:
    """The stretch with an arrest put between two of its sinus beats; what follows comes later.

    kind: one of KINDS. The stretch ends at most 15 s after the arrest. None where it has no
    sinus rhythm to interrupt.
    """
    beats = stretch.beats
    early, late = (share * stretch.duration_s for share in _WITHIN)
    inside = (beats.beat_s[:-1] > early) & (beats.beat_s[:-1] < late)
    places = np.flatnonzero(inside & (beats.rhythm[:-1] == SINUS) & (beats.rhythm[1:] == SINUS))
    if not len(places):
        return None
    last = int(rng.choice(places))
    lasts_s = rng.uniform(*_DURATION_S[kind])
    coupling_s = (beats.beat_s[last + 1] - beats.beat_s[last]) * rng.uniform(0.45, 0.7)
    start_s = float(beats.beat_s[last] + coupling_s)
    arrest = Arrest(kind, start_s, start_s + lasts_s)
    made_s = _tachycardia_s(arrest, rng) if kind == "vt" else np.empty(0)
    return Stretch(
        name=f"{stretch.name}-{kind}",
        beats=_spliced(beats, last + 1, made_s, lasts_s),
        duration_s=min(stretch.duration_s, float(np.ceil(arrest.stop_s + _AFTER_S))),
        arrest=arrest,
    )


def _tachycardia_s(arrest: Arrest, rng: np.random.Generator) -> NDArray[np.float64]:
    rr_s = 60.0 / rng.uniform(*_TACHYCARDIA_BPM)
    most = int((arrest.stop_s - arrest.start_s) / rr_s) + 1
    steps_s = rr_s * rng.normal(1, _TACHYCARDIA_SPREAD, most - 1)
    times_s = arrest.start_s + np.concatenate([[0.0], np.cumsum(steps_s)])
    return np.asarray(times_s[times_s < arrest.stop_s])


def _spliced(
    beats: BeatSequence, at: int, made_s: NDArray[np.float64], later_s: float
) -> BeatSequence:
    """Ventricular beats `made_s` before beat `at`, which comes `later_s` later, as do the rest."""
    many = len(made_s)

    def joined(values: NDArray[np.generic], made: object) -> NDArray[np.generic]:
        return np.concatenate([values[:at], np.full(many, made), values[at:]])

    return replace(
        beats,
        beat_s=np.concatenate([beats.beat_s[:at], made_s, beats.beat_s[at:] + later_s]),
        beat_class=joined(beats.beat_class, BEAT_CLASSES.index("V")).astype(np.int8),
        rhythm=joined(beats.rhythm, OTHER).astype(np.int8),
        label=joined(beats.label, "VT").astype(np.str_),
        atrial=joined(beats.atrial, False).astype(np.bool_),
    )
