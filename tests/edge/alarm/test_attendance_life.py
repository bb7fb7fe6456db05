"""Properties of attended alarms over random streams and actions."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.actions import Acknowledge, PauseAudio
from edge.alarm import AlarmMachine, SnapshotError
from edge.alarm.answers import answer
from edge.alarm.attendance import Attendance
from edge.alarm.attendance_settings import AttendanceSettings
from edge.alarm.extension import ExtendedAlarms
from edge.alarm.patient import RESTART_MIN_NS, AlarmSetup, PatientAlarms
from edge.alert import AlarmState, Alert, Inactivation, Phase
from edge.events import shifted
from tests.edge.alarm.alarm_streams import S
from tests.edge.alarm.attended import since, until
from tests.edge.alarm.test_alarm_machine import LIMITS, anything, plausible

UTC_NS = 1_790_000_000 * S

BUSY = AttendanceSettings(
    latching=("asystole", "vf", "brady"),
    reminder_s={"high": 10, "medium": 15, "low": 20},
    acknowledged_reminder_s={"high": 20, "medium": 20, "low": 20},
    escalate_s={"low": 10, "medium": 10},
)
ACTIONS = st.sampled_from(
    [Acknowledge("p"), Acknowledge("p", by="me"), PauseAudio("p", 5), PauseAudio("p", 0)]
)


@st.composite
def happenings(draw):
    """Observations, and here and there what a person asks."""
    stream = draw(st.one_of(plausible(), st.lists(anything, max_size=60)))
    asked = draw(st.lists(st.tuples(st.integers(0, len(stream)), ACTIONS), max_size=6))
    for position, action in sorted(asked, key=lambda each: -each[0]):
        stream.insert(position, action)
    return stream


def fresh():
    return Attendance(ExtendedAlarms(AlarmMachine(LIMITS, "s"), (), "s"), BUSY, {})


def fed(attendance: Attendance, happened) -> list[Alert]:
    told: list[Alert] = []
    for each in happened:
        if isinstance(each, Acknowledge | PauseAudio):
            told += answer(attendance, each)[1]
        else:
            told += attendance.observe(each)
    return told


@settings(max_examples=35, deadline=None)
@given(happenings(), st.data())
def test_a_restart_anywhere_changes_nothing_that_is_told(happened, data):
    cut = data.draw(st.integers(0, len(happened)))
    whole, before = fresh(), fresh()
    expected = fed(whole, happened)
    told = fed(before, happened[:cut])
    kept = json.loads(json.dumps(before.snapshot()))
    after = Attendance.restore(kept, LIMITS, [], BUSY, {})
    assert after.active == before.active
    assert told + fed(after, happened[cut:]) == expected
    assert after.snapshot() == whole.snapshot()


@settings(max_examples=35, deadline=None)
@given(happenings())
def test_every_alarm_lives_one_orderly_life(happened):
    attendance = fresh()
    lives = defaultdict(list)
    for alert in fed(attendance, happened):
        lives[alert.id].append(alert)
    on = {alert.id: alert for alert in attendance.active}
    for name, alerts in lives.items():
        phases = [alert.phase for alert in alerts]
        assert phases[0] is Phase.START
        assert all(phase is Phase.UPDATE for phase in phases[1:-1])
        assert (phases[-1] is Phase.END) == (name not in on)
        assert len({(alert.kind, alert.onset_ns) for alert in alerts}) == 1
        assert [a.reminder for a in alerts] == sorted(a.reminder for a in alerts)
        for alert in alerts:
            acknowledged = alert.inactivation is Inactivation.ACKNOWLEDGED
            assert acknowledged or not alert.acknowledged_by
            assert (alert.phase is Phase.END) == (alert.state is AlarmState.INACTIVE)
            assert not (alert.state is AlarmState.LATCHED and acknowledged)
    kinds = [alert.kind for alert in on.values()]
    assert len(kinds) == len(set(kinds))
    assert [lives[name][-1] for name in on] == [*on.values()]


@settings(max_examples=20, deadline=None)
@given(happenings())
def test_nobody_and_nothing_keeps_a_condition_from_being_told(happened):
    """Each start of a condition is told at once, as a start or as the return of a latched one."""
    machine, attendance = AlarmMachine(LIMITS, "s"), fresh()
    for each in happened:
        told = fed(attendance, [each])
        if isinstance(each, Acknowledge | PauseAudio):
            continue
        begun = [a.kind for a in machine.observe(each) if a.phase is Phase.START]
        heard = {a.kind for a in told if a.state is AlarmState.ACTIVE}
        assert set(begun) <= heard
        assert {a.kind for a in machine.active} <= {a.kind for a in attendance.active}


@pytest.mark.parametrize("part", ["conditions", "alarms", "pause"])
def test_a_snapshot_without_a_part_or_with_a_strange_one_is_refused(part):
    whole = fresh().snapshot()
    for damaged in ({k: v for k, v in whole.items() if k != part}, {**whole, part: "strange"}):
        with pytest.raises(SnapshotError, match="alarm snapshot: "):
            Attendance.restore(damaged, LIMITS, [], BUSY, {})


def test_a_snapshot_whose_parts_contradict_each_other_is_refused():
    attendance = fresh()
    kept = attendance.snapshot()
    kept["conditions"]["active"] = {}
    stray = {"id": "x", "kind": "mine", "type": "physiological", "priority": "low"}
    kept["conditions"]["active"]["mine"] = {**stray, "phase": "start", "onset_ns": 0, "time_ns": 0}
    with pytest.raises(SnapshotError, match="contradict"):
        Attendance.restore(kept, LIMITS, [], BUSY, {})


@settings(max_examples=35, deadline=None)
@given(plausible(), st.integers(0, 60), st.sampled_from([0.3, 2.0, 30.0, 3600.0]))
def test_a_new_process_goes_on_where_the_old_one_stopped(stream, cut_s, away_s):
    """Killed at any second: what was on goes on under its id and onset, once; what had ended
    stays ended."""
    setup = AlarmSetup(LIMITS, BUSY)
    before = PatientAlarms.begin(setup, "s")
    first = [a for each in until(stream, cut_s) for a in before.observe(each)]
    on = {alert.id: alert for alert in before.active}
    after = PatientAlarms.restore(before.snapshot(UTC_NS), setup)
    resumed = after.resume(UTC_NS + round(away_s * S))
    confirmed = [a for a in resumed if a.id in on]
    assert sorted(a.id for a in confirmed) == sorted(on)
    standing_on = {a.id for a in confirmed if a.phase is Phase.UPDATE}
    assert standing_on == {a.id for a in after.active} & set(on)
    away_ns = max(RESTART_MIN_NS, round(away_s * S))
    shift_ns = before.now_ns + away_ns
    assert {a.id: a.onset_ns + shift_ns for a in confirmed} == {
        name: alert.onset_ns for name, alert in on.items()
    }
    begun = [shifted(each, 0, -cut_s * S) for each in since(stream, cut_s)]
    told = [*resumed, *(a for each in begun for a in after.observe(each))]
    started = [a.id for a in [*first, *told] if a.phase is Phase.START]
    assert len(started) == len(set(started))
    ended = {a.id for a in first if a.phase is Phase.END}
    assert ended.isdisjoint(a.id for a in told)
    assert {a.id for a in told} <= {*on, *started}
    standing = {a.kind for a in on.values()}
    for alert in told:
        assert not (alert.phase is Phase.START and alert.kind in standing)
        if alert.phase is Phase.END:
            standing.discard(alert.kind)
        else:
            standing.add(alert.kind)
