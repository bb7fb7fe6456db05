"""Synthetic observation streams for the alarm tests, in the order in which they become known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from edge.alarm import AlarmLimits, AlarmMachine
from edge.alert import AlarmKind, Alert, Phase
from edge.analysis import DETECTOR_LATENCY_NS
from edge.events import (
    Beat,
    BeatClass,
    BeatLabel,
    BeatsKnown,
    LeadQuality,
    Observation,
    Quality,
    Rhythm,
    Silence,
)

S = 1_000_000_000
QRS_KNOWN_NS = 200_000_000
LABEL_KNOWN_NS = 1_500_000_000
HOP_SETTLED_NS = 530_000_000
"""From an R peak to the sample that settles it, where the encoder hears the beats."""

FEATURES_KNOWN_NS = 580_000_000
"""From an R peak to the sample that completes what the beat stage is told of it."""

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


def by_encoder(stream: Iterable[Observation], hop_phase_s: float = 0.0) -> list[Observation]:
    """The stream as an encoder with a QRS head and a beat stage tells it: beats at the end of the
    hop that settles them, classes when the next beat's features are known, or 2 s have passed.

    hop_phase_s: by which the hops end after the seconds.
    """
    known = list(stream)
    peaks_ns = sorted(beat.time_ns for beat in known if isinstance(beat, Beat))
    following_ns = dict(pairwise(peaks_ns))

    def hop_end(time_ns: int) -> int:
        phase_ns = round(hop_phase_s * S)
        return -((phase_ns - time_ns) // S) * S + phase_ns

    told: list[Observation] = []
    for each in known:
        if isinstance(each, Beat):
            told.append(replace(each, detected_ns=hop_end(each.time_ns + HOP_SETTLED_NS)))
        elif isinstance(each, BeatLabel):
            next_ns = following_ns.get(each.time_ns, each.time_ns + 2 * S) + FEATURES_KNOWN_NS
            told.append(
                replace(each, known_ns=hop_end(min(next_ns, each.time_ns + 2 * S + HOP_SETTLED_NS)))
            )
        elif isinstance(each, BeatsKnown):
            ns = each.time_ns + round(hop_phase_s * S)
            told.append(BeatsKnown(ns, ns - HOP_SETTLED_NS))
        else:
            told.append(each)
    return sorted(told, key=lambda each: (known_ns(each), isinstance(each, BeatsKnown)))


def steady_s(start_s: float, stop_s: float, bpm: float) -> list[float]:
    """Times of a regular rhythm within [start, stop)."""
    count = int((stop_s - start_s) * bpm / 60 - 1e-9) + 1
    return [start_s + k * 60 / bpm for k in range(count)]


def joined_s(*segments: tuple[float, float, float]) -> list[float]:
    """Times of rhythms that follow each other: (start, stop, bpm) each."""
    return [time_s for segment in segments for time_s in steady_s(*segment)]


def quality(
    start_s: int, stop_s: int, *leads: LeadQuality, missing: float = 0.0
) -> list[Observation]:
    """One assessment a second, for the seconds of [start, stop), and how far beats are known,
    as the QRS detector says it."""
    seconds = [(k + 1) * S for k in range(start_s, stop_s)]
    pairs = (
        (Quality(ns, leads or (GOOD,), missing), BeatsKnown(ns, ns - DETECTOR_LATENCY_NS))
        for ns in seconds
    )
    return [each for pair in pairs for each in pair]


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
