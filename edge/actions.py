"""What a person may ask of a running monitor: the vocabulary of commands, page and buttons.

None of them can disable an alarm, name a file or reach another patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "AUDIO_PAUSE_MAX_S",
    "Acknowledge",
    "Action",
    "AskStrip",
    "Outcome",
    "PauseAudio",
    "SetLimits",
]

AUDIO_PAUSE_MAX_S = 120.0
"""The longest audio pause, as most monitors have it: nobody is silenced for good."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody has taken notice of an alarm. alert_id: of which; empty for all that are on.

    by: who, as that person or program names itself, for the log.
    """

    patient: str
    alert_id: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class PauseAudio:
    """No sound for `for_s` seconds, 0 to `AUDIO_PAUSE_MAX_S`; 0 ends a pause. A new alarm of
    higher priority ends it, too.
    """

    patient: str
    for_s: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class SetLimits:
    """Other limits, by their names in `AlarmLimits`, within the bounds that the configuration
    allows; until the next start.
    """

    patient: str
    limits: Mapping[str, float]
    by: str = ""


@dataclass(frozen=True, slots=True)
class AskStrip:
    """The signal of the last 15 s, published as the strip of an alert is."""

    patient: str
    by: str = ""


Action = Acknowledge | PauseAudio | SetLimits | AskStrip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action. text: what was done, or why nothing was."""

    done: bool
    text: str
