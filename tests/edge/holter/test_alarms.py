"""Alarm conditions from the steps of their alarms."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.holter import alarms
from edge.holter.alarms import AlarmLog, by_severity
from edge.record.notes import AlertNote

S = 10**9


def step(second, phase="update", state="active", name="a", kind="vt", priority="high", onset=10):
    about = (name, kind, "physiological", priority, phase)
    return AlertNote(second * S, *about, onset * S, {"bpm": second}, state)


def logged(*steps, stop=1000):
    log = AlarmLog()
    for each in steps:
        log.add(each, 0)
    return [
        (each.onset_ns // S, each.end_ns // S, each.ended, each.priority)
        for each in log.done(stop * S)
    ]


def test_a_condition_lasts_from_onset_to_end():
    assert logged(step(13, "start"), step(20), step(31, "end")) == [(10, 31, True, "high")]


def test_a_latched_alarm_ends_where_its_condition_does():
    steps = (step(13, "start"), step(20, state="latched"), step(140, state="latched"))
    assert logged(*steps, step(500, "end", "inactive")) == [(10, 20, True, "high")]


def test_a_condition_that_returns_is_another():
    steps = (step(13, "start"), step(20, state="latched"), step(60), step(70, state="latched"))
    assert logged(*steps) == [(10, 20, True, "high"), (60, 70, True, "high")]


def test_a_condition_without_an_end_lasts_until_that_of_the_recording():
    assert logged(step(13, "start"), stop=90) == [(10, 90, False, "high")]


def test_the_highest_priority_counts():
    steps = (step(13, "start", priority="low"), step(15, priority="medium"))
    assert logged(*steps, step(20, "end", priority="low")) == [(10, 20, True, "medium")]


def test_an_end_alone_tells_nothing():
    assert logged(step(500, "end", "inactive")) == []


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(alarms, "ALARMS_MAX", 3)
    log = AlarmLog()
    for number in range(5):
        log.add(step(13, "start", name=str(number)), 0)
    assert len(log.done(100 * S)) == 3
    assert log.left_out == 2


def test_the_gravest_comes_first():
    log = AlarmLog()
    for name, kind, priority in (("1", "af", "low"), ("2", "vt", "high"), ("3", "vf", "high")):
        log.add(step(13, "start", name=name, kind=kind, priority=priority), 0)
    assert [each.kind for each in sorted(log.done(20 * S), key=by_severity)] == ["vf", "vt", "af"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["start", "update", "end", "?"]),
            st.sampled_from(["active", "latched", "inactive", "?"]),
            st.sampled_from("ab"),
            st.sampled_from(["high", "low", "?"]),
        ),
        max_size=20,
    )
)
def test_any_steps_make_conditions_that_do_not_overlap(steps):
    log = AlarmLog()
    for second, (phase, state, name, priority) in enumerate(steps, 20):
        log.add(step(second, phase, state, name, priority=priority), 0)
    found = log.done(100 * S)
    assert all(each.onset_ns <= each.end_ns for each in found)
    for name in "ab":
        own = [each for each in found if each.id == name]
        assert all(a.end_ns <= b.onset_ns for a, b in pairwise(own))
