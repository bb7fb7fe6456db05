"""Rules that are asked only when their answer may change give what rules asked always give."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alarm import AlarmLimits, AlarmMachine
from edge.alarm.rota import ROUSED, Rota
from edge.alert import AlarmKind, Alert
from edge.events import AnalysisLimited, BeatsKnown, Observation, StorageFault, ToldRate
from tests.edge.alarm.alarm_streams import (
    S,
    beats_at,
    by_encoder,
    joined_s,
    labelled_beats,
    merged,
    quality,
    rhythm,
    silences,
    starts,
    steady_s,
)
from tests.edge.alarm.test_alarm_machine import LIMITS, streams, times

rest = st.one_of(
    st.builds(BeatsKnown, times, times),
    st.builds(StorageFault, times, st.sampled_from(["", "disk full"])),
    st.builds(AnalysisLimited, times, st.sampled_from(["", "failed", "behind"])),
    st.builds(ToldRate, times, st.floats(20, 300)),
)


def told(stream: list[Observation], limits: AlarmLimits, always: bool) -> list[list[Alert]]:
    """The alerts of each observation. always: every rule is asked at every one."""
    machine = AlarmMachine(limits, "s")
    alerts = []
    for observation in stream:
        if always:
            machine.set_limits(limits)  # rules are asked afresh
        alerts.append([*machine.observe(observation)])
    return alerts


@settings(max_examples=40, deadline=None)
@given(streams, st.lists(st.tuples(st.integers(0, 60), rest), max_size=8))
def test_asking_fewer_rules_changes_no_alert(
    stream: list[Observation], more: list[tuple[int, Observation]]
) -> None:
    for place, observation in more:
        stream.insert(place, observation)
    assert told(stream, LIMITS, always=False) == told(stream, LIMITS, always=True)


BEATS = beats_at(joined_s((0.1, 20, 75), (20.2, 40, 170), (40.5, 60, 38), (64, 90, 75)), "N")
VENTRICULAR = labelled_beats(
    steady_s(0.1, 40, 110), "N" * 20 + "V" * 8 + "N" * 20 + "VVV" + "N" * 23
)


@pytest.mark.parametrize(
    "stream",
    [
        merged(quality(0, 90), BEATS),
        merged(quality(0, 90), BEATS, rhythm(0, 90, af=0.9, vt=0.1, vf=0.0)),
        merged(quality(0, 90), by_encoder(BEATS, 0.4), rhythm(0, 90, vf=0.8)),
        merged(quality(0, 40), VENTRICULAR),
        merged(quality(0, 40), by_encoder(VENTRICULAR)),
        merged(quality(0, 40), VENTRICULAR, rhythm(0, 20, vt=0.9), rhythm(20, 40, vt=0.0)),
        [*merged(quality(0, 20), beats_at(steady_s(0.1, 20, 30))), *silences(20, 60)],
        [*quality(0, 10), *quality(10, 20, missing=1.0), *quality(20, 40)],
        [*quality(0, 3), StorageFault(3 * S, "full"), *quality(3, 6), StorageFault(7 * S)],
        [*quality(0, 3), AnalysisLimited(3 * S, "failed"), *quality(3, 20), *silences(20, 40)],
    ],
    ids=range(10),
)
def test_asking_fewer_rules_changes_no_alert_of_a_clinical_course(
    stream: list[Observation],
) -> None:
    alerts = told(stream, AlarmLimits(), always=False)
    assert starts(each for some in alerts for each in some)
    assert alerts == told(stream, AlarmLimits(), always=True)


def test_every_rule_is_roused_by_something() -> None:
    assert frozenset().union(*ROUSED.values()) == frozenset(AlarmKind)


def test_a_settled_condition_waits_until_it_is_roused() -> None:
    rota = Rota()
    beats_known, stored = BeatsKnown(S, S), StorageFault(S)
    assert AlarmKind.TACHY in rota.asked(beats_known)
    for kind in AlarmKind:
        rota.settle(kind)
    assert [*rota.asked(beats_known)] == [AlarmKind.ASYSTOLE]
    rota.unsettle(AlarmKind.TACHY)
    assert [*rota.asked(stored)] == [AlarmKind.TACHY, AlarmKind.STORAGE_FAULT]
