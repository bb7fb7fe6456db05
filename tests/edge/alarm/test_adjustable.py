"""Limits that people move while the monitor runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.actions import SetLimits
from edge.alarm.adjustable import check_bounds
from edge.alert import AlarmKind as K
from tests.edge.alarm.alarm_streams import beats_at, merged, quality, steady_s
from tests.edge.alarm.attended import attended, fed, since, steps, until

BOUNDS = {"tachy_bpm": (100.0, 150.0), "vt_beats": (4, 8)}


def asked(alarms, **limits):
    return alarms.act(SetLimits("p", limits))[0]


def test_a_limit_moves_at_once_and_what_was_heard_still_counts():
    """125 beats a minute: above the limit of 120, until that is 135."""
    stream = merged(quality(0, 60), beats_at(steady_s(0.1, 60, 125)))
    alarms = attended(bounds=BOUNDS)
    assert steps(fed(alarms, until(stream, 30))) == [("tachy", "start", "active", "enabled")]
    outcome = asked(alarms, tachy_bpm=135)
    assert (outcome.done, outcome.text) == (True, "tachy_bpm is 135, was 120")
    assert alarms.changed_limits == {"tachy_bpm": 135.0}
    assert steps(fed(alarms, since(stream, 30))) == [("tachy", "end", "inactive", "enabled")]
    assert asked(alarms, tachy_bpm=110).text == "tachy_bpm is 110, was 135"
    (start,) = fed(alarms, since(merged(quality(0, 120), beats_at(steady_s(60, 120, 125))), 60.5))
    assert (start.kind, start.evidence["limit_bpm"]) == (K.TACHY, 110.0)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"tachy_bpm": 151.0}, "tachy_bpm of 151 is outside 100 to 150"),
        ({"tachy_bpm": float("nan")}, "outside 100 to 150"),
        ({"tachy_bpm": 145.0}, r"tachy_bpm \(145.0\) must be below extreme_tachy_bpm \(140.0\)"),
        ({"vt_beats": 4.5}, "vt_beats of 4.5: expected `int`"),
        ({"asystole_s": 9.0}, "'asystole_s' may not be changed; those that may: tachy_bpm, vt_be"),
        ({"disabled": 1.0}, "'disabled' may not be changed"),
        ({"tachy_bpm": 110.0, "af_s": 20.0}, "'af_s' may not be changed"),
    ],
)
def test_what_is_not_open_or_too_far_or_contradicts_is_refused_and_changes_nothing(limits, said):
    alarms = attended(bounds=BOUNDS)
    outcome = asked(alarms, **limits)
    assert not outcome.done
    with pytest.raises(ValueError, match=said):
        raise ValueError(outcome.text)
    assert alarms.changed_limits == {}


def test_by_default_no_limit_is_open():
    assert asked(attended(), tachy_bpm=125.0).text.endswith("those that may: none")


def test_nothing_named_is_nothing_done():
    assert asked(attended(bounds=BOUNDS)).text == "no limit was named"


def test_a_whole_number_may_come_as_a_float():
    alarms = attended(bounds=BOUNDS)
    assert asked(alarms, vt_beats=6.0).done
    assert alarms.changed_limits == {"vt_beats": 6}


@given(st.dictionaries(st.text(max_size=40), st.floats() | st.integers(-(2**70), 2**70)))
def test_whatever_is_asked_the_answer_is_words(limits):
    outcome, _ = attended(bounds=BOUNDS).act(SetLimits("p", limits))
    assert outcome.text
    assert len(outcome.text) < 300


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"tachy": (100, 150)}, "'tachy' is no limit that is a number; known: asystole_s,"),
        ({"flat_is_asystole": (0, 1)}, "no limit that is a number"),
        ({"tachy_bpm": (150, 100)}, "the lower bound 150 is above the upper bound 100"),
        ({"tachy_bpm": (10, 150)}, "tachy_bpm of 10: expected `float` >= 70"),
        ({"tachy_bpm": (100, 999)}, "tachy_bpm of 999: expected `float` <= 250"),
    ],
)
def test_bounds_that_no_limit_could_keep_are_refused(bounds, said):
    with pytest.raises(ValueError, match=said):
        check_bounds(bounds)
