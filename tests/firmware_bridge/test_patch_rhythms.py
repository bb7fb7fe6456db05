"""Scenarios hold the rhythms that their names promise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_bridge.errors import SourceUriError
from firmware_bridge.patch.rhythms import RHYTHMS
from firmware_bridge.patch.scenarios import SCENARIOS, Episode, scenario_named, truth
from firmware_bridge.patch.variability import HeartRateVariability


def rr_s(rhythm: str, seconds: float = 300.0) -> NDArray[np.float64]:
    beats = truth((Episode(rhythm, 600.0),), 7, seconds).beats
    return np.diff([beat.time_s for beat in beats])


@pytest.mark.parametrize(
    ("rhythm", "low_bpm", "high_bpm"),
    [
        ("sinus", 60, 100),
        ("bradycardia", 40, 50),
        ("tachycardia", 100, 140),
        ("extreme_brady", 25, 40),
        ("extreme_tachy", 140, 220),
        ("vt", 150, 220),
        ("af", 80, 110),
    ],
)
def test_rates(rhythm: str, low_bpm: float, high_bpm: float) -> None:
    assert low_bpm < 60 / rr_s(rhythm).mean() < high_bpm


@pytest.mark.parametrize("rhythm", ["bradycardia", "tachycardia", "extreme_brady", "extreme_tachy"])
def test_extreme_rates_hold_for_every_beat(rhythm: str) -> None:
    limits = {
        "bradycardia": (40, 50),
        "tachycardia": (100, 140),
        "extreme_brady": (25, 40),
        "extreme_tachy": (140, 220),
    }
    low_bpm, high_bpm = limits[rhythm]
    rates = 60 / rr_s(rhythm)
    assert low_bpm < rates.min()
    assert rates.max() < high_bpm


def test_fibrillation_is_irregular_and_sinus_is_not() -> None:
    fibrillating, sinus = rr_s("af"), rr_s("sinus")
    assert 0.18 < fibrillating.std() / fibrillating.mean() < 0.35
    assert sinus.std() / sinus.mean() < 0.08
    ahead = np.corrcoef(fibrillating[:-1], fibrillating[1:])[0, 1]
    assert abs(ahead) < 0.2


def test_heart_rate_variability_has_two_peaks() -> None:
    process = HeartRateVariability(np.random.default_rng(0))
    series = np.array([process.at(t) for t in np.arange(0, 1000, 0.5)])
    power = np.abs(np.fft.rfft(series)) ** 2
    hz = np.fft.rfftfreq(series.size, 0.5)
    low, high = (hz > 0.04) & (hz < 0.15), (hz > 0.15) & (hz < 0.4)
    assert series.std() == pytest.approx(1, rel=0.15)
    assert (power[low].sum() + power[high].sum()) > 0.95 * power[1:].sum()
    assert power[low].sum() / power[high].sum() == pytest.approx(0.5, abs=0.2)


def test_isolated_ectopy_is_early_and_followed_by_a_full_compensatory_pause() -> None:
    beats = truth((Episode("pvc", 600.0),), 7, 300.0).beats
    triples = list(zip(beats, beats[1:], beats[2:], strict=False))
    ectopic = [triple for triple in triples if triple[1].label == "V"]
    assert len(ectopic) > 20
    for before, early, after in ectopic:
        assert (before.label, after.label) == ("N", "N")
        assert early.rr_s < 0.7 * before.rr_s
        assert after.time_s - before.time_s == pytest.approx(2 * before.rr_s, rel=0.1)


def test_bigeminy_alternates() -> None:
    labels = [beat.label for beat in truth((Episode("bigeminy", 600.0),), 7, 60.0).beats]
    assert set(pairwise(labels)) == {("N", "V"), ("V", "N")}


def test_runs_are_short_of_tachycardia() -> None:
    beats = truth((Episode("pvc_run", 600.0),), 7, 300.0).beats
    runs = [len(run) for run in "".join(beat.label for beat in beats).split("N") if run]
    assert set(runs[:-1]) == {3, 4}
    assert all(60 / beat.rr_s > 100 for beat in beats if beat.label == "V")


def test_pauses_are_longer_than_3_s_and_shorter_than_asystole() -> None:
    long = [interval for interval in rr_s("pause") if interval > 2]
    assert len(long) > 10
    assert all(3 < interval < 4 for interval in long)


@pytest.mark.parametrize("rhythm", ["vf", "vfl", "asystole"])
def test_arrest_has_no_beats(rhythm: str) -> None:
    assert truth((Episode(rhythm, 30.0),), 7, 300.0).beats == ()


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_beats_keep_order_and_stay_in_their_episodes(scenario: str) -> None:
    held = truth(SCENARIOS[scenario], 11, 400.0)
    times = np.array([beat.time_s for beat in held.beats])
    assert (np.diff(times) > 0.25).all()
    for episode in held.episodes:
        assert all(episode.start_s <= beat.time_s < episode.stop_s for beat in episode.beats)
    joints = pairwise(held.episodes)
    assert all(before.stop_s == after.start_s for before, after in joints)


def test_truth_does_not_depend_on_how_much_is_asked_for() -> None:
    short, long = (truth(SCENARIOS["tour"], 3, seconds).beats for seconds in (40.0, 90.0))
    assert long[: len(short)] == short


def test_tour_shows_its_alarms_within_a_minute() -> None:
    shown = {episode.rhythm for episode in truth(SCENARIOS["tour"], 1, 56.0).episodes}
    assert {"sinus", "vt", "vf", "asystole", "lead_off"} <= shown


def test_every_rhythm_has_a_scenario_of_its_name() -> None:
    assert set(RHYTHMS) <= set(SCENARIOS)


def test_unknown_scenario_names_those_that_exist() -> None:
    with pytest.raises(SourceUriError, match=r"scenario=nope is unknown.*asystole.*vt"):
        scenario_named("nope")
