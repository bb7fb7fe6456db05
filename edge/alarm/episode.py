"""One alarm condition from its start to its end, and the alerts that tell of it."""

from __future__ import annotations

import uuid

import msgspec

from edge.alarm.finding import Evidence
from edge.alarm.precedence import TECHNICAL
from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority

__all__ = ["Episode", "alarm_id"]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "edge.alarm")


def alarm_id(session: str, kind: str, onset_ns: int) -> str:
    """The id of an alarm: the same session, kind and onset always give the same one."""
    return str(uuid.uuid5(_NAMESPACE, f"{session}/{kind}/{onset_ns}"))


class Episode(msgspec.Struct):
    """State of an alarm that is on. Times are stream times in nanoseconds.

    told_ns: of the last alert. absent_since_ns: the condition has not been found since.
    """

    id: str
    kind: AlarmKind
    priority: Priority
    onset_ns: int
    told_ns: int
    evidence: dict[str, float | int | str]
    phase: Phase = Phase.START
    absent_since_ns: int | None = None

    @property
    def alert(self) -> Alert:
        """The latest alert of this alarm."""
        return self._alert(self.phase, self.told_ns, self.evidence)

    def update(self, now_ns: int, priority: Priority, evidence: Evidence) -> Alert:
        """Tell of a change."""
        self.phase, self.told_ns = Phase.UPDATE, now_ns
        self.priority, self.evidence = priority, evidence
        return self.alert

    def end(self, now_ns: int, reason: Evidence) -> Alert:
        """Tell of the end and why."""
        evidence = {key: value for key, value in self.evidence.items() if key != "held"}
        return self._alert(Phase.END, now_ns, {**evidence, **reason})

    def _alert(self, phase: Phase, time_ns: int, evidence: Evidence) -> Alert:
        technical = self.kind in TECHNICAL
        return Alert(
            id=self.id,
            kind=self.kind,
            type=AlarmType.TECHNICAL if technical else AlarmType.PHYSIOLOGICAL,
            priority=self.priority,
            phase=phase,
            onset_ns=self.onset_ns,
            time_ns=time_ns,
            evidence=dict(evidence),
        )
