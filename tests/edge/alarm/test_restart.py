"""Alarms over a restart of the process: the same id, no second start, the end arrives."""

from __future__ import annotations

import pytest

from edge.actions import Acknowledge
from edge.alarm import AlarmLimits, SnapshotError
from edge.alarm.attendance_settings import AttendanceSettings
from edge.alarm.patient import AlarmSetup, PatientAlarms
from edge.alert import AlarmKind as K
from edge.alert import Phase
from edge.events import Silence
from tests.edge.alarm.alarm_streams import S, beats_at, joined_s, merged, quality, steady_s
from tests.edge.alarm.attended import QUIET, attended, fed, slow, standstill, steps, until
from tests.edge.alarm.test_alarm_extension import SlowHeart, beat

UTC_NS = 1_790_000_000 * S
STOPPED = merged(quality(0, 16), beats_at(steady_s(0.1, 10, 60)))
"""A heart that stands still from 10 s on, watched up to 16 s."""


def restarted(alarms, away_s, setup=None):
    """The alarms in a new process, and what it tells at once."""
    kept = alarms.snapshot(UTC_NS)
    after = PatientAlarms.restore(kept, setup or AlarmSetup(attendance=QUIET))
    return after, after.resume(UTC_NS + round(away_s * S))


def beating(stop_s):
    return merged(quality(0, stop_s), beats_at(joined_s((0.1, stop_s, 60))))


def test_an_alarm_that_was_on_goes_on_under_its_id_and_ends():
    before = attended(AttendanceSettings(latching=(), reminder_s=QUIET.reminder_s))
    (start,) = fed(before, STOPPED)
    setup = AlarmSetup(attendance=AttendanceSettings(latching=()))
    after, told = restarted(before, 30, setup)
    assert {(a.id, a.phase.value) for a in told if a.kind == K.ASYSTOLE} == {(start.id, "update")}
    assert told[0].evidence["interrupted_s"] == 30.0
    later = fed(after, beating(30))
    ends = [a for a in later if a.kind == K.ASYSTOLE]
    assert [(a.id, a.phase.value) for a in ends] == [(start.id, "end")]
    assert after.active == ()


def test_times_go_on_where_the_snapshot_was_taken():
    before = attended()
    (start,) = fed(before, STOPPED)
    after, (again, *_) = restarted(before, 30)
    assert again.onset_ns == start.onset_ns - 46 * S
    assert again.time_ns == 0
    (latched,) = [a for a in fed(after, beating(20)) if a.kind == K.ASYSTOLE]
    assert (latched.state, latched.onset_ns) == ("latched", start.onset_ns - 46 * S)
    assert 0 < latched.time_ns < 20 * S


def test_the_time_in_between_is_told_as_a_lost_signal_and_then_ends():
    after, told = restarted(attended(), 30)
    assert steps(told) == [("signal_lost", "start", "active", "enabled")]
    assert (told[0].onset_ns, told[0].evidence) == (-30 * S, {"silent_s": 30.0})
    assert steps(fed(after, beating(20))) == [("signal_lost", "end", "inactive", "enabled")]


def test_a_restart_is_told_however_short_and_its_time_goes_on_until_the_link_delivers():
    settings = AttendanceSettings(reminder_s={"medium": 30})
    after, told = restarted(attended(settings), 1.5, AlarmSetup(attendance=settings))
    assert steps(told) == [("signal_lost", "start", "active", "enabled")]
    assert told[0].evidence == {"silent_s": 1.5}
    silences = [Silence(k * S, k * S) for k in range(1, 40)]
    (reminder,) = fed(after, silences)
    assert (reminder.reminder, reminder.evidence["silent_s"]) == (1, 31.5)


def test_nothing_heard_before_is_evidence_after():
    """The last beat before, and the first after it, 4.5 s later, are neither pause nor asystole."""
    before = attended()
    fed(before, merged(quality(0, 20), beats_at(steady_s(0.1, 20, 60))))
    after, told = restarted(before, 1)
    late = merged(quality(0, 15), beats_at(steady_s(3.5, 15, 60), first_rr_ms=None))
    assert {a.kind for a in [*told, *fed(after, late)]} <= {"signal_lost"}


def test_the_stream_begins_when_the_link_delivers():
    """Silence told before the first sample moves the new stream, not the alarms' past."""
    before = attended()
    (start,) = fed(before, STOPPED)
    after, _ = restarted(before, 10)
    fed(after, [Silence(k * S, k * S) for k in range(1, 6)])
    (latched,) = [a for a in fed(after, beating(20)) if a.state == "latched"]
    assert latched.onset_ns == start.onset_ns - (16 + 10 + 5) * S


def test_latched_stays_latched_and_acknowledged_stays_acknowledged():
    latched = attended()
    fed(latched, standstill(40))
    after, told = restarted(latched, 60)
    assert steps(told)[0] == ("asystole", "update", "latched", "enabled")
    assert steps(after.act(Acknowledge("p"))[1])[0] == (
        *("asystole", "end", "inactive", "acknowledged"),
    )
    acknowledged = attended()
    fed(acknowledged, slow(20))
    acknowledged.act(Acknowledge("p", by="nurse"))
    after, told = restarted(acknowledged, 60)
    assert steps(told)[0] == ("brady", "update", "active", "acknowledged")
    assert told[0].acknowledged_by == "nurse"


def test_what_had_ended_is_not_told_again():
    before = attended()
    fed(before, standstill(40))
    before.act(Acknowledge("p"))
    after, told = restarted(before, 2)
    assert [a.kind for a in told] == ["signal_lost"]
    assert [a for a in fed(after, beating(20)) if a.kind == K.ASYSTOLE] == []


def test_a_snapshot_of_a_snapshot_goes_on_too():
    alarms = attended()
    (start,) = fed(alarms, STOPPED)
    for _ in range(3):
        alarms, told = restarted(alarms, 5)
        assert told[0].id == start.id
    assert told[0].onset_ns == start.onset_ns - (16 + 3 * 5) * S


def test_after_more_than_a_day_conditions_end_and_what_latches_waits():
    before = attended()
    fed(before, merged(quality(0, 40), beats_at(steady_s(0.1, 40, 45))))
    after, told = restarted(before, 25 * 3600)
    assert steps(told) == [("brady", "end", "inactive", "enabled")]
    assert told[0].evidence["reason"] == "restart"
    assert after.active == ()
    before = attended()
    fed(before, STOPPED)
    after, told = restarted(before, 25 * 3600)
    assert steps(told) == [("asystole", "update", "latched", "enabled")]
    assert fed(after, beating(20)) == []


@pytest.mark.parametrize("away_s", [-10 * 365 * 86400, 0, 0.2])
def test_a_wall_clock_that_went_back_changes_nothing_but_the_labels(away_s):
    before = attended()
    (start,) = fed(before, STOPPED)
    after, told = restarted(before, away_s)
    assert told[0].id == start.id
    assert told[0].evidence["interrupted_s"] == 1.0
    asystoles = [a for a in fed(after, beating(20)) if a.kind == K.ASYSTOLE]
    assert [a.state.value for a in asystoles] == ["latched"]


def test_an_alarm_of_a_kind_that_is_disabled_now_ends():
    before = attended()
    (start,) = fed(before, until(slow(20), 20))
    setup = AlarmSetup(limits=AlarmLimits(disabled=(K.BRADY,)), attendance=QUIET)
    after, told = restarted(before, 2, setup)
    ends = [a for a in [*told, *fed(after, beating(3))] if a.phase is Phase.END]
    assert [(a.id, a.evidence["reason"]) for a in ends] == [(start.id, "disabled")]


def test_an_alarm_of_a_rule_that_is_gone_ends_and_one_that_is_there_goes_on():
    before = attended(rules=[SlowHeart()])
    fed(before, quality(0, 3))
    (start,) = fed(before, [beat(4, 1800.0)])
    kept = before.snapshot(UTC_NS)
    gone = PatientAlarms.restore(kept, AlarmSetup(attendance=QUIET))
    told = [*gone.resume(UTC_NS + S), *gone.observe(beat(2, 800.0))]
    of_rule = [(a.id, a.phase.value) for a in told if a.kind == SlowHeart.kind]
    assert of_rule == [(start.id, "end")]
    rule = SlowHeart()
    rule._evidence = {"rr_ms": 1800.0}
    there = PatientAlarms.restore(kept, AlarmSetup(attendance=QUIET, rules=[rule]))
    there.resume(UTC_NS + S)
    assert start.id in [a.id for a in there.active]


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"\\x00\\xff", b"[]", b"{}", b'{"utc_ns": 1, "state": {}}'),
        b'{"utc_ns": 1, "state": {}, "version": 2}',
    ],
)
def test_a_damaged_or_foreign_snapshot_is_refused_with_one_error(damage):
    with pytest.raises(SnapshotError, match="alarm snapshot: "):
        PatientAlarms.restore(damage, AlarmSetup())


def test_every_cut_of_a_snapshot_is_refused():
    alarms = attended()
    fed(alarms, STOPPED)
    kept = alarms.snapshot(UTC_NS)
    for size in range(0, len(kept), 97):
        with pytest.raises(SnapshotError):
            PatientAlarms.restore(kept[:size], AlarmSetup())


def test_a_snapshot_taken_right_after_a_restart_is_that_of_before():
    """Killed again before anything came: nothing is lost."""
    before = attended()
    (start,) = fed(before, STOPPED)
    after, _ = restarted(before, 5)
    again = PatientAlarms.restore(after.snapshot(UTC_NS + 5 * S), AlarmSetup(attendance=QUIET))
    told = again.resume(UTC_NS + 8 * S)
    assert [a.id for a in told if a.kind == K.ASYSTOLE] == [start.id]
    lost = [a.phase.value for a in told if a.kind == K.SIGNAL_LOST]
    assert set(lost) == {"update"}


def test_an_alarm_that_goes_on_is_told_once_and_says_how_long_nothing_was_known():
    """Also where a reminder and a change have come due meanwhile."""
    setup = AlarmSetup(attendance=AttendanceSettings(reminder_s={"high": 60}))
    before = attended(setup.attendance)
    (start,) = fed(before, STOPPED)
    after, told = restarted(before, 300, setup)
    (again,) = [each for each in told if each.id == start.id]
    assert (again.evidence["interrupted_s"], again.evidence["held"]) == (300.0, "signal_lost")
    assert [a for a in fed(after, beating(4)) if a.id == start.id] == []


def test_before_it_resumes_there_is_no_state_to_be_kept():
    before = attended()
    fed(before, STOPPED)
    after = PatientAlarms.restore(before.snapshot(UTC_NS), AlarmSetup(attendance=QUIET))
    assert after.snapshot(UTC_NS) is None
    after.resume(UTC_NS + S)
    assert after.snapshot(UTC_NS) is not None


def test_a_device_that_connects_late_finds_time_going_on():
    after = attended()
    (lost,) = fed(after, [Silence(k * S, k * S) for k in range(1, 601)])
    alerts = fed(after, STOPPED)
    assert [a.phase.value for a in alerts if a.id == lost.id] == ["end"]
    (asystole,) = [a for a in alerts if a.kind == K.ASYSTOLE]
    assert (asystole.onset_ns, asystole.time_ns) == (round(9.1 * S), 14 * S)
    assert after.now_ns == 16 * S


def test_after_more_than_a_day_a_device_may_connect_late_too():
    after, _ = restarted(attended(), 25 * 3600)
    fed(after, [Silence(k * S, k * S) for k in range(1, 601)])
    fed(after, beating(10))
    assert after.now_ns == 10 * S


def test_how_fast_a_link_is_opened_changes_no_id():
    prompt, slower = attended(), attended()
    fed(slower, [Silence(k * S, k * S) for k in range(1, 4)])
    assert fed(prompt, STOPPED) == fed(slower, STOPPED)
