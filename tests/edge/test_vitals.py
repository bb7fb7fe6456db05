import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import Beat, BeatClass, BeatLabel, BeatsKnown, LeadQuality, Quality, Rhythm
from edge.vitals import Vitals
from firmware_bridge.stream import NS_PER_S


def beats(rr_ms, start_ns=0):
    time_ns, made = start_ns, []
    for number, rr in enumerate(rr_ms):
        time_ns += round((rr or 1000) * 1e6)
        made.append(Beat(number, time_ns, time_ns, 0, rr, 1000.0))
    return made


def test_nothing_is_known_before_the_first_observation():
    vitals = Vitals()
    assert vitals.heart_rate_bpm(0) is None
    assert vitals.rmssd_ms(0) is None
    assert vitals.rhythm(0) == {}
    assert vitals.rhythm_label(0) is None
    assert vitals.quality is None


def test_heart_rate_holds_while_beats_are_not_known_yet_and_goes_stale_when_they_are():
    vitals = Vitals()
    series = beats([800.0] * 6)
    last_ns = series[-1].time_ns
    vitals.observe([*series, BeatsKnown(last_ns + NS_PER_S, last_ns)])
    assert vitals.heart_rate_bpm(last_ns + 6 * NS_PER_S) == pytest.approx(75.0)
    vitals.observe([BeatsKnown(last_ns + 7 * NS_PER_S, last_ns + 5 * NS_PER_S + 1)])
    assert vitals.heart_rate_bpm(last_ns + 7 * NS_PER_S) is None


def test_rmssd_of_an_alternating_rhythm_is_the_step():
    vitals = Vitals()
    series = beats([800, 840] * 20)
    vitals.observe(series)
    assert vitals.rmssd_ms(series[-1].time_ns) == pytest.approx(40.0)


def test_no_difference_is_taken_over_a_gap():
    vitals = Vitals()
    series = beats([800.0] * 12 + [None] + [1200.0] * 12)
    vitals.observe(series)
    assert vitals.rmssd_ms(series[-1].time_ns) == 0.0


def test_a_pause_is_no_variability():
    vitals = Vitals()
    series = beats([800.0] * 12 + [3400.0] + [800.0] * 12)
    vitals.observe(series)
    assert vitals.rmssd_ms(series[-1].time_ns) == 0.0


@given(st.integers(0, 10))
def test_few_intervals_give_no_rmssd(count):
    vitals = Vitals()
    series = beats([800.0] * count)
    vitals.observe(series)
    assert vitals.rmssd_ms(20 * NS_PER_S) is None


def test_rhythm_is_the_most_probable_and_goes_stale():
    vitals = Vitals()
    said = {"normal": 0.2, "af": 0.7, "other": 0.05, "noise": 0.05, "vt": 0.1, "vf": 0.2}
    vitals.observe([Rhythm(NS_PER_S, said)])
    assert vitals.rhythm_label(2 * NS_PER_S) == "af"
    assert vitals.rhythm_label(7 * NS_PER_S) is None


@pytest.mark.parametrize("label", ["vf", "vt"])
def test_a_ventricular_rhythm_goes_before_the_others(label):
    vitals = Vitals()
    vitals.observe([Rhythm(0, {"normal": 0.9, "vt": 0.0, "vf": 0.0} | {label: 0.6})])
    assert vitals.rhythm_label(0) == label


def test_beats_are_counted_by_class():
    vitals = Vitals()
    vitals.observe([*beats([800.0] * 3), BeatLabel(0, 0, BeatClass.V, 0.9)])
    assert (vitals.beats, vitals.beats_by_class) == (3, {"V": 1})


def test_quality_is_the_newest():
    vitals = Vitals()
    newest = Quality(2, (LeadQuality(0.5),))
    vitals.observe([Quality(1, (LeadQuality(1.0),)), newest])
    assert vitals.quality is newest
