"""Every patient at a steady beat, and never many at once, for any number of them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.rounds import FEW, STEPS_MAX, TICK_NS, TICKS_OF_TOLD, TOLD_NS, Rounds
from firmware_bridge.stream import NS_PER_S

BEGAN_NS = 10**12
PATIENTS = st.integers(1, 1200)


def on_time(patients, for_ns):
    """Steps as (time, due), each taken at its time."""
    rounds, steps = Rounds(patients, BEGAN_NS), []
    while rounds.due_ns <= BEGAN_NS + for_ns:
        now_ns = rounds.due_ns
        steps += [(now_ns, each) for each in rounds.due(now_ns)]
    return steps


@given(PATIENTS)
def test_each_patient_is_looked_at_in_every_tick_and_told_of_in_every_second(patients):
    steps = on_time(patients, 3 * TOLD_NS)
    looked_at = Counter(number for _, due in steps for number in due.looked_at)
    told = Counter(number for _, due in steps for number in due.told)
    assert looked_at == dict.fromkeys(range(patients), 3 * TICKS_OF_TOLD)
    assert told == dict.fromkeys(range(patients), 3)
    assert sum(due.is_last for _, due in steps) == 3


@given(PATIENTS)
def test_the_beat_of_each_patient_is_steady(patients):
    seen_ns = {}
    for now_ns, due in on_time(patients, 3 * TOLD_NS):
        for number in due.told:
            seen_ns.setdefault(number, []).append(now_ns)
    slack_ns = STEPS_MAX * TICKS_OF_TOLD  # a tick is not always a whole number of steps
    for times_ns in seen_ns.values():
        for before_ns, after_ns in pairwise(times_ns):
            assert 0 <= TOLD_NS - (after_ns - before_ns) <= slack_ns


@given(PATIENTS)
def test_never_many_are_told_of_at_once(patients):
    most = max(len(due.told) for _, due in on_time(patients, TOLD_NS))
    assert most <= max(2 * FEW, -(-patients // (STEPS_MAX * TICKS_OF_TOLD)))


@given(PATIENTS)
def test_they_are_told_of_in_their_order(patients):
    told = [number for _, due in on_time(patients, TOLD_NS) for number in due.told]
    assert told == list(range(patients))


@given(PATIENTS, st.lists(st.integers(0, 3 * NS_PER_S), max_size=40))
def test_whoever_comes_late_passes_nobody_over_and_has_a_tick_to_make_up_for_at_most(
    patients, delays_ns
):
    rounds, now_ns, told = Rounds(patients, BEGAN_NS), BEGAN_NS, []
    for delay_ns in delays_ns:
        now_ns += delay_ns
        steps = list(rounds.due(now_ns))
        assert sum(len(each.looked_at) for each in steps) <= patients
        assert now_ns <= rounds.due_ns <= now_ns + TICK_NS
        told += [number for each in steps for number in each.told]
    assert told == [count % patients for count in range(len(told))]


def test_one_patient_wakes_nobody_more_often_than_needed():
    assert len(on_time(1, NS_PER_S)) == TICKS_OF_TOLD


def test_nobody_to_look_at():
    assert not any(due.looked_at or due.told for _, due in on_time(0, TOLD_NS))
