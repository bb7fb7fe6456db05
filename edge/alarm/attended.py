"""One alarm as people meet it: acknowledged or not, over or not, reminded of, escalated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from edge.alarm.attendance_settings import AttendanceSettings
from edge.alarm.finding import Evidence
from edge.alarm.signal_state import SECOND_NS
from edge.alert import AlarmState, Alert, Inactivation, Phase, Priority

__all__ = ["AttendedAlarm", "AudioPause"]


class AudioPause(msgspec.Struct):
    """No sound for a while. Stream times in nanoseconds.

    rank: of the most urgent alarm that was on when it began, beyond all ranks where none was.
    """

    since_ns: int
    until_ns: int
    rank: int

    def broken_by(self, priority: Priority) -> bool:
        """Whether an alarm that begins now, of this priority, must be heard."""
        return priority is Priority.HIGH or priority.rank < self.rank


class AttendedAlarm(msgspec.Struct):
    """An alarm that is on or latched. Stream times in nanoseconds.

    alert: as last told. condition_id: of the alarm condition behind it, another than the alarm's
    once a condition that was over has returned. own, evidence: the condition's priority, and the
    numbers that decided it. escalated: the priority to which it rose as nobody answered.
    unanswered_ns: since when it waits for an answer. reminded_ns: when it was last brought to
    mind. recurrences: how often the condition has returned.
    """

    alert: Alert
    condition_id: str
    own: Priority
    evidence: Evidence
    unanswered_ns: int
    reminded_ns: int
    escalated: Priority | None = None
    acknowledged: bool = False
    audio_paused: bool = False
    recurrences: int = 0

    @classmethod
    def begin(cls, condition: Alert, audio_paused: bool) -> AttendedAlarm:
        """The alarm of a condition that is on."""
        now_ns = condition.time_ns
        alarm = cls(
            *(condition, condition.id, condition.priority, condition.evidence, now_ns, now_ns),
            audio_paused=audio_paused,
        )
        alarm.alert = replace(condition, inactivation=alarm._inactivation())
        return alarm

    @property
    def latched(self) -> bool:
        """The condition is over, the alarm is not."""
        return self.alert.state is AlarmState.LATCHED

    @property
    def priority(self) -> Priority:
        """The condition's own, or a higher one since nobody answered."""
        return self.own if self.escalated is None else min(self.own, self.escalated, key=_rank)

    def must_rise(self, now_ns: int, settings: AttendanceSettings) -> bool:
        """Nobody has answered for too long; a condition that is over does not rise."""
        if self.acknowledged or self.latched or self.priority is Priority.HIGH:
            return False
        return _over(now_ns, self.unanswered_ns, settings.escalate_after_s(self.priority))

    def must_remind(self, now_ns: int, settings: AttendanceSettings) -> bool:
        """It was brought to mind long ago; whoever has paused the audio has it in mind."""
        if self.audio_paused and not self.acknowledged:
            return False
        interval_s = settings.remind_after_s(self.priority, self.acknowledged)
        return _over(now_ns, self.reminded_ns, interval_s)

    def follow(self, condition: Alert) -> Alert:
        """The condition has changed. A higher priority asks for an answer again."""
        if condition.priority.rank < self.own.rank:
            self._ask_again(condition.time_ns)
        self.own, self.evidence = condition.priority, condition.evidence
        return self.tell(condition.time_ns)

    def latch(self, ended: Alert) -> Alert:
        """The condition is over; the alarm stays."""
        self.evidence, self.reminded_ns = ended.evidence, ended.time_ns
        return self.tell(ended.time_ns, AlarmState.LATCHED)

    def resume(self, condition: Alert) -> Alert:
        """The condition has returned before anybody had acknowledged it."""
        self.condition_id = condition.id
        self.own, self.evidence = condition.priority, condition.evidence
        self.recurrences += 1
        self._ask_again(condition.time_ns)
        return self.tell(condition.time_ns, AlarmState.ACTIVE)

    def acknowledge(self, now_ns: int, by: str) -> Alert:
        """Somebody has taken notice: a priority that rose for want of an answer falls again, and
        where the condition is over, so is the alarm."""
        self.acknowledged, self.escalated, self.reminded_ns = True, None, now_ns
        self.alert = replace(self.alert, acknowledged_by=by)
        return self.end(now_ns) if self.latched else self.tell(now_ns)

    def escalate(self, now_ns: int) -> None:
        """Nobody has answered: one step up, to be told."""
        self.escalated = list(Priority)[self.priority.rank - 1]
        self.unanswered_ns = self.reminded_ns = now_ns

    def remind(self, now_ns: int) -> Alert:
        """Bring it to mind again."""
        self.reminded_ns = now_ns
        self.alert = replace(self.alert, reminder=self.alert.reminder + 1)
        return self.tell(now_ns)

    def confirm(self, now_ns: int, also: Mapping[str, float]) -> Alert:
        """Tell it as it stands, which brings it to mind. also: numbers for this one telling."""
        self.reminded_ns = now_ns
        return self.tell(now_ns, also=also)

    def tell(
        self, now_ns: int, state: AlarmState | None = None, also: Mapping[str, float] | None = None
    ) -> Alert:
        """The alarm as it stands. also: numbers for this one telling."""
        self.alert = replace(
            self.alert,
            phase=Phase.UPDATE,
            time_ns=now_ns,
            priority=self.priority,
            state=state or self.alert.state,
            inactivation=self._inactivation(),
            evidence=self._shown(),
        )
        return replace(self.alert, evidence={**self.alert.evidence, **also}) if also else self.alert

    def end(self, now_ns: int, evidence: Evidence | None = None) -> Alert:
        """The alarm is over. evidence: of the condition's end, where that is its end."""
        self.evidence = evidence or self.evidence
        told = self.tell(now_ns, AlarmState.INACTIVE)
        return replace(told, phase=Phase.END)

    def _ask_again(self, now_ns: int) -> None:
        self.acknowledged = False
        self.alert = replace(self.alert, acknowledged_by="")
        self.unanswered_ns = self.reminded_ns = now_ns

    def _inactivation(self) -> Inactivation:
        if self.acknowledged:
            return Inactivation.ACKNOWLEDGED
        return Inactivation.AUDIO_PAUSED if self.audio_paused else Inactivation.ENABLED

    def _shown(self) -> Evidence:
        marks: Evidence = {}
        if self.priority is not self.own:
            marks["escalated_from"] = self.own.value
        if self.recurrences:
            marks["recurrences"] = self.recurrences
        return {**self.evidence, **marks}


def _over(now_ns: int, since_ns: int, interval_s: float) -> bool:
    return interval_s > 0 and now_ns - since_ns >= interval_s * SECOND_NS


def _rank(priority: Priority) -> int:
    return priority.rank
