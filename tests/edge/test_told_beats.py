"""Beats that a device tells: their times, what parts them, and what is said of the seconds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alarm import AlarmLimits, AlarmMachine
from edge.alert import AlarmKind
from edge.events import Beat, BeatsKnown, Quality, ToldRate
from edge.told_beats import RR_RANGE_MS, ToldBeats
from firmware_bridge.stream import NS_PER_S, HeartRate
from tests.edge.telling import HOST_NS, Told, readings_of

RR_MS = st.floats(300, 2000)
SERIES_MS = st.lists(RR_MS, min_size=1, max_size=60)


def heard(told, beats=None):
    beats = beats or ToldBeats()
    return [each for one in told for each in beats.push([one.reading], one.host_ns)]


def of(kind, observations):
    return [each for each in observations if isinstance(each, kind)]


def times_and_intervals(observations):
    return [(beat.time_ns, beat.rr_ms) for beat in of(Beat, observations)]


@settings(deadline=None)
@given(SERIES_MS, st.lists(st.floats(0, 900), max_size=60))
def test_beats_are_where_the_intervals_add_up_whatever_the_jitter(rr_ms, jitter_ms):
    told = times_and_intervals(heard(readings_of(rr_ms, jitter_ms)))
    assert [rr for _, rr in told] == [None, *rr_ms]
    start_ns = told[0][0]
    expected_ns = start_ns + np.concatenate([[0], np.cumsum(np.round(np.array(rr_ms) * 1e6))])
    assert [time_ns for time_ns, _ in told] == pytest.approx(expected_ns.tolist(), abs=0.5)


@settings(deadline=None)
@given(SERIES_MS, st.lists(st.floats(0, 900), max_size=60), st.integers(-(10**12), 10**12))
def test_only_differences_of_arrival_count(rr_ms, jitter_ms, shift_ns):
    told = readings_of(rr_ms, jitter_ms)
    moved = [Told(each.reading, each.host_ns + shift_ns) for each in told]
    assert heard(moved) == heard(told)


@settings(deadline=None)
@given(SERIES_MS, st.integers(1, 4), st.integers(1, 30))
def test_readings_that_arrive_together_tell_what_one_would(rr_ms, size, together):
    """However the intervals are cut into readings and however many of these come at once."""

    def cut(reading):
        rr = reading.rr_ms
        parts = [rr[k : k + size] for k in range(0, len(rr), size)] or [()]
        return [HeartRate(reading.bpm, part, True) for part in parts]

    told, beats, observed = readings_of(rr_ms), ToldBeats(), []
    for k in range(0, len(told), together):
        batch = told[k : k + together]
        readings = [piece for each in batch for piece in cut(each.reading)]
        observed += beats.push(readings, batch[-1].host_ns)
    intervals = [rr for _, rr in times_and_intervals(observed)]
    assert intervals == [None, *rr_ms]
    assert not any(each.missing for each in of(Quality, observed))


ANY_READING = st.builds(
    HeartRate,
    bpm=st.one_of(st.floats(0, 65_535), st.just(float("nan"))),
    rr_ms=st.lists(st.one_of(st.floats(), RR_MS), max_size=6).map(tuple),
    contact=st.sampled_from([None, True, False]),
)
ANY_STEP = st.tuples(ANY_READING, st.integers(0, 20 * NS_PER_S), st.booleans())


@settings(deadline=None)
@given(st.lists(ANY_STEP, max_size=60))
def test_whatever_is_told_time_goes_on_and_nothing_is_called_a_standstill(steps):
    told, alarms, host_ns = ToldBeats(), AlarmMachine(AlarmLimits(), "test"), HOST_NS
    observed, kinds = [], set()
    for reading, later_ns, broken in steps:
        host_ns += later_ns
        if broken:
            told.break_off()
        said = told.push([reading], host_ns)
        observed += said
        kinds |= {alert.kind for each in said for alert in alarms.observe(each)}
    for before, beat in pairwise(of(Beat, observed)):
        assert beat.time_ns > before.time_ns
        assert beat.rr_ms in (None, pytest.approx((beat.time_ns - before.time_ns) / 1e6, abs=1e-5))
        assert beat.rr_ms is None or RR_RANGE_MS[0] <= beat.rr_ms <= RR_RANGE_MS[1]
    assert all(beat.time_ns <= beat.detected_ns <= told.now_ns for beat in of(Beat, observed))
    seconds = [each.time_ns for each in of(Quality, observed)]
    assert all(later > earlier for earlier, later in pairwise(seconds))
    assert all(0 <= each.missing <= 1 for each in of(Quality, observed))
    assert not kinds & {AlarmKind.ASYSTOLE, AlarmKind.VF, AlarmKind.VT, AlarmKind.PVC_RUN}


def test_a_second_of_quality_comes_for_each_second_of_stream_time():
    seconds = of(Quality, heard(readings_of([800.0] * 50)))
    assert [each.time_ns for each in seconds] == [k * NS_PER_S for k in range(1, len(seconds) + 1)]
    assert len(seconds) >= 39
    assert {each.leads[0].score for each in seconds} == {1.0}


def test_beats_are_known_up_to_the_last_that_was_told():
    observed = heard(readings_of([800.0] * 20))
    known = of(BeatsKnown, observed)
    assert known[-1].until_ns == of(Beat, observed)[-1].time_ns
    assert all(each.until_ns <= each.time_ns for each in known)


def test_lost_packets_leave_a_gap_of_their_length_and_no_interval_across():
    whole = readings_of([800.0] * 60)
    observed = heard([each for k, each in enumerate(whole) if not 20 <= k < 30])
    beats = of(Beat, observed)
    unknown = [beat for beat in beats if beat.rr_ms is None]
    assert len(unknown) == 2
    before = max(beat.time_ns for beat in beats if beat.time_ns < unknown[1].time_ns)
    assert unknown[1].time_ns - before == pytest.approx(10 * NS_PER_S, abs=1.5 * NS_PER_S)
    missing = sum(each.missing for each in of(Quality, observed))
    assert missing == pytest.approx(10.0, abs=1.5)
    assert beats[-1].time_ns == pytest.approx(48 * NS_PER_S, abs=1.5 * NS_PER_S)


def test_a_link_that_was_lost_for_a_moment_joins_nothing():
    told, beats = readings_of([800.0] * 20), ToldBeats()
    observed = heard(told[:8], beats)
    beats.break_off()
    observed += heard(told[8:], beats)
    assert [rr for _, rr in times_and_intervals(observed)].count(None) == 2
    assert sum(each.missing for each in of(Quality, observed)) == 0.0


def test_an_interval_that_explains_the_silence_is_a_pause_and_no_gap():
    """Of a device that speaks at beats only."""
    told = readings_of([800.0] * 20 + [5500.0] + [800.0] * 20)
    spoken = [each for each in told if each.reading.rr_ms]
    observed = heard(spoken)
    assert [rr for _, rr in times_and_intervals(observed)].count(None) == 1
    assert sum(each.missing for each in of(Quality, observed)) == 0.0


@pytest.mark.parametrize("refused", [0.0, 50.0, 199.0, 10_001.0, 63_999.0, float("nan"), -5.0])
def test_an_interval_that_no_heart_has_is_refused_and_parts_the_others(refused):
    reading = HeartRate(75.0, (800.0, refused, 800.0), True)
    told = [*readings_of([800.0] * 5), Told(reading, HOST_NS + 6 * NS_PER_S)]
    intervals = [rr for _, rr in times_and_intervals(heard(told))]
    assert intervals == [None, *[800.0] * 6, None, 800.0]


def test_contact_that_is_lost_is_lead_off_and_brings_no_beats():
    on, off = readings_of([800.0] * 30), readings_of([800.0] * 30, contact=False)
    observed = heard([*on[:10], *off[10:20], *on[20:]])
    seconds = of(Quality, observed)
    assert sum(each.leads[0].lead_off for each in seconds) == 10
    assert all(each.leads[0].score == 0 for each in seconds if each.leads[0].lead_off)
    times_s = [beat.time_ns / NS_PER_S for beat in of(Beat, observed)]
    assert not [each for each in times_s if 11 < each < 18]


def test_contact_that_is_not_told_is_not_lost():
    seconds = of(Quality, heard(readings_of([800.0] * 10, contact=None)))
    assert not any(each.leads[0].lead_off for each in seconds)


def silent_readings(count, bpm, start_s=1):
    return [Told(HeartRate(bpm), HOST_NS + (start_s + k) * NS_PER_S) for k in range(count)]


def test_a_device_that_tells_a_rate_only_gives_a_rate_and_no_beats():
    observed = heard(silent_readings(20, 72.0))
    assert {each.bpm for each in of(ToldRate, observed)} == {72.0}
    assert not of(Beat, observed)
    assert not of(BeatsKnown, observed)
    assert {each.leads[0].score for each in of(Quality, observed)} == {1.0}


@pytest.mark.parametrize("bpm", [0.0, 14.0, 301.0, float("nan")])
def test_a_rate_that_no_heart_has_is_not_passed_on(bpm):
    observed = heard(silent_readings(20, bpm))
    assert not of(ToldRate, observed)
    assert {each.leads[0].score for each in of(Quality, observed)} == {0.0}


def test_a_rate_that_goes_on_without_beats_is_not_believed():
    """Straps repeat the last rate for a while when they have lost the heart."""
    observed = heard([*readings_of([800.0] * 20), *silent_readings(20, 75.0, start_s=18)])
    assert not of(ToldRate, observed)
    scores = [each.leads[0].score for each in of(Quality, observed)]
    assert scores == [1.0] * scores.count(1.0) + [0.0] * scores.count(0.0)
    assert scores.count(0.0) >= 11


def test_single_lost_intervals_and_a_slow_clock_make_no_gap():
    """A strap whose intervals are all 10 ms short: 6 s after ten minutes."""
    told = readings_of([800.0] * 600)
    short = [
        Told(HeartRate(75.0, tuple(rr - 10 for rr in each.reading.rr_ms), True), each.host_ns)
        for each in told
    ]
    observed = heard(short)
    assert [rr for _, rr in times_and_intervals(observed)].count(None) == 1


def test_after_hours_of_silence_only_its_last_minutes_are_reported():
    told = readings_of([800.0] * 10)
    late = Told(HeartRate(75.0, (800.0,), True), told[-1].host_ns + 3 * 3600 * NS_PER_S)
    beats = ToldBeats()
    heard(told, beats)
    seconds = of(Quality, beats.push([late.reading], late.host_ns))
    assert len(seconds) == 600
    assert beats.now_ns > 3 * 3600 * NS_PER_S


def test_samples_that_follow_are_parted_by_a_missing_second():
    beats = ToldBeats()
    assert beats.end() == []
    before = heard(readings_of([800.0] * 10), beats)
    (missing,) = beats.end()
    assert missing.missing == 1.0
    assert missing.time_ns == beats.now_ns
    assert beats.now_ns % NS_PER_S == 0
    assert missing.time_ns > of(Quality, before)[-1].time_ns
