"""What people do about alarms, and what alarms do while nobody does anything."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.actions import Acknowledge, AskStrip, PauseAudio
from edge.alarm import AlarmLimits
from edge.alarm.attendance_settings import AttendanceSettings
from edge.alert import AlarmKind as K
from edge.alert import Phase
from tests.edge.alarm.alarm_streams import (
    GOOD,
    OFF,
    beats_at,
    joined_s,
    merged,
    quality,
    rhythm,
    silences,
    steady_s,
)
from tests.edge.alarm.attended import (
    QUIET,
    attended,
    fed,
    since,
    slow,
    standstill,
    steps,
    two_standstills,
    until,
)

ME = Acknowledge("p", by="nurse")


def test_a_lethal_alarm_stays_after_its_condition_until_somebody_acknowledges_it():
    alarms = attended()
    start, latched = fed(alarms, standstill())
    assert steps([start, latched]) == [
        ("asystole", "start", "active", "enabled"),
        ("asystole", "update", "latched", "enabled"),
    ]
    assert latched.evidence["reason"] == "resolved"
    assert alarms.active == (latched,)
    outcome, (end,) = alarms.act(ME)
    assert (outcome.done, end.id, end.phase) == (True, start.id, Phase.END)
    assert (end.acknowledged_by, end.inactivation) == ("nurse", "acknowledged")
    assert alarms.active == ()


def test_a_condition_that_returns_before_that_goes_on_under_the_same_id():
    alarms = attended()
    told = fed(alarms, two_standstills())
    assert [(a.phase.value, a.state.value) for a in told] == [
        *(("start", "active"), ("update", "latched"), ("update", "active"), ("update", "latched")),
    ]
    assert len({(a.id, a.onset_ns) for a in told}) == 1
    assert told[2].evidence["recurrences"] == 1


def test_one_that_was_acknowledged_while_it_was_on_ends_with_its_condition():
    alarms, stream = attended(), standstill()
    fed(alarms, until(stream, 16))
    _, (told,) = alarms.act(ME)
    assert steps([told]) == [("asystole", "update", "active", "acknowledged")]
    (end,) = fed(alarms, since(stream, 16))
    assert steps([end]) == [("asystole", "end", "inactive", "acknowledged")]
    assert end.acknowledged_by == "nurse"


def test_what_does_not_latch_ends_by_itself():
    alarms = attended(AttendanceSettings(latching=(), reminder_s=QUIET.reminder_s))
    assert [a.phase.value for a in fed(alarms, standstill())] == ["start", "end"]


def test_an_alarm_whose_place_another_takes_does_not_latch():
    """The encoder says VF after an asystole alarm has begun: VF speaks for both."""
    beats = beats_at(steady_s(0.1, 10, 60))
    alarms = attended()
    told = fed(alarms, merged(quality(0, 30), beats, rhythm(0, 15), rhythm(15, 30, vf=0.95)))
    assert [(a.kind, a.phase.value) for a in told if a.phase is not Phase.UPDATE] == [
        *(("asystole", "start"), ("vf", "start"), ("asystole", "end")),
    ]


def test_one_of_two_alarms_is_acknowledged_by_its_id():
    alarms = attended()
    fed(alarms, merged(slow(40), silences(40, 50)))
    lost, brady = sorted(alarms.active, key=lambda a: a.kind, reverse=True)
    _, told = alarms.act(Acknowledge("p", lost.id, "me"))
    assert [a.id for a in told] == [lost.id]
    assert {a.id: a.inactivation.value for a in alarms.active} == {
        lost.id: "acknowledged",
        brady.id: "enabled",
    }


def test_an_answer_says_what_was_done_or_why_nothing_was():
    alarms = attended()
    assert alarms.act(ME)[0].text == "no alarm is on"
    assert alarms.act(Acknowledge("p", "x" * 999))[0].text == f"no alarm {'x' * 64!r} is on"
    assert not alarms.act(AskStrip("p"))[0].done
    fed(alarms, slow(20))
    assert alarms.act(ME)[0].text == "acknowledged: brady"
    again, told = alarms.act(ME)
    assert (again.done, again.text, told) == (True, "acknowledged before: brady", ())


def test_a_name_is_cut_to_what_a_message_takes():
    alarms = attended()
    fed(alarms, slow(20))
    _, (told,) = alarms.act(Acknowledge("p", by="\x1b[31m" + "n" * 99))
    assert told.acknowledged_by == "[31m" + "n" * 60


def test_a_higher_priority_asks_for_an_answer_again():
    """One of two electrodes is off: low. Then both: medium."""
    one_off, both_off = (OFF, GOOD), (OFF, OFF)
    alarms = attended()
    fed(alarms, quality(0, 10, *one_off))
    alarms.act(ME)
    assert alarms.active[0].inactivation == "acknowledged"
    (risen,) = fed(alarms, quality(10, 15, *both_off))
    assert (risen.priority, risen.inactivation, risen.acknowledged_by) == ("medium", "enabled", "")


def test_an_alarm_that_nobody_answers_is_repeated_and_counted():
    alarms = attended(AttendanceSettings(reminder_s={"medium": 60}))
    told = [a for a in fed(alarms, slow(200)) if a.reminder]
    assert [a.reminder for a in told] == [1, 2, 3]
    start_ns = 5_633_333_333
    assert [a.time_ns - start_ns for a in told] == [60_000_000_000 * n for n in (1, 2, 3)]


def test_a_latched_alarm_is_repeated_too():
    alarms = attended(AttendanceSettings(reminder_s={"high": 30}))
    told = fed(alarms, standstill(100))
    assert [a.reminder for a in told if a.state == "latched"] == [0, 1, 2]


def test_an_acknowledged_alarm_is_repeated_at_its_own_interval():
    settings = AttendanceSettings(
        reminder_s={"medium": 20}, acknowledged_reminder_s={"medium": 100}
    )
    alarms, stream = attended(settings), slow(220)
    fed(alarms, until(stream, 10))
    alarms.act(ME)
    reminded = [a for a in fed(alarms, since(stream, 10)) if a.reminder]
    assert [(a.reminder, a.inactivation.value) for a in reminded] == [
        *((1, "acknowledged"), (2, "acknowledged")),
    ]


def test_by_default_nothing_rises_and_a_day_of_a_medium_alarm_is_at_most_144_reminders():
    alarms = attended(AttendanceSettings())
    told = fed(alarms, slow(1300))
    assert {a.priority.value for a in told} == {"medium"}
    assert [a.reminder for a in told if a.reminder] == [1, 2]


def test_an_alarm_that_nobody_answers_rises_step_by_step():
    settings = AttendanceSettings(escalate_s={"low": 30, "medium": 60}, reminder_s=QUIET.reminder_s)
    alarms = attended(settings, limits=AlarmLimits(priorities={K.BRADY: "low"}))
    told = fed(alarms, slow(200))
    assert [(a.priority.value, a.evidence.get("escalated_from")) for a in told] == [
        *(("low", None), ("medium", "low"), ("high", "low")),
    ]
    gaps_s = [(after.time_ns - before.time_ns) / 1e9 for before, after in pairwise(told)]
    assert gaps_s == [pytest.approx(30, abs=1), pytest.approx(60, abs=1)]
    _, (answered,) = alarms.act(ME)
    assert (answered.priority, "escalated_from" in answered.evidence) == ("low", False)
    assert [a for a in fed(alarms, since(slow(400), 200)) if a.priority != "low"] == []


def test_a_condition_that_is_over_does_not_rise():
    settings = AttendanceSettings(
        latching=(K.BRADY,), escalate_s={"medium": 20}, reminder_s=QUIET.reminder_s
    )
    beats = beats_at(joined_s((0.1, 12, 45), (12.5, 90, 75)))
    told = fed(attended(settings), merged(quality(0, 90), beats))
    assert told[-1].state == "latched"
    assert {a.priority.value for a in told} == {"medium"}


def test_audio_is_paused_for_its_time_and_comes_back():
    alarms, stream = attended(), slow(100)
    fed(alarms, until(stream, 20))
    outcome, (silent,) = alarms.act(PauseAudio("p", 30))
    assert outcome.text == "audio paused for 30 s"
    assert (silent.inactivation, alarms.audio_paused) == ("audio_paused", True)
    (loud,) = fed(alarms, since(stream, 20))
    assert (loud.inactivation, alarms.audio_paused) == ("enabled", False)
    assert loud.time_ns - silent.time_ns == 30_000_000_000


def test_no_reminder_comes_while_audio_is_paused():
    settings = AttendanceSettings(reminder_s={"medium": 20})
    alarms, stream = attended(settings), slow(100)
    fed(alarms, until(stream, 20))
    alarms.act(PauseAudio("p", 60))
    told = fed(alarms, since(stream, 20))
    loud = next(k for k, a in enumerate(told) if a.inactivation == "enabled")
    assert all(a.reminder == 0 for a in told[: loud + 1])
    assert told[-1].reminder > 0


@pytest.mark.parametrize("for_s", [-1.0, 120.5, float("nan"), float("inf")])
def test_a_pause_of_another_length_is_refused(for_s):
    outcome, told = attended().act(PauseAudio("p", for_s))
    assert (outcome.done, told) == (False, ())
    assert "0 to 120 s" in outcome.text


def test_a_pause_cannot_be_drawn_out():
    alarms, stream = attended(), slow(200)
    fed(alarms, until(stream, 20))
    alarms.act(PauseAudio("p", 120))
    fed(alarms, since(until(stream, 120), 20))
    assert alarms.act(PauseAudio("p", 120))[0].text == "audio paused for 20 s"
    fed(alarms, since(until(stream, 141), 120))
    assert not alarms.audio_paused


def test_zero_seconds_end_a_pause():
    alarms = attended()
    fed(alarms, slow(20))
    assert alarms.act(PauseAudio("p", 0))[0].text == "audio was not paused"
    alarms.act(PauseAudio("p", 120))
    outcome, (told,) = alarms.act(PauseAudio("p", 0))
    assert (outcome.text, told.inactivation) == ("audio pause ended", "enabled")


def test_a_new_high_alarm_breaks_a_pause_for_all():
    beats = beats_at(steady_s(0.1, 30, 45))
    stream = merged(quality(0, 45), beats)
    alarms = attended()
    fed(alarms, until(stream, 25))
    alarms.act(PauseAudio("p", 120))
    told = fed(alarms, since(stream, 25))
    start = next(a for a in told if a.kind == "asystole")
    assert (start.phase, start.inactivation) == ("start", "enabled")
    assert not alarms.audio_paused


def test_a_new_alarm_that_is_no_more_urgent_begins_silent():
    alarms, stream = attended(), slow(40)
    fed(alarms, stream)
    alarms.act(PauseAudio("p", 120))
    told = fed(alarms, silences(40, 46))
    assert steps(told)[0] == ("signal_lost", "start", "active", "audio_paused")


def test_a_pause_without_an_alarm_is_broken_by_the_first():
    alarms = attended()
    fed(alarms, quality(0, 3))
    alarms.act(PauseAudio("p", 120))
    (start,) = fed(alarms, silences(3, 8))
    assert (start.kind, start.inactivation) == ("signal_lost", "enabled")


def test_a_rise_breaks_a_pause():
    settings = AttendanceSettings(escalate_s={"medium": 60}, reminder_s=QUIET.reminder_s)
    alarms, stream = attended(settings), slow(100)
    fed(alarms, until(stream, 20))
    alarms.act(PauseAudio("p", 120))
    (risen,) = fed(alarms, since(stream, 20))
    assert (risen.priority, risen.inactivation) == ("high", "enabled")


def test_silence_carries_the_time_of_reminders_on():
    alarms = attended(AttendanceSettings(reminder_s={"medium": 60}))
    fed(alarms, quality(0, 3))
    told = fed(alarms, silences(3, 140))
    assert {a.kind for a in told} == {"signal_lost"}
    assert {a.reminder for a in told} == {0, 1, 2}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reminder_s": {"high": 5.0}}, "reminder_s of high must be 0 for never, or at least 10"),
        ({"escalate_s": {"high": 60.0}}, "a high alarm cannot rise"),
    ],
)
def test_settings_that_flood_or_cannot_be_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        AttendanceSettings(**wrong)
