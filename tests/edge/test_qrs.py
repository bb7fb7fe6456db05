from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.condition import Conditioner
from edge.qrs import QrsDetector, lead_of_choice
from tests.edge.synthetic_ecg import chunked, ecg, regular

RATES_HZ = [100.0, 125.0, 250.0, 360.0, 1000.0]
MATCH_S = 0.05


def detect(samples, rate_hz, weights=None, chunk=25):
    """Beats through the whole path, in packets."""
    leads = samples.shape[1]
    conditioner = Conditioner(rate_hz, leads)
    detector = QrsDetector(rate_hz, leads, delay_s=conditioner.delay_s)
    beats = []
    for start in range(0, len(samples), chunk):
        conditioned = conditioner.process(samples[start : start + chunk])
        beats += detector.process(start, conditioned, weights)
    return beats


def times_s(beats):
    return np.array([beat.time_ns for beat in beats]) / 1e9


def assert_found(beats, expected_s):
    np.testing.assert_allclose(times_s(beats), expected_s, atol=MATCH_S)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("bpm", [20, 72, 200, 300])
def test_regular_rhythm_at_any_rate(rate_hz, bpm):
    expected = regular(bpm, 20)
    beats = detect(ecg(expected, 20, rate_hz, t_uv=0, qrs_ms=60), rate_hz)
    assert_found(beats, expected)
    rr = [beat.rr_ms for beat in beats]
    assert rr[0] is None
    np.testing.assert_allclose(rr[1:], 60_000 / bpm, atol=2500 / rate_hz)


@pytest.mark.parametrize("r_uv", [200.0, 500.0, 5000.0, -200.0, -1500.0])
def test_any_amplitude_and_polarity(r_uv):
    expected = regular(70, 20)
    beats = detect(ecg(expected, 20, 250.0, r_uv=r_uv, t_uv=0.2 * r_uv), 250.0)
    assert_found(beats, expected)
    assert np.sign([beat.amplitude_uv for beat in beats]).tolist() == [np.sign(r_uv)] * len(beats)


def test_tall_t_waves_are_no_beats():
    expected = regular(80, 30)
    assert_found(detect(ecg(expected, 30, 250.0, t_uv=1200.0), 250.0), expected)


@pytest.mark.parametrize("bpm", [15, 30, 40])
def test_t_waves_in_bradycardia_are_no_beats(bpm):
    expected = regular(bpm, 60)
    assert_found(detect(ecg(expected, 60, 250.0, t_uv=400.0), 250.0), expected)


@pytest.mark.parametrize("noise_uv", [0.0, 2.0, 15.0])
def test_asystole_has_no_beats(noise_uv):
    assert detect(ecg([], 60, 250.0, noise_uv=noise_uv), 250.0) == []


@pytest.mark.parametrize("noise_uv", [2.0, 15.0])
def test_asystole_after_a_rhythm_has_no_beats(noise_uv):
    expected = regular(75, 20)
    assert_found(detect(ecg(expected, 60, 250.0, noise_uv=noise_uv), 250.0), expected)


def test_known_within_400_ms():
    beats = detect(ecg(regular(75, 30), 30, 250.0), 250.0)
    late_ms = [(beat.detected_ns - beat.time_ns) / 1e6 for beat in beats if beat.time_ns > 3e9]
    assert max(late_ms) <= 400


@pytest.mark.parametrize("artefact_uv", [2000.0, 10_000.0])
def test_an_artefact_does_not_blind_it(artefact_uv):
    expected = regular(75, 30)
    samples = ecg(expected, 30, 250.0)
    burst = slice(10 * 250, 11 * 250)
    samples[burst, 0] += artefact_uv * np.sign(np.sin(np.arange(250) / 8.0))
    found = times_s(detect(samples, 250.0))
    for at in expected[(expected < 9.5) | (expected > 14.0)]:
        assert np.abs(found - at).min() < MATCH_S


@pytest.mark.parametrize(("before_uv", "after_uv"), [(3000.0, 300.0), (300.0, 3000.0)])
def test_a_change_of_amplitude_is_learned(before_uv, after_uv):
    before, after = regular(75, 20), regular(75, 20)
    samples = np.concatenate(
        [
            ecg(before, 20, 250.0, r_uv=before_uv, t_uv=0.2 * before_uv),
            ecg(after, 20, 250.0, r_uv=after_uv, t_uv=0.2 * after_uv),
        ]
    )
    found = times_s(detect(samples, 250.0))
    for at in after[after > 5.0] + 20.0:
        assert np.abs(found - at).min() < MATCH_S


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4000), max_size=20), st.integers(0, 3))
def test_any_chunking_gives_the_same_beats(cuts, seed):
    beats_s = np.cumsum(np.random.default_rng(seed).uniform(0.3, 1.5, 15))
    samples = ecg(beats_s, 16, 250.0, noise_uv=60.0, seed=seed)
    whole = QrsDetector(250.0, 1).process(0, samples)
    cut = QrsDetector(250.0, 1)
    assert list(chain.from_iterable(chunked(cut.process, samples, cuts))) == whole
    assert len(whole) > 5


def test_noise_alone_makes_the_other_lead_speak():
    expected = regular(75, 20)
    noise = np.random.default_rng(6).normal(0, 400, (5000, 1)).astype(np.float32)
    samples = np.concatenate([noise, ecg(expected, 20, 250.0)], axis=1)
    beats = detect(samples, 250.0, weights=[0.05, 0.9])
    assert {beat.lead for beat in beats} == {1}
    assert_found(beats, expected)


def test_a_change_of_lead_neither_doubles_nor_drops_a_beat():
    expected = regular(75, 30)
    samples = np.concatenate(
        [ecg(expected, 30, 250.0), ecg(expected, 30, 250.0, r_uv=-400.0, seed=1)], axis=1
    )
    detector = QrsDetector(250.0, 2)
    beats = []
    for start in range(0, len(samples), 25):
        weights = [1.0, 1.0] if (start // 1000) % 2 else [0.05, 1.0]
        beats += detector.process(start, samples[start : start + 25], weights)
    assert {beat.lead for beat in beats} == {0, 1}
    assert_found(beats, expected)


@pytest.mark.parametrize(
    ("weights", "current", "chosen"),
    [
        ([1.0, 1.0], 0, 0),
        ([0.5, 1.0], 0, 0),
        ([0.05, 1.0], 0, 1),
        ([0.05, 0.2], 0, 0),
        ([0.0, 0.25], 0, 1),
        ([0.2, 1.0], 1, 1),
        ([0.4, 1.0], 1, 0),
        ([0.05, 0.05, 0.9], 0, 2),
        ([0.0, 0.0], 1, 1),
    ],
)
def test_the_first_lead_that_is_good_enough_is_chosen(weights, current, chosen):
    assert lead_of_choice(weights, current) == chosen


def test_no_beats_where_no_lead_is_of_use():
    samples = ecg(regular(75, 10), 10, 250.0)
    assert detect(samples, 250.0, weights=[0.0]) == []


def test_a_gap_breaks_the_interval_and_keeps_the_index():
    expected = regular(75, 10)
    samples = ecg(expected, 10, 250.0)
    detector = QrsDetector(250.0, 1)
    detector.process(0, samples)
    detector.gap(2500, 1250)
    beats = detector.process(3750, samples)
    assert_found(beats, expected + 15.0)
    assert beats[0].rr_ms is None
    assert beats[1].rr_ms == pytest.approx(800, abs=20)


def test_samples_out_of_place_are_refused():
    detector = QrsDetector(250.0, 1)
    detector.process(0, np.zeros((25, 1), np.float32))
    with pytest.raises(ValueError, match=r"from 50, expected 25: call gap\(\)"):
        detector.process(50, np.zeros((25, 1), np.float32))


def test_weights_of_another_number_are_refused():
    with pytest.raises(ValueError, match="2 weights for 1 leads"):
        QrsDetector(250.0, 1).process(0, np.zeros((1, 1), np.float32), [1.0, 1.0])


def test_values_that_are_no_numbers_do_not_last():
    expected = regular(75, 20)
    samples = ecg(expected, 20, 250.0, noise_uv=2.0)
    samples[2500:2503] = np.nan
    beats = QrsDetector(250.0, 1).process(0, samples)
    assert len(beats) >= len(expected) - 1
