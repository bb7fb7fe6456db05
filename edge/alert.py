"""The vocabulary of alarms, in the words of IEC 60601-1-8."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class AlarmKind(StrEnum):
    """Alarm conditions that the runtime knows."""

    ASYSTOLE = "asystole"
    VF = "vf"
    VT = "vt"
    EXTREME_BRADY = "extreme_brady"
    EXTREME_TACHY = "extreme_tachy"
    PAUSE = "pause"
    AF = "af"
    BRADY = "brady"
    TACHY = "tachy"
    PVC_RUN = "pvc_run"
    LEAD_OFF = "lead_off"
    SIGNAL_LOST = "signal_lost"
    POOR_SIGNAL = "poor_signal"
    STORAGE_FAULT = "storage_fault"
    ANALYSIS_LIMITED = "analysis_limited"


class AlarmType(StrEnum):
    """Whether the condition is the patient's or the equipment's."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class Priority(StrEnum):
    """Alarm condition priority; `rank` orders them, 0 is the most urgent."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for high, 1 for medium, 2 for low."""
        return ("high", "medium", "low").index(self.value)


class Phase(StrEnum):
    """Where an alarm condition stands; every phase of one condition carries the same id."""

    START = "start"
    UPDATE = "update"
    END = "end"


class AlarmState(StrEnum):
    """Presence of an alarm condition, in the words of MDC_ATTR_ALARM_STATE.

    LATCHED: the condition is gone; its alarm stays until somebody acknowledges it.
    """

    ACTIVE = "active"
    LATCHED = "latched"
    INACTIVE = "inactive"


class Inactivation(StrEnum):
    """What a person has done about an alarm, in the words of MDC_ATTR_ALARM_INACTIVATION_STATE.

    No state switches an alarm off: that is not on offer.
    """

    ENABLED = "enabled"
    AUDIO_PAUSED = "audio_paused"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Alert:
    """One step in the life of one alarm condition.

    kind: an `AlarmKind`, or the word of a rule that another package adds.
    onset_ns, time_ns: stream time of the condition's onset and of this step.
    evidence: the numbers that decided it, JSON scalars only, units in the names.
    acknowledged_by: who took notice, as that person or program names itself; empty for nobody.
    reminder: counts the repetitions of an alarm that nobody has acknowledged; 0 for none yet.
    """

    id: str
    kind: str
    type: AlarmType
    priority: Priority
    phase: Phase
    onset_ns: int
    time_ns: int
    evidence: dict[str, float | int | str] = field(default_factory=dict)
    state: AlarmState = AlarmState.ACTIVE
    inactivation: Inactivation = Inactivation.ENABLED
    acknowledged_by: str = ""
    reminder: int = 0
