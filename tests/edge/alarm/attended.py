"""Attended alarms over synthetic streams, for the tests of the life of an alarm."""

from __future__ import annotations

from collections.abc import Iterable

from edge.alarm import AlarmLimits
from edge.alarm.attendance_settings import AttendanceSettings
from edge.alarm.patient import AlarmSetup, PatientAlarms
from edge.alert import Alert
from edge.events import Observation
from tests.edge.alarm.alarm_streams import beats_at, joined_s, known_ns, merged, quality, steady_s

QUIET = AttendanceSettings(reminder_s={"high": 0, "medium": 0})
"""Latching as by default, and no reminders."""


def attended(
    attendance: AttendanceSettings = QUIET, bounds=None, limits: AlarmLimits | None = None, rules=()
) -> PatientAlarms:
    """Alarms of a patient of whom nothing is known."""
    setup = AlarmSetup(limits or AlarmLimits(), attendance, bounds or {}, list(rules))
    return PatientAlarms.begin(setup, "s")


def fed(alarms: PatientAlarms, stream: Iterable[Observation]) -> list[Alert]:
    """All alerts over a stream."""
    return [alert for observation in stream for alert in alarms.observe(observation)]


def until(stream: list[Observation], time_s: float) -> list[Observation]:
    """What is known before a time."""
    return [each for each in stream if known_ns(each) < time_s * 1e9]


def since(stream: list[Observation], time_s: float) -> list[Observation]:
    """What becomes known from a time on."""
    return [each for each in stream if known_ns(each) >= time_s * 1e9]


def standstill(stop_s: int = 60) -> list[Observation]:
    """A heart that stands still from 10 s to 20 s and beats on to the end."""
    return merged(quality(0, stop_s), beats_at(joined_s((0.1, 10, 60), (20.1, stop_s, 60))))


def two_standstills(stop_s: int = 90) -> list[Observation]:
    """Standstills from 10 s to 20 s, and from 40 s to 50 s."""
    beats = joined_s((0.1, 10, 60), (20.1, 40, 60), (50.1, stop_s, 60))
    return merged(quality(0, stop_s), beats_at(beats))


def slow(stop_s: int, bpm: float = 45.0) -> list[Observation]:
    """A slow heart: an alarm of medium priority that stays on."""
    return merged(quality(0, stop_s), beats_at(steady_s(0.1, stop_s, bpm)))


def steps(alerts: Iterable[Alert]) -> list[tuple[str, str, str, str]]:
    """Kind, phase, state and inactivation of each."""
    return [(a.kind, a.phase.value, a.state.value, a.inactivation.value) for a in alerts]
