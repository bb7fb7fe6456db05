"""The life of an alarm: ids, phases, refractory time, snapshot; properties over random streams."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alarm import AlarmLimits, AlarmMachine, SnapshotError
from edge.alert import AlarmKind as K
from edge.alert import Alert, Phase
from edge.events import (
    Beat,
    BeatClass,
    BeatLabel,
    LeadQuality,
    Observation,
    Quality,
    Rhythm,
    Silence,
)
from tests.edge.alarm.alarm_streams import (
    S,
    beats_at,
    first,
    known_ns,
    merged,
    quality,
    rhythm,
    run,
    starts,
    steady_s,
)

LIMITS = AlarmLimits(blind_s=0.0, end_s=2.0, refractory_s=5.0, poor_signal_s=3.0, af_s=10)

times = st.integers(0, 60 * S)
bits = st.booleans()
leads = st.builds(LeadQuality, st.floats(0, 1), bits, bits, bits, bits)
shares = st.sampled_from([0.0, 0.0, 0.0, 0.3, 1.0])
labels = st.sampled_from([BeatClass.N, BeatClass.V, BeatClass.V, BeatClass.S, BeatClass.UNKNOWN])
probabilities = st.dictionaries(
    st.sampled_from(["af", "vt", "vf", "noise", "normal"]), st.floats(0, 1), max_size=5
)
anything = st.one_of(
    st.builds(Beat, st.just(0), times, times, st.just(0), st.none() | st.floats(), st.just(900.0)),
    st.builds(BeatLabel, times, times, labels, st.floats(0, 1)),
    st.builds(Quality, times, st.tuples(leads) | st.tuples(leads, leads) | st.just(()), shares),
    st.builds(Rhythm, times, probabilities),
    st.builds(Silence, times, times),
)


@st.composite
def plausible(draw: st.DrawFn) -> list[Observation]:
    """A minute of segments, each of one rate, class, quality and encoder opinion."""
    start, found = 0, []
    while start < 60:
        stop = start + draw(st.integers(1, 12))
        bpm = draw(st.sampled_from([0, 30, 45, 75, 130, 170]))
        lead = draw(
            st.sampled_from(
                [LeadQuality(0.9)] * 3
                + [LeadQuality(0.1, noisy=True), LeadQuality(0.0, lead_off=True)]
            )
        )
        vf = draw(st.sampled_from([0.0, 0.0, 0.9]))
        found += [*quality(start, stop, lead), *rhythm(start, stop, vf=vf, vt=vf, af=0.5)]
        if bpm:
            found += beats_at(steady_s(start + 0.1, stop, bpm), draw(labels).value, 60000 / bpm)
        start = stop
    return merged(found)


streams = st.one_of(plausible(), st.lists(anything, max_size=60))


def fed(machine: AlarmMachine, stream: list[Observation]) -> list[Alert]:
    """All alerts of a machine over a stream."""
    return [alert for observation in stream for alert in machine.observe(observation)]


@settings(max_examples=60, deadline=None)
@given(streams, st.data())
def test_snapshot_and_restore_change_nothing(
    stream: list[Observation], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(stream)))
    whole = AlarmMachine(LIMITS, "s")
    expected = fed(whole, stream)
    before = AlarmMachine(LIMITS, "s")
    alerts = fed(before, stream[:cut])
    after = AlarmMachine.restore(json.loads(json.dumps(before.snapshot())), LIMITS)
    assert after.active == before.active
    alerts += fed(after, stream[cut:])
    assert alerts == expected
    assert after.snapshot() == whole.snapshot()


@settings(max_examples=60, deadline=None)
@given(streams)
def test_every_alarm_lives_one_orderly_life(stream: list[Observation]) -> None:
    machine = AlarmMachine(LIMITS, "s")
    lives: dict[str, list[Alert]] = defaultdict(list)
    for observation in stream:
        for alert in machine.observe(observation):
            lives[alert.id].append(alert)
            json.dumps(alert.evidence, allow_nan=False)
            assert alert.time_ns == machine.now_ns
        kinds = [alert.kind for alert in machine.active]
        assert len(kinds) == len(set(kinds))
        assert [a.priority.rank for a in machine.active] == sorted(
            a.priority.rank for a in machine.active
        )
    on = {alert.id for alert in machine.active}
    for name, alerts in lives.items():
        phases = [alert.phase for alert in alerts]
        assert phases[0] is Phase.START
        assert all(phase is Phase.UPDATE for phase in phases[1:-1])
        assert (phases[-1] is Phase.END) == (name not in on)
        assert len({(alert.kind, alert.onset_ns) for alert in alerts}) == 1
        assert [a.time_ns for a in alerts] == sorted(a.time_ns for a in alerts)


@settings(max_examples=25, deadline=None)
@given(streams)
def test_the_same_stream_gives_the_same_alerts(stream: list[Observation]) -> None:
    assert run(stream, LIMITS) == run(stream, LIMITS)


@settings(max_examples=40, deadline=None)
@given(streams)
def test_repeated_observations_change_nothing_that_starts(stream: list[Observation]) -> None:
    doubled = [each for observation in stream for each in (observation, observation)]
    assert starts(run(doubled, LIMITS)) == starts(run(stream, LIMITS))


def test_ids_depend_on_session_kind_and_onset() -> None:
    stream = merged(quality(0, 60), beats_at([*steady_s(0.1, 10, 60), *steady_s(30.1, 50, 60)]))
    one, other = run(stream, session="a"), run(stream, session="b")
    ids = {alert.id for alert in one if alert.phase is Phase.START}
    assert starts(one) == [K.ASYSTOLE, K.ASYSTOLE]
    assert len(ids) == 2
    assert ids.isdisjoint(alert.id for alert in other)


def test_medium_alarm_keeps_quiet_after_its_end_and_a_high_one_does_not() -> None:
    times_s = [0.1]
    while times_s[-1] < 100:
        rr_s = 3.2 if len(times_s) % 15 == 0 else 0.8
        times_s.append(times_s[-1] + rr_s)
    alerts = run(merged(quality(0, 100), beats_at(times_s)))
    told = [alert.time_ns for alert in alerts if alert.phase is Phase.START]
    ended = [alert.time_ns for alert in alerts if alert.phase is Phase.END]
    assert len(told) >= 2
    assert all(start - end >= 30 * S for start, end in zip(told[1:], ended, strict=False))
    beats = beats_at([*steady_s(0.1, 10, 60), *steady_s(20.1, 28, 60)])
    assert starts(run(merged(quality(0, 40), beats))) == [K.ASYSTOLE, K.ASYSTOLE]


def test_updates_come_no_faster_than_allowed_and_carry_new_evidence() -> None:
    slower = [0.1]
    while slower[-1] < 160:
        slower.append(slower[-1] + 1.3 + 0.001 * len(slower))
    alerts = run(merged(quality(0, 160), beats_at(slower)))
    updates = [alert for alert in alerts if alert.phase is Phase.UPDATE]
    assert len(updates) >= 4
    assert all(after.time_ns - before.time_ns >= 30 * S for before, after in pairwise(updates))
    assert updates[-1].evidence["rate_bpm"] < updates[0].evidence["rate_bpm"]


def test_that_a_condition_lasts_is_no_update_and_its_end_says_how_long() -> None:
    beats = beats_at([*steady_s(0.1, 10, 60), *steady_s(130.1, 150, 60)])
    start, end = run(merged(quality(0, 150), beats))
    assert (start.kind, end.phase) == (K.ASYSTOLE, Phase.END)
    assert start.evidence["no_qrs_s"] < 6 < 119 < end.evidence["no_qrs_s"]


def test_late_labels_and_beats_are_tolerated() -> None:
    stream = merged(quality(0, 40), beats_at(steady_s(0.1, 40, 75), "N"))
    late = [*stream[:40], *reversed(stream[40:50]), *stream[50:]]
    assert run(late) == []


def test_restored_alarm_goes_on_under_the_same_id_and_ends() -> None:
    stream = merged(quality(0, 40), beats_at([*steady_s(0.1, 10, 60), *steady_s(20.1, 40, 60)]))
    cut = next(k for k, observation in enumerate(stream) if known_ns(observation) >= 17 * S)
    machine = AlarmMachine(AlarmLimits(), "s")
    start = first(fed(machine, stream[:cut]), K.ASYSTOLE)
    restored = AlarmMachine.restore(machine.snapshot(), AlarmLimits())
    after = fed(restored, stream[cut:])
    assert starts(after) == []
    assert first(after, K.ASYSTOLE, Phase.END).id == start.id
    assert restored.active == ()


def test_alarm_of_a_kind_disabled_at_restart_ends() -> None:
    machine = AlarmMachine(AlarmLimits(), "s")
    fed(machine, merged(quality(0, 30), beats_at(steady_s(0.1, 30, 45))))
    restored = AlarmMachine.restore(machine.snapshot(), AlarmLimits(disabled=(K.BRADY,)))
    (alert,) = restored.observe(Quality(31 * S, (LeadQuality(0.9),)))
    assert (alert.phase, alert.evidence["reason"]) == (Phase.END, "disabled")


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
        {"session": 5},
        {"now_ns": "soon"},
        {"episodes": {"hiccups": {}}},
        {"more": 1},
    ],
)
def test_damaged_snapshot_is_refused_with_one_error(damage: dict[str, object]) -> None:
    snapshot = {**AlarmMachine(AlarmLimits(), "s").snapshot(), **damage}
    with pytest.raises(SnapshotError, match="alarm snapshot: "):
        AlarmMachine.restore(snapshot, AlarmLimits())


def test_memory_is_bounded() -> None:
    machine = AlarmMachine(AlarmLimits(), "s")
    fed(
        machine,
        merged(quality(0, 600), beats_at(steady_s(0.1, 600, 100), "N"), rhythm(0, 600, af=0)),
    )
    size = len(json.dumps(machine.snapshot()))
    fed(machine, merged(quality(600, 1200), beats_at(steady_s(600, 1200, 100), "N")))
    assert len(json.dumps(machine.snapshot())) < size + 1000
