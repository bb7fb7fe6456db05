"""Annotations of a recording: what was seen in the samples, and what became of the link.

Each is a JSON array that begins with its tag. Times are stream time in nanoseconds, as in
`edge.events`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from edge.alert import AlarmState, Alert, Phase
from edge.events import Beat, BeatLabel, Observation, Quality

__all__ = [
    "AlertNote",
    "BeatNote",
    "LabelNote",
    "Note",
    "Notes",
    "QualityNote",
    "RhythmNote",
    "TechnicalNote",
    "alert_note",
    "observed_note",
]

Scalar = float | int | str | None
Flag = Literal["lead_off", "flat", "saturated", "noisy"]
FLAGS: tuple[Flag, ...] = ("lead_off", "flat", "saturated", "noisy")


class BeatNote(msgspec.Struct, frozen=True, array_like=True, tag="beat"):
    """One QRS complex. label: AAMI class, `U` where no network has judged it (yet)."""

    time_ns: int
    label: str
    confidence: float
    rr_ms: float | None
    amplitude_uv: float
    lead: int


class LabelNote(msgspec.Struct, frozen=True, array_like=True, tag="label"):
    """The class of the beat at `time_ns`, known later than the beat."""

    time_ns: int
    label: str
    confidence: float


class RhythmNote(msgspec.Struct, frozen=True, array_like=True, tag="rhythm"):
    """The rhythm from here on, None where it is not known; repeated now and then.

    label: "normal", "af", "other", "noise", "vt" or "vf".
    """

    time_ns: int
    label: str | None


class QualityNote(msgspec.Struct, frozen=True, array_like=True, tag="quality"):
    """The second that ends at `time_ns`.

    scores: of each lead, 0 (unusable) to 1 (clean). flags: of each lead, bit 0 lead off, 1 flat,
    2 saturated, 3 noisy. missing: fraction of the second lost in gaps.
    """

    time_ns: int
    scores: tuple[float, ...]
    flags: tuple[int, ...]
    missing: float

    def of_lead(self, lead: int) -> tuple[Flag, ...]:
        """What is wrong with a lead, in words."""
        return tuple(name for bit, name in enumerate(FLAGS) if self.flags[lead] >> bit & 1)


class AlertNote(msgspec.Struct, frozen=True, array_like=True, tag="alert"):
    """One step of one alarm condition. time_ns: when it was decided; the rest as in `Alert`.

    alarm_type: "physiological" or "technical". state: "active", "latched" where the condition is
    gone and its alarm is not, or "inactive"; in recordings of older releases always "active".
    """

    time_ns: int
    id: str
    kind: str
    alarm_type: str
    priority: str
    phase: str
    onset_ns: int
    evidence: dict[str, Scalar]
    state: str = "active"

    @property
    def is_over(self) -> bool:
        """Whether the condition is: a latched alarm outlives it."""
        return self.phase == Phase.END or self.state == AlarmState.LATCHED


class TechnicalNote(msgspec.Struct, frozen=True, array_like=True, tag="technical"):
    """What happened to link, device or recording: a word, and the reason for people."""

    time_ns: int
    word: str
    reason: str = ""


Note = BeatNote | LabelNote | RhythmNote | QualityNote | AlertNote | TechnicalNote


class Notes(msgspec.Struct, frozen=True):
    """Annotations that became known together, in order.

    At stream time `time_ns` the host's clock said `utc_ns` (since 1970).
    """

    time_ns: int
    utc_ns: int
    notes: tuple[Note, ...]


def observed_note(observation: Observation) -> Note | None:
    """What is kept of an observation, numbers rounded to what they can mean; None: nothing."""
    make = _MAKERS.get(type(observation))
    return make(observation) if make else None


def alert_note(alert: Alert) -> AlertNote:
    """An alert as it is kept."""
    return AlertNote(
        alert.time_ns,
        alert.id,
        str(alert.kind),
        str(alert.type),
        str(alert.priority),
        str(alert.phase),
        alert.onset_ns,
        {name: _scalar(value) for name, value in alert.evidence.items()},
        str(alert.state),
    )


def _rounded(value: float, digits: int) -> float:
    """As a plain number; JSON has no other."""
    number = float(value)
    return round(number, digits) if math.isfinite(number) else 0.0


def _scalar(value: object) -> Scalar:
    if isinstance(value, bool | int | str) or value is None:
        return value
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None


def _beat(beat: Beat) -> BeatNote:
    return BeatNote(
        beat.time_ns,
        beat.label.value,
        _rounded(beat.confidence, 3),
        None if beat.rr_ms is None else _rounded(beat.rr_ms, 2),
        _rounded(beat.amplitude_uv, 1),
        beat.lead,
    )


def _label(told: BeatLabel) -> LabelNote:
    return LabelNote(told.time_ns, told.label.value, _rounded(told.confidence, 3))


def _quality(quality: Quality) -> QualityNote:
    return QualityNote(
        quality.time_ns,
        tuple(_rounded(lead.score, 2) for lead in quality.leads),
        tuple(
            lead.lead_off | lead.flat << 1 | lead.saturated << 2 | lead.noisy << 3
            for lead in quality.leads
        ),
        _rounded(quality.missing, 3),
    )


_MAKERS: dict[type, Callable[[Any], Note]] = {
    Beat: _beat,
    BeatLabel: _label,
    Quality: _quality,
}
