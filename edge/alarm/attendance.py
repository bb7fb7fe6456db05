"""What people do about alarms, and what alarms do while nobody does anything.

Wraps the alarm conditions: those that latch stay until somebody acknowledges them, those that
nobody answers are repeated and may rise. Pure, on stream time alone: the same observations and
actions in the same order give the same alerts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from edge.actions import AUDIO_PAUSE_MAX_S
from edge.alarm.adjustable import Bounds, adjusted
from edge.alarm.attendance_settings import AttendanceSettings
from edge.alarm.attended import AttendedAlarm, AudioPause
from edge.alarm.extension import ExtendedAlarms, ExtensionRule
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import SnapshotError
from edge.alarm.signal_state import SECOND_NS
from edge.alert import Alert, Phase, Priority
from edge.events import Observation

__all__ = ["Attendance"]

NO_LATCH = frozenset({"superseded", "disabled"})
"""Reasons of an end after which nothing stays: another alarm speaks for it, or none is wanted."""


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """What a restart must keep."""

    conditions: dict[str, Any]
    alarms: list[AttendedAlarm]
    pause: AudioPause | None


class Attendance:
    """The alarms of one patient, attended by people.

    bounds: limits that people may move, and how far.
    """

    def __init__(
        self, conditions: ExtendedAlarms, settings: AttendanceSettings, bounds: Bounds
    ) -> None:
        self._conditions = conditions
        self._settings = settings
        self._bounds = bounds
        self._configured = conditions.limits
        self._alarms: dict[str, AttendedAlarm] = {}
        self._pause: AudioPause | None = None

    @classmethod
    def restore(
        cls,
        snapshot: Mapping[str, Any],
        limits: AlarmLimits,
        rules: list[ExtensionRule],
        settings: AttendanceSettings,
        bounds: Bounds,
    ) -> Attendance:
        """Goes on from a `snapshot`, under settings that may have changed.

        Raises SnapshotError where the snapshot cannot be used.
        """
        try:
            state = msgspec.convert(snapshot, _State)
        except msgspec.ValidationError as error:
            raise SnapshotError(f"alarm snapshot: {error}; start a new session") from error
        conditions = ExtendedAlarms.restore(state.conditions, limits, rules)
        attendance = cls(conditions, settings, bounds)
        attendance._alarms = {alarm.alert.id: alarm for alarm in state.alarms}
        attendance._pause = state.pause
        known = {alarm.condition_id for alarm in state.alarms if not alarm.latched}
        if known != {alert.id for alert in conditions.active}:
            raise SnapshotError("alarm snapshot: its parts contradict each other")
        return attendance

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-able data."""
        state = _State(self._conditions.snapshot(), [*self._alarms.values()], self._pause)
        plain: dict[str, Any] = msgspec.to_builtins(state, str_keys=True)
        return plain

    @property
    def now_ns(self) -> int:
        """Latest stream time observed; never goes back."""
        return self._conditions.now_ns

    @property
    def active(self) -> tuple[Alert, ...]:
        """The latest alert of every alarm that is on or latched, most urgent first."""
        alerts = (alarm.alert for alarm in self._alarms.values())
        return tuple(sorted(alerts, key=lambda a: (a.priority.rank, a.onset_ns, a.kind)))

    @property
    def audio_paused(self) -> bool:
        """Somebody has asked for silence, and it lasts."""
        return self._pause is not None

    @property
    def pause_left_s(self) -> float:
        """How long the audio pause lasts yet; 0 where none is on."""
        return (self._pause.until_ns - self.now_ns) / SECOND_NS if self._pause else 0.0

    @property
    def changed_limits(self) -> dict[str, float]:
        """Limits that people have moved since the start, by their name in `AlarmLimits`."""
        now, before = self._conditions.limits, self._configured
        return {
            name: getattr(now, name)
            for name in self._bounds
            if getattr(now, name) != getattr(before, name)
        }

    @property
    def limits(self) -> AlarmLimits:
        """The limits in force."""
        return self._conditions.limits

    def observe(self, observation: Observation) -> tuple[Alert, ...]:
        """What this observation changes, and what has become due by its time."""
        changes = self._conditions.observe(observation)
        if not (changes or self._alarms or self._pause):
            return ()
        return (*self._followed(changes), *self._due())

    def give_up(self, reason: str) -> tuple[Alert, ...]:
        """End every condition, as nothing is known of it any more; what latches stays."""
        return tuple(self._followed(self._conditions.give_up(reason)))

    def confirm(self, ids: Collection[str], **also: float) -> tuple[Alert, ...]:
        """Tell these alarms as they stand. also: numbers for this one telling."""
        wanted = [alarm for alarm in self._alarms.values() if alarm.alert.id in ids]
        for alarm in wanted:
            self._refresh(alarm)
        return tuple(alarm.confirm(self.now_ns, also) for alarm in wanted)

    def acknowledge(self, alert_id: str, by: str) -> tuple[Alert, ...]:
        """Take notice of an alarm, or of all where the id is empty. Empty where there is none
        that waits for it."""
        wanted = [
            alarm
            for alarm in self._alarms.values()
            if not alarm.acknowledged and alert_id in ("", alarm.alert.id)
        ]
        for alarm in wanted:
            if alarm.latched:
                del self._alarms[alarm.alert.id]
        return tuple(alarm.acknowledge(self.now_ns, by) for alarm in wanted)

    def pause_audio(self, for_s: float) -> tuple[Alert, ...]:
        """No sound for so long from now; 0 ends a pause. One that is on never lasts longer than
        `AUDIO_PAUSE_MAX_S` from its beginning."""
        if for_s <= 0:
            return self._told(self._unpause())
        now_ns = self.now_ns
        since_ns = self._pause.since_ns if self._pause else now_ns
        until_ns = min(
            now_ns + round(for_s * SECOND_NS), since_ns + round(AUDIO_PAUSE_MAX_S * SECOND_NS)
        )
        ranks = [alarm.priority.rank for alarm in self._alarms.values()]
        self._pause = AudioPause(since_ns, until_ns, min(ranks, default=len(Priority)))
        fresh = [each for each in self._alarms.values() if not each.audio_paused]
        for alarm in fresh:
            alarm.audio_paused = True
        return self._told([alarm for alarm in fresh if not alarm.acknowledged])

    def set_limits(self, wanted: Mapping[str, float]) -> None:
        """Move limits. Raises ValueError, with the reason, where they may not be moved so."""
        self._conditions.set_limits(adjusted(self.limits, self._bounds, wanted))

    def _followed(self, changes: tuple[Alert, ...]) -> Iterator[Alert]:
        for condition in changes:
            if condition.phase is Phase.START:
                yield from self._began(condition)
            elif condition.phase is Phase.UPDATE:
                yield from self._changed(condition)
            else:
                yield self._ended(condition)

    def _began(self, condition: Alert) -> Iterator[Alert]:
        silenced = self._broken_pause(condition.priority)
        latched = next((a for a in self._alarms.values() if a.alert.kind == condition.kind), None)
        if latched:
            yield latched.resume(condition)
        else:
            alarm = AttendedAlarm.begin(condition, self.audio_paused)
            self._alarms[condition.id] = alarm
            yield alarm.alert
        yield from self._told([each for each in silenced if each is not latched])

    def _changed(self, condition: Alert) -> Iterator[Alert]:
        alarm = self._behind(condition)
        risen = condition.priority.rank < alarm.own.rank
        silenced = self._broken_pause(condition.priority) if risen else []
        yield alarm.follow(condition)
        yield from self._told([each for each in silenced if each is not alarm])

    def _ended(self, condition: Alert) -> Alert:
        alarm = self._behind(condition)
        latches = condition.kind in self._settings.latching and not alarm.acknowledged
        if latches and condition.evidence.get("reason") not in NO_LATCH:
            return alarm.latch(condition)
        del self._alarms[alarm.alert.id]
        return alarm.end(condition.time_ns, condition.evidence)

    def _behind(self, condition: Alert) -> AttendedAlarm:
        """The alarm that stands for a condition."""
        return next(a for a in self._alarms.values() if a.condition_id == condition.id)

    def _due(self) -> Iterator[Alert]:
        now_ns = self.now_ns
        if self._pause and now_ns >= self._pause.until_ns:
            yield from self._told(self._unpause())
        for alarm in self._alarms.values():
            if alarm.must_rise(now_ns, self._settings):
                yield from self._escalated(alarm)
            elif alarm.must_remind(now_ns, self._settings):
                self._refresh(alarm)
                yield alarm.remind(now_ns)

    def _refresh(self, alarm: AttendedAlarm) -> None:
        """Bring numbers up to date that have merely grown, which nobody was told."""
        for condition in self._conditions.active:
            if condition.id == alarm.condition_id:
                alarm.evidence = condition.evidence

    def _escalated(self, alarm: AttendedAlarm) -> Iterator[Alert]:
        self._refresh(alarm)
        alarm.escalate(self.now_ns)
        silenced = self._broken_pause(alarm.priority)
        yield alarm.tell(self.now_ns)
        yield from self._told([each for each in silenced if each is not alarm])

    def _broken_pause(self, priority: Priority) -> list[AttendedAlarm]:
        """End the audio pause where an alarm of this priority must be heard; those that it had
        silenced."""
        broken = self._pause is not None and self._pause.broken_by(priority)
        return self._unpause() if broken else []

    def _unpause(self) -> list[AttendedAlarm]:
        silenced = [a for a in self._alarms.values() if a.audio_paused and not a.acknowledged]
        for alarm in self._alarms.values():
            alarm.audio_paused = False
        self._pause = None
        return silenced

    def _told(self, alarms: list[AttendedAlarm]) -> tuple[Alert, ...]:
        return tuple(alarm.tell(self.now_ns) for alarm in alarms)
