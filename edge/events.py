"""What the pipeline observes: the vocabulary between signal processing and alarms.

`index` counts samples of the source since the stream began, gaps included. `time_ns` is
stream time: nanoseconds since the stream began, `index / rate_hz`. It is monotonic,
independent of any wall clock, and the only time on which alarms are decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class BeatClass(StrEnum):
    """AAMI EC57 beat classes; UNKNOWN until an encoder has spoken."""

    N = "N"
    S = "S"
    V = "V"
    F = "F"
    Q = "Q"
    UNKNOWN = "U"


@dataclass(frozen=True, slots=True)
class Beat:
    """One QRS complex.

    time_ns: stream time of the R peak. detected_ns: stream time at which it was known.
    rr_ms: time since the preceding QRS, None after a gap or at the start.
    confidence: of `label`, 0 to 1. index, lead and amplitude_uv are 0 where the device tells
    its beats and sends no samples.
    """

    index: int
    time_ns: int
    detected_ns: int
    lead: int
    rr_ms: float | None
    amplitude_uv: float
    label: BeatClass = BeatClass.UNKNOWN
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class BeatLabel:
    """What the encoder says of the class of the beat at `time_ns`, known at `known_ns`.

    Both are stream time. confidence: probability of `label`, 0 to 1.
    """

    time_ns: int
    known_ns: int
    label: BeatClass
    confidence: float


@dataclass(frozen=True, slots=True)
class BeatsKnown:
    """At `time_ns`, every QRS before `until_ns` is known; both are stream time.

    Where no beat is known up to then, none is there: this is what asystole is judged by, so
    that beats may be found as late as their source needs.
    """

    time_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """Signal quality of one lead over one second. score: 0 (unusable) to 1 (clean)."""

    score: float
    lead_off: bool = False
    flat: bool = False
    saturated: bool = False
    noisy: bool = False


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of all leads over the second that ends at `time_ns` (stream time).

    missing: fraction of that second lost in gaps, 0 to 1.
    """

    time_ns: int
    leads: tuple[LeadQuality, ...]
    missing: float = 0.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What the encoder says of the rhythm up to `time_ns`: label to probability, 0 to 1.

    Labels: "normal", "af", "other", "noise", and independent of these "vt" and "vf"
    (ventricular flutter included); a bundle without such a head leaves the label out.
    """

    time_ns: int
    probability: dict[str, float]


@dataclass(frozen=True, slots=True)
class Silence:
    """The link delivers nothing: no sample for `silent_ns`; stream time goes on meanwhile.

    restart: the process itself was away, and has yet to find its feet: the signal counts as lost
    for however short a time.
    """

    time_ns: int
    silent_ns: int
    reason: str = ""
    restart: bool = False


@dataclass(frozen=True, slots=True)
class StorageFault:
    """Alerts may not be stored, or can be again. reason: why; empty where they can."""

    time_ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AnalysisLimited:
    """No encoder listens though one is asked for, or one does again. reason: why; empty where one
    does."""

    time_ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ToldRate:
    """The heart rate that a device tells which sends neither samples nor RR intervals.

    For people only: over how many beats it is a mean, and how old it is, nobody knows.
    """

    time_ns: int
    bpm: float


Observation = (
    Beat
    | BeatLabel
    | BeatsKnown
    | Quality
    | Rhythm
    | Silence
    | StorageFault
    | AnalysisLimited
    | ToldRate
)


def shifted(observation: Observation, index: int, time_ns: int) -> Observation:
    """The observation on an axis that begins `index` samples and `time_ns` earlier."""
    match observation:
        case Beat():
            return replace(
                observation,
                index=observation.index + index,
                time_ns=observation.time_ns + time_ns,
                detected_ns=observation.detected_ns + time_ns,
            )
        case BeatLabel():
            return replace(
                observation,
                time_ns=observation.time_ns + time_ns,
                known_ns=observation.known_ns + time_ns,
            )
        case BeatsKnown():
            return replace(
                observation,
                time_ns=observation.time_ns + time_ns,
                until_ns=observation.until_ns + time_ns,
            )
        case _:
            return replace(observation, time_ns=observation.time_ns + time_ns)
