"""Ectopic beats, rates, pauses and fibrillation, of beats and seconds made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.holter.alarms import Alarm
from edge.holter.ectopy import ectopy
from edge.holter.fibrillation import fibrillation
from edge.holter.hours import hours
from edge.holter.pauses import pauses
from edge.holter.rates import rates
from edge.holter.seconds import RHYTHMS, SecondLog, Signal
from edge.record.notes import QualityNote
from tests.edge.holter.made import beats_of, seconds_of


@pytest.mark.parametrize(
    ("labels", "single", "couplets", "runs", "bigeminy", "trigeminy"),
    [
        ("NNVNN", 1, 0, 0, 0, 0),
        ("NVVNVN", 1, 1, 0, 0, 0),
        ("NVVVNVVVVN", 0, 0, 2, 0, 0),
        ("NVNVNVN", 3, 0, 0, 1, 0),
        ("NVNVN", 2, 0, 0, 0, 0),
        ("NVNVNVNNNVNVNVN", 6, 0, 0, 2, 0),
        ("NNVNNVNNV", 3, 0, 0, 0, 1),
        ("NVSVNVN", 3, 0, 0, 0, 0),
    ],
)
def test_company_of_ventricular_beats(labels, single, couplets, runs, bigeminy, trigeminy):
    found = ectopy(beats_of(labels), "V")
    assert (found.single, found.couplets, found.runs) == (single, couplets, runs)
    assert (found.bigeminy, found.trigeminy) == (bigeminy, trigeminy)


def test_longest_and_fastest_run():
    beats = beats_of("NVVVVNVVVN", [800, 500, 400, 400, 400, 800, 500, 300, 300, 900])
    found = ectopy(beats, "V")
    assert (found.longest.value, found.longest.start_ns) == (4, beats.time_ns[1])
    assert (found.fastest.value, found.fastest.start_ns) == (200, beats.time_ns[6])
    assert found.run_beats == 7
    assert found.burden_percent == 70


def test_a_gap_divides_a_run_and_a_bigeminy():
    assert ectopy(beats_of("NVVVVVVN", breaks=[4]), "V").runs == 2
    assert ectopy(beats_of("NVNVNVN", breaks=[4]), "V").bigeminy == 0


def test_without_classes_there_is_no_burden():
    assert ectopy(beats_of("UUUU"), "V").burden_percent is None


@given(st.text("NSVU", min_size=1, max_size=80), st.sets(st.integers(1, 79)))
def test_every_ectopic_beat_is_in_one_kind_of_row(labels, breaks):
    beats = beats_of(labels, breaks=sorted(each for each in breaks if each < len(labels)))
    found = ectopy(beats, "V")
    assert found.single + 2 * found.couplets + found.run_beats == labels.count("V")
    assert found.bigeminy_beats <= found.single


def test_rates_of_a_steady_heart():
    found = rates(beats_of("N" * 300, 750.0), seconds_of(226))
    assert found.mean_bpm == pytest.approx(80)
    assert found.highest.value == found.lowest.value == pytest.approx(80)
    assert found.minute_bpm[:3] == pytest.approx([80, 80, 80])


def test_extremes_and_when_they_were():
    rr_ms = np.concatenate([np.full(100, 1000.0), np.full(150, 400.0), np.full(60, 1500.0)])
    beats = beats_of("N" * 310, rr_ms)
    found = rates(beats, seconds_of(251))
    assert found.highest.value == pytest.approx(150)
    assert found.highest.start_ns == pytest.approx(beats.time_ns[99], abs=1e6)
    assert found.lowest.value == pytest.approx(40)
    assert found.fastest_minute.start_ns == 120 * 10**9
    assert found.slowest_minute.value == pytest.approx(40)


def test_what_lies_in_noise_or_fibrillation_is_not_believed():
    rr_ms = np.full(100, 1000.0)
    rr_ms[50:60] = 300.0
    beats = beats_of("N" * 100, rr_ms)
    noisy, fibrillating = seconds_of(95), seconds_of(95)
    noisy.signal[49:56] = Signal.NOISY
    fibrillating.rhythm[49:56] = RHYTHMS.index("vf")
    assert rates(beats, seconds_of(95)).highest.value > 190
    for each in (noisy, fibrillating):
        assert rates(beats, each).highest.value == pytest.approx(60)


def test_pauses_are_counted_where_the_signal_is_clean():
    rr_ms = np.full(20, 1000.0)
    rr_ms[5], rr_ms[10], rr_ms[15] = 2000.0, 3500.0, 5000.0
    beats, seconds = beats_of("N" * 20, rr_ms), seconds_of(30)
    seconds.signal[20] = Signal.NOISY
    found = pauses(beats, seconds)
    assert found.longest.value == 3.5
    assert found.longest.start_ns == beats.time_ns[9]
    assert (found.counts, found.doubtful) == ((2, 1, 1), 1)


@pytest.mark.parametrize(
    ("flags", "signal"), [(2, Signal.CLEAN), (3, Signal.LEAD_OFF), (6, Signal.NOISY)]
)
def test_a_flat_line_with_contact_is_a_standstill(flags, signal):
    log = SecondLog()
    log.quality(QualityNote(10**9, (0.0,), (flags,), 0.0), 0)
    assert log.done(0, 10**9, [(0, 10**9)]).signal.tolist() == [signal]


def test_no_interval_joins_beats_across_a_gap():
    beats = beats_of("N" * 10, breaks=[5])
    beats.time_ns[5:] += 60 * 10**9
    found = pauses(beats, seconds_of(80))
    assert (found.longest.value, found.counts[0]) == (pytest.approx(0.8), 0)


def test_breaks_of_ten_seconds_do_not_end_an_episode():
    seconds = seconds_of(400)
    seconds.rhythm[100:130] = seconds.rhythm[140:160] = RHYTHMS.index("af")
    seconds.rhythm[300:329] = RHYTHMS.index("af")
    found = fibrillation(seconds, (), beats_of("N"), 400.0)
    assert found.episodes == ((100 * 10**9, 60.0),)
    assert found.burden_percent == pytest.approx(15)


def test_noise_is_not_analysed():
    seconds = seconds_of(100, "noise")
    seconds.rhythm[:50] = RHYTHMS.index("af")
    found = fibrillation(seconds, (), beats_of("N"), 100.0)
    assert (found.burden_percent, found.analysed_s) == (100, 50)


def test_alarms_tell_fibrillation_where_no_network_does():
    about = ("1", "af", "physiological", "low")
    alarm = Alarm(*about, 10 * 10**9, 40 * 10**9, 60 * 10**9, True, {})
    found = fibrillation(seconds_of(100, "unknown"), (alarm,), beats_of("N" * 125), 100.0)
    assert (found.source, found.burden_percent) == ("alarms", 50)
    assert found.episodes == ((10 * 10**9, 50.0),)
    silent = fibrillation(seconds_of(100, "unknown"), (), beats_of("N"), 0.0)
    assert (silent.source, silent.burden_percent) == ("none", None)


@pytest.mark.parametrize(
    ("count", "breaks", "source"), [(129, (), "alarms"), (128, (), "none"), (240, [120], "none")]
)
def test_too_few_intervals_in_a_row_tell_no_fibrillation(count, breaks, source):
    beats = beats_of("U" * count, breaks=breaks)
    found = fibrillation(seconds_of(300, "unknown"), (), beats, 0.0)
    assert found.source == source
    assert found.burden_percent == (0.0 if source == "alarms" else None)


def test_a_device_without_ecg_is_judged_by_its_intervals():
    about = ("1", "af", "physiological", "low")
    alarm = Alarm(*about, 0, 0, 40 * 10**9, True, {})
    beats = beats_of("U" * 401, breaks=[200])
    beats.time_ns[200:] += 3600 * 10**9
    found = fibrillation(seconds_of(4000, "unknown", Signal.NONE), (alarm,), beats, 0.0)
    assert found.analysed_s == pytest.approx(399 * 0.8)
    assert found.burden_percent == pytest.approx(100 * 40 / (399 * 0.8))


def test_hours_are_those_of_the_clock():
    beats, seconds = beats_of("N" * 8999, 800.0), seconds_of(7200)
    rate = rates(beats, seconds)
    whole = hours(beats, seconds, rate.minute_bpm, 0)
    assert [(each.start_ns, each.recorded_s) for each in whole] == [(0, 3600), (3600 * 10**9, 3600)]
    india = hours(beats, seconds, rate.minute_bpm, 19_800)
    assert [each.recorded_s for each in india] == [1800, 3600, 1800]
    for found in (whole, india):
        assert sum(sum(each.beats.values()) for each in found) == len(beats)
        assert all(each.mean_bpm == pytest.approx(75) for each in found)
