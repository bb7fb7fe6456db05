"""The alarms of one patient as the pipeline meets them, over restarts of the process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from edge.actions import Action
from edge.alarm.adjustable import Bounds
from edge.alarm.answers import Answer, answer
from edge.alarm.attendance import Attendance
from edge.alarm.attendance_settings import AttendanceSettings
from edge.alarm.extension import ExtendedAlarms, ExtensionRule
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine, SnapshotError
from edge.alarm.signal_state import SECOND_NS
from edge.alert import Alert, Phase
from edge.events import Observation, Silence, StorageFault, shifted

__all__ = ["RESTART_MAX_NS", "RESTART_MIN_NS", "AlarmSetup", "PatientAlarms"]

RESTART_MIN_NS = 1 * SECOND_NS
"""A restart takes at least this long: no evidence of before joins what comes after it, whatever
the wall clock says."""

RESTART_MAX_NS = 24 * 3600 * SECOND_NS
"""After a longer absence it is another day: conditions that were on end, and no silence is told."""

PROMPT_NS = 5 * SECOND_NS
"""A link that begins to deliver within this time of a fresh start begins at zero, so that how fast
it was opened changes no alarm's id."""


@dataclass(frozen=True, slots=True)
class AlarmSetup:
    """What the configuration says of one patient's alarms."""

    limits: AlarmLimits = field(default_factory=AlarmLimits)
    attendance: AttendanceSettings = field(default_factory=AttendanceSettings)
    bounds: Bounds = field(default_factory=dict)
    rules: list[ExtensionRule] = field(default_factory=list)


class _Snapshot(msgspec.Struct, forbid_unknown_fields=True):
    """The alarms, and the UTC time (ns since 1970) of the last that they had heard."""

    utc_ns: int
    state: dict[str, Any]
    version: Literal[1] = 1


class PatientAlarms:
    """Alarms that people attend to, and that outlive the process by their snapshot.

    The stream of a process begins at zero. Inside, stream time goes on where the snapshot was
    taken, later by the time in between; outside, what lies before this process has times below
    zero.
    """

    def __init__(self, attendance: Attendance, taken_utc_ns: int | None = None) -> None:
        """taken_utc_ns: of the snapshot that they are from, None where they begin."""
        self._attendance = attendance
        self._taken_utc_ns = taken_utc_ns
        self._away_ns: int | None = 0
        self._base_ns = self._silent_ns = 0

    @classmethod
    def begin(cls, setup: AlarmSetup, session: str) -> PatientAlarms:
        """Nothing is known yet. session: names the stream; part of every alarm id."""
        conditions = ExtendedAlarms(AlarmMachine(setup.limits, session), setup.rules, session)
        return cls(Attendance(conditions, setup.attendance, setup.bounds))

    @classmethod
    def restore(cls, snapshot: bytes, setup: AlarmSetup) -> PatientAlarms:
        """Goes on from a `snapshot`; `resume` must follow.

        Raises SnapshotError where the snapshot is damaged or of another version.
        """
        try:
            found = msgspec.json.decode(snapshot, type=_Snapshot)
        except msgspec.MsgspecError as error:
            raise SnapshotError(f"alarm snapshot: {error}") from error
        attendance = Attendance.restore(
            *(found.state, setup.limits, setup.rules, setup.attendance, setup.bounds)
        )
        return cls(attendance, found.utc_ns)

    def snapshot(self, utc_ns: int) -> bytes | None:
        """The state, `utc_ns` being the UTC time of `now_ns`; None between `restore` and
        `resume`, where no time of this process is known: the stored one holds."""
        if self._taken_utc_ns is not None:
            return None
        return msgspec.json.encode(_Snapshot(utc_ns, self._attendance.snapshot()))

    def resume(self, utc_ns: int) -> tuple[Alert, ...]:
        """To be called once, stream time zero being at `utc_ns`. After `restore`: every alarm
        that goes on, told once, with `interrupted_s` in its evidence, and what the time in
        between brings."""
        if self._taken_utc_ns is None:
            return ()
        away_ns = max(RESTART_MIN_NS, utc_ns - self._taken_utc_ns)
        self._taken_utc_ns = None
        self._base_ns = self._attendance.now_ns + away_ns
        before = {alert.id for alert in self._attendance.active}
        if away_ns > RESTART_MAX_NS:
            ended = self._attendance.give_up("restart")
            rest = self._attendance.confirm(before - {each.id for each in ended})
            return self._outward((*ended, *rest))
        self._away_ns = away_ns
        silence = Silence(self._base_ns, away_ns, "restart", restart=True)
        brought = self._attendance.observe(silence)
        interrupted_s = round(away_ns / SECOND_NS, 1)
        return self._outward(self._confirmed(before, brought, interrupted_s))

    def catch_up(self, lag_ns: int) -> None:
        """The stream goes on, but as much earlier than the silence told so far: it lasted while
        the device's own count stood still. From here on its time is later by that, so that the
        alarms' time neither stands still nor goes back."""
        if self._away_ns is None:  # else the first observation does so
            self._base_ns += lag_ns

    @property
    def now_ns(self) -> int:
        """Latest stream time observed, of this process: below zero right after a restart."""
        return self._attendance.now_ns - self._base_ns

    @property
    def active(self) -> tuple[Alert, ...]:
        """The latest alert of every alarm that is on or latched, most urgent first."""
        return self._outward(self._attendance.active)

    @property
    def audio_paused(self) -> bool:
        """Somebody has asked for silence, and it lasts."""
        return self._attendance.audio_paused

    @property
    def changed_limits(self) -> dict[str, float]:
        """Limits that people have moved since the start, by their name in `AlarmLimits`."""
        return self._attendance.changed_limits

    def observe(self, observation: Observation) -> tuple[Alert, ...]:
        """What this observation changes, and what has become due by its time."""
        if self._away_ns is not None:
            observation = self._since_restart(observation, self._away_ns)
        if self._base_ns:
            observation = shifted(observation, 0, self._base_ns)
        return self._outward(self._attendance.observe(observation))

    def act(self, action: Action) -> Answer:
        """Do what a person asks, and say what came of it."""
        outcome, told = answer(self._attendance, action)
        return outcome, self._outward(told)

    def _confirmed(
        self, before: set[str], brought: tuple[Alert, ...], interrupted_s: float
    ) -> tuple[Alert, ...]:
        """Every alarm of before that goes on, told once, and what else was brought."""
        going_on = {alert.id for alert in self._attendance.active} & before
        others = [a for a in brought if a.id not in before or a.phase is Phase.END]
        return (*self._attendance.confirm(going_on, interrupted_s=interrupted_s), *others)

    def _since_restart(self, observation: Observation, away_ns: int) -> Observation:
        """A link that has delivered nothing yet has been silent since before the start. Its
        stream begins when it delivers: later by the silence told so far."""
        if isinstance(observation, Silence):
            self._silent_ns = observation.silent_ns
            return replace(observation, silent_ns=observation.silent_ns + away_ns)
        if not isinstance(observation, StorageFault):
            if away_ns or self._silent_ns > PROMPT_NS:
                self._base_ns += self._silent_ns
            self._away_ns = None
        return observation

    def _outward(self, alerts: tuple[Alert, ...]) -> tuple[Alert, ...]:
        base_ns = self._base_ns
        if not base_ns:
            return alerts
        return tuple(
            replace(each, onset_ns=each.onset_ns - base_ns, time_ns=each.time_ns - base_ns)
            for each in alerts
        )
