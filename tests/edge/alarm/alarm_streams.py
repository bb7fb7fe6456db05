"""Synthetic observation streams for the alarm tests, in the order in which they become known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.alarm import AlarmLimits, AlarmMachine
from edge.alert import AlarmKind, Alert, Phase
from edge.events import (
    Beat,
    BeatClass,
    BeatLabel,
    LeadQuality,
    Observation,
    Quality,
    Rhythm,
    Silence,
)

S = 1_000_000_000
QRS_KNOWN_NS = 200_000_000
LABEL_KNOWN_NS = 1_500_000_000

GOOD = LeadQuality(0.9)
NOISY = LeadQuality(0.1, noisy=True)
OFF = LeadQuality(0.0, lead_off=True, flat=True)
FLAT = LeadQuality(0.0, flat=True)

Timed = tuple[int, Observation]


def known_ns(observation: Observation) -> int:
    """Stream time at which an observation is made."""
    match observation:
        case Beat():
            return observation.detected_ns
        case BeatLabel():
            return observation.known_ns
        case _:
            return observation.time_ns


def merged(*streams: Iterable[Observation]) -> list[Observation]:
    """All streams in the order in which they become known."""
    return sorted((each for stream in streams for each in stream), key=known_ns)


def beats_at(
    times_s: Sequence[float], label: str | None = None, first_rr_ms: float | None = None
) -> list[Observation]:
    """Beats at these times, with labels 1.5 s later where given."""
    found: list[Observation] = []
    for k, time_s in enumerate(times_s):
        time_ns = round(time_s * S)
        rr_ms = (time_s - times_s[k - 1]) * 1000 if k else first_rr_ms
        found.append(Beat(k, time_ns, time_ns + QRS_KNOWN_NS, 0, rr_ms, 1000.0))
        if label is not None:
            known = time_ns + LABEL_KNOWN_NS
            found.append(BeatLabel(time_ns, known, BeatClass(label), 0.9))
    return found


def labelled_beats(times_s: Sequence[float], labels: str) -> list[Observation]:
    """Beats at these times, each with its own class."""
    beats = beats_at(times_s)
    names = [
        BeatLabel(round(t * S), round(t * S) + LABEL_KNOWN_NS, BeatClass(label), 0.9)
        for t, label in zip(times_s, labels, strict=True)
    ]
    return merged(beats, names)


def steady_s(start_s: float, stop_s: float, bpm: float) -> list[float]:
    """Times of a regular rhythm within [start, stop)."""
    count = int((stop_s - start_s) * bpm / 60 - 1e-9) + 1
    return [start_s + k * 60 / bpm for k in range(count)]


def joined_s(*segments: tuple[float, float, float]) -> list[float]:
    """Times of rhythms that follow each other: (start, stop, bpm) each."""
    return [time_s for segment in segments for time_s in steady_s(*segment)]


def quality(start_s: int, stop_s: int, *leads: LeadQuality, missing: float = 0.0) -> list[Quality]:
    """One assessment a second, for the seconds of [start, stop)."""
    return [Quality((k + 1) * S, leads or (GOOD,), missing) for k in range(start_s, stop_s)]


def rhythm(start_s: int, stop_s: int, **probability: float) -> list[Rhythm]:
    """One encoder output a second, for the seconds of [start, stop)."""
    return [Rhythm((k + 1) * S, dict(probability)) for k in range(start_s, stop_s)]


def silences(start_s: int, stop_s: int) -> list[Silence]:
    """A link silent since `start_s`, told once a second up to `stop_s`."""
    return [Silence(k * S, (k - start_s) * S, "silent") for k in range(start_s + 1, stop_s + 1)]


def run(
    stream: Iterable[Observation], limits: AlarmLimits | None = None, session: str = "test"
) -> list[Alert]:
    """All alerts of a stream."""
    machine = AlarmMachine(limits or AlarmLimits(), session)
    return [alert for observation in stream for alert in machine.observe(observation)]


def starts(alerts: Iterable[Alert]) -> list[AlarmKind]:
    """Kinds in the order in which they started."""
    return [alert.kind for alert in alerts if alert.phase is Phase.START]


def first(alerts: Iterable[Alert], kind: AlarmKind, phase: Phase = Phase.START) -> Alert:
    """The first alert of a kind and phase."""
    return next(alert for alert in alerts if alert.kind is kind and alert.phase is phase)
