"""Rhythms: which beats follow each other, and what the heart does where none does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from firmware_bridge.patch.morphology import Beat
from firmware_bridge.patch.variability import HeartRateVariability

__all__ = ["RHYTHMS", "Pulse", "Rhythm"]

S_PER_MIN = 60.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a rhythm starts from.

    start_s: when the rhythm sets in. last_s: the beat before it, minus infinity for none.
    """

    start_s: float
    last_s: float
    variability: HeartRateVariability
    rng: np.random.Generator

    def first_s(self, rr_s: float) -> float:
        """The first beat: one interval after the last one, and not before the onset."""
        return max(self.start_s, self.last_s + rr_s)

    def sinus_rr_s(self, rate_bpm: float, time_s: float, variation: float) -> float:
        """RR interval of the sinus node at `time_s`; variation: its SD as a fraction of it."""
        return S_PER_MIN / rate_bpm * (1 + variation * self.variability.at(time_s))


BeatSource = Callable[[Pulse], Iterator[Beat]]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A rhythm: its endless beats, None for none, and what else is seen on the trace.

    texture: key of `textures.TEXTURES`, or None. lead_off: the electrodes have no contact.
    """

    beats: BeatSource | None
    texture: str | None = None
    lead_off: bool = False


def _sinus(pulse: Pulse, *, rate_bpm: float, variation: float = 0.04) -> Iterator[Beat]:
    rr_s = pulse.sinus_rr_s(rate_bpm, pulse.start_s, variation)
    time_s = pulse.first_s(rr_s)
    while True:
        yield Beat(time_s, "N", rr_s, "sinus")
        rr_s = pulse.sinus_rr_s(rate_bpm, time_s, variation)
        time_s += rr_s


def _pauses(pulse: Pulse, *, rate_bpm: float, pause_s: float, beats: int) -> Iterator[Beat]:
    """Sinus arrest of `pause_s` after every `beats` beats."""
    rr_s = pulse.sinus_rr_s(rate_bpm, pulse.start_s, 0.03)
    time_s = pulse.first_s(rr_s)
    while True:
        for _ in range(beats):
            yield Beat(time_s, "N", rr_s, "sinus")
            rr_s = pulse.sinus_rr_s(rate_bpm, time_s, 0.03)
            time_s += rr_s
        time_s += pause_s - rr_s
        rr_s = pause_s


@dataclass(frozen=True, slots=True)
class _Ectopy:
    """Ventricular ectopy: runs of `run` beats after `normals` sinus beats (ranges, inclusive).

    coupling: of the first ectopic beat, as a fraction of the sinus interval.
    """

    rate_bpm: float
    normals: tuple[int, int]
    run: tuple[int, int]
    coupling: float = 0.6
    run_rr_s: float = 0.42

    def beats(self, pulse: Pulse) -> Iterator[Beat]:
        """Sinus beats and ectopic ones; a full compensatory pause follows an isolated one."""
        sinus_s = pulse.sinus_rr_s(self.rate_bpm, pulse.start_s, 0.03)
        time_s, rr_s = pulse.first_s(sinus_s), sinus_s
        while True:
            for _ in range(self._draw(pulse, self.normals)):
                yield Beat(time_s, "N", rr_s, "sinus")
                last_s = time_s
                rr_s = pulse.sinus_rr_s(self.rate_bpm, time_s, 0.03)
                time_s += rr_s
            sinus_s = rr_s
            ectopic = tuple(self._run(pulse, last_s, sinus_s))
            yield from ectopic
            # The sinus node beats on unseen; its next beat that finds the ventricle ready shows.
            time_s = max(last_s + 2 * sinus_s, ectopic[-1].time_s + sinus_s)
            rr_s = time_s - ectopic[-1].time_s

    def _run(self, pulse: Pulse, last_s: float, sinus_s: float) -> Iterator[Beat]:
        rr_s = self.coupling * sinus_s * pulse.rng.normal(1, 0.02)
        for _ in range(self._draw(pulse, self.run)):
            last_s += rr_s
            yield Beat(last_s, "V", rr_s, "ventricular", pulse.rng.normal(1, 0.05))
            rr_s = self.run_rr_s * pulse.rng.normal(1, 0.03)

    @staticmethod
    def _draw(pulse: Pulse, limits: tuple[int, int]) -> int:
        return int(pulse.rng.integers(limits[0], limits[1] + 1))


def _ventricular_tachycardia(pulse: Pulse, *, rate_bpm: float) -> Iterator[Beat]:
    mean_s = S_PER_MIN / rate_bpm
    rr_s = mean_s
    time_s = pulse.first_s(rr_s)
    while True:
        yield Beat(time_s, "V", rr_s, "tachycardic", pulse.rng.normal(1, 0.03))
        rr_s = mean_s * pulse.rng.normal(1, 0.015)
        time_s += rr_s


def _atrial_fibrillation(pulse: Pulse, *, rate_bpm: float) -> Iterator[Beat]:
    """Independent intervals: the refractory AV node, then a gamma-distributed wait.

    The skewed, uncorrelated histogram of AF; its SD is near a quarter of the mean interval.
    """
    refractory_s, shape = 0.32, 3.0
    scale_s = (S_PER_MIN / rate_bpm - refractory_s) / shape
    time_s = pulse.first_s(S_PER_MIN / rate_bpm)
    rr_s = S_PER_MIN / rate_bpm
    while True:
        yield Beat(time_s, "N", rr_s, "conducted", pulse.rng.normal(1, 0.04))
        rr_s = refractory_s + pulse.rng.gamma(shape, scale_s)
        time_s += rr_s


_REST = partial(_sinus, rate_bpm=72.0)

RHYTHMS: dict[str, Rhythm] = {
    "sinus": Rhythm(_REST),
    "bradycardia": Rhythm(partial(_sinus, rate_bpm=45.0, variation=0.02)),
    "tachycardia": Rhythm(partial(_sinus, rate_bpm=125.0, variation=0.02)),
    "extreme_brady": Rhythm(partial(_sinus, rate_bpm=32.0, variation=0.02)),
    "extreme_tachy": Rhythm(partial(_sinus, rate_bpm=175.0, variation=0.01)),
    "pause": Rhythm(partial(_pauses, rate_bpm=66.0, pause_s=3.4, beats=8)),
    "pvc": Rhythm(_Ectopy(72.0, normals=(6, 11), run=(1, 1)).beats),
    "bigeminy": Rhythm(_Ectopy(76.0, normals=(1, 1), run=(1, 1)).beats),
    "pvc_run": Rhythm(_Ectopy(76.0, normals=(8, 12), run=(3, 4)).beats),
    "vt": Rhythm(partial(_ventricular_tachycardia, rate_bpm=180.0)),
    "vfl": Rhythm(None, texture="vfl"),
    "vf": Rhythm(None, texture="vf"),
    "asystole": Rhythm(None),
    "af": Rhythm(partial(_atrial_fibrillation, rate_bpm=94.0), texture="af"),
    "lead_off": Rhythm(_REST, lead_off=True),
    "motion": Rhythm(_REST, texture="motion"),
}
