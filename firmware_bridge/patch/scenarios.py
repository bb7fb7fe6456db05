"""Scenarios: episodes of rhythm, repeated without end, and the truth of what they hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, takewhile

import numpy as np

from firmware_bridge.errors import SourceUriError
from firmware_bridge.patch.morphology import Beat
from firmware_bridge.patch.rhythms import RHYTHMS, Pulse
from firmware_bridge.patch.variability import HeartRateVariability

__all__ = ["SCENARIOS", "Episode", "PlacedEpisode", "Truth", "scenario_named", "schedule", "truth"]

_BEATS_KEY, _VARIABILITY_KEY = 1, 2
_LONG_S = 600.0


@dataclass(frozen=True, slots=True)
class Episode:
    """A rhythm (a key of `RHYTHMS`) for a while; duration in seconds."""

    rhythm: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class PlacedEpisode:
    """An episode in its place: seconds since the stream began, its number, its beats."""

    rhythm: str
    start_s: float
    stop_s: float
    number: int
    beats: tuple[Beat, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a stream holds up to some moment, for tests: beats by time, and episodes."""

    beats: tuple[Beat, ...]
    episodes: tuple[PlacedEpisode, ...]


def _alone(rhythm: str) -> tuple[Episode, ...]:
    return (Episode(rhythm, _LONG_S),)


def _between_sinus(rhythm: str, duration_s: float) -> tuple[Episode, ...]:
    return (Episode("sinus", 12.0), Episode(rhythm, duration_s))


_CONTINUOUS = ("sinus", "bradycardia", "tachycardia", "pvc", "bigeminy", "pvc_run", "pause", "af")

SCENARIOS: dict[str, tuple[Episode, ...]] = {
    **{rhythm: _alone(rhythm) for rhythm in _CONTINUOUS},
    "extreme_brady": _between_sinus("extreme_brady", 30.0),
    "extreme_tachy": _between_sinus("extreme_tachy", 30.0),
    "vt": _between_sinus("vt", 15.0),
    "vf": _between_sinus("vf", 15.0),
    "vfl": _between_sinus("vfl", 15.0),
    "asystole": _between_sinus("asystole", 10.0),
    "lead_off": _between_sinus("lead_off", 10.0),
    "motion": _between_sinus("motion", 15.0),
    "tour": (
        Episode("sinus", 12.0),
        Episode("vt", 8.0),
        Episode("sinus", 5.0),
        Episode("vf", 8.0),
        Episode("sinus", 5.0),
        Episode("asystole", 7.0),
        Episode("sinus", 5.0),
        Episode("lead_off", 5.0),
        Episode("af", 45.0),
    ),
}


def scenario_named(name: str) -> tuple[Episode, ...]:
    """The scenario of that name. Raises SourceUriError, naming those that exist."""
    try:
        return SCENARIOS[name]
    except KeyError:
        known = ", ".join(sorted(SCENARIOS))
        raise SourceUriError(f"scenario={name} is unknown; choose one of {known}") from None


def schedule(episodes: tuple[Episode, ...], seed: int) -> Iterator[PlacedEpisode]:
    """Episodes one after another for ever, each with its beats; the same for the same seed."""
    variability = HeartRateVariability(np.random.default_rng([seed, _VARIABILITY_KEY]))
    start_s, last_s = 0.0, -math.inf
    for number, episode in enumerate(cycle(episodes)):
        stop_s = start_s + episode.duration_s
        rng = np.random.default_rng([seed, _BEATS_KEY, number])
        pulse = Pulse(start_s, last_s, variability, rng)
        beats = _beats_until(stop_s, episode.rhythm, pulse)
        yield PlacedEpisode(episode.rhythm, start_s, stop_s, number, beats)
        start_s, last_s = stop_s, beats[-1].time_s if beats else last_s


def _beats_until(stop_s: float, rhythm: str, pulse: Pulse) -> tuple[Beat, ...]:
    source = RHYTHMS[rhythm].beats
    if source is None:
        return ()
    return tuple(takewhile(lambda beat: beat.time_s < stop_s, source(pulse)))


def truth(episodes: tuple[Episode, ...], seed: int, duration_s: float) -> Truth:
    """What the first `duration_s` seconds of a scenario hold."""
    placed = tuple(
        takewhile(lambda episode: episode.start_s < duration_s, schedule(episodes, seed))
    )
    beats = (beat for episode in placed for beat in episode.beats)
    return Truth(tuple(beat for beat in beats if beat.time_s < duration_s), placed)
