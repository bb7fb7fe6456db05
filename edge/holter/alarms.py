"""Alarm conditions of a recording, each from its onset to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.alert import AlarmKind, Phase, Priority
from edge.record.notes import AlertNote
from firmware_bridge.stream import NS_PER_S

__all__ = ["ALARMS_MAX", "Alarm", "AlarmLog", "by_severity"]

ALARMS_MAX = 10_000
"""Conditions kept of one recording; more are counted."""

NAME_MAX = 64

KINDS = [kind.value for kind in AlarmKind]
"""From the gravest on, as `AlarmKind` has them; of a rule of another package: behind these."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm condition. onset_ns, decided_ns, end_ns: UTC.

    priority: the highest that it had. ended: whether its end was recorded; where not, `end_ns` is
    the end of the run. evidence: of its last step that had any.
    """

    id: str
    kind: str
    type: str
    priority: str
    onset_ns: int
    decided_ns: int
    end_ns: int
    ended: bool
    evidence: dict[str, float | int | str | None]

    @property
    def duration_s(self) -> float:
        """From onset to end."""
        return (self.end_ns - self.onset_ns) / NS_PER_S

    @property
    def is_physiological(self) -> bool:
        """Whether it is the patient's and not the equipment's."""
        return self.type == "physiological"


class AlarmLog:
    """Gathers the steps of alarm conditions.

    An alarm that latches outlives its condition: what is kept ends where the condition did, and one
    that returns before anybody has acknowledged the alarm is another.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._closed: list[Alarm] = []
        self._open: dict[str, Alarm] = {}
        self._over: set[str] = set()
        self._newest_ns = 0

    def begin_run(self) -> None:
        """Conditions of the run before do not go on; ids may come again."""
        self._close_all(self._newest_ns)
        self._over.clear()

    def add(self, note: AlertNote, offset_ns: int) -> None:
        """One step."""
        now_ns = note.time_ns + offset_ns
        self._newest_ns = max(self._newest_ns, now_ns)
        alarm = self._open.get(note.id)
        if alarm is None and not note.is_over:
            alarm = self._begun(note, offset_ns)
        if alarm is None:
            return
        priority = min(alarm.priority, _known(note.priority), key=_rank)
        evidence = note.evidence or alarm.evidence
        ended = note.is_over
        alarm = replace(alarm, priority=priority, end_ns=now_ns, ended=ended, evidence=evidence)
        self._open[note.id] = alarm
        if ended:
            self._closed.append(self._open.pop(note.id))
            self._over.add(note.id)

    def _begun(self, note: AlertNote, offset_ns: int) -> Alarm | None:
        """Of the first step, or of one that comes after its condition was over."""
        if len(self._closed) + len(self._open) >= ALARMS_MAX:
            self.left_out += note.phase == Phase.START
            return None
        now_ns = note.time_ns + offset_ns
        onset_ns = now_ns if note.id in self._over else min(now_ns, note.onset_ns + offset_ns)
        name, kind = note.id[:NAME_MAX], note.kind[:NAME_MAX]
        priority = _known(note.priority)
        return Alarm(name, kind, note.alarm_type, priority, onset_ns, now_ns, now_ns, False, {})

    def done(self, stop_ns: int) -> tuple[Alarm, ...]:
        """All conditions by onset; those that never ended last until `stop_ns`."""
        self._close_all(stop_ns)
        return tuple(sorted(self._closed, key=lambda alarm: alarm.onset_ns))

    def _close_all(self, stop_ns: int) -> None:
        for alarm in self._open.values():
            self._closed.append(replace(alarm, end_ns=max(alarm.end_ns, stop_ns)))
        self._open.clear()


def by_severity(alarm: Alarm) -> tuple[int, int, int, float]:
    """Orders alarms: the patient's first, by priority, by kind, the longest first."""
    kind = KINDS.index(alarm.kind) if alarm.kind in KINDS else len(KINDS)
    return not alarm.is_physiological, _rank(alarm.priority), kind, -alarm.duration_s


def _rank(priority: str) -> int:
    return Priority(priority).rank


def _known(priority: str) -> str:
    """The priority; one that is none counts as low."""
    return priority if priority in list(Priority) else Priority.LOW.value
