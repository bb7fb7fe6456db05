from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.condition import Conditioner
from edge.quality import SETTLE_S, QualityMonitor
from tests.edge.synthetic_ecg import chunked, ecg, regular

RATE_HZ = 250.0


def judge(samples, rate_hz=RATE_HZ, lead_off_bits=0):
    conditioned = Conditioner(rate_hz, samples.shape[1], mains_hz=50).process(samples)
    monitor = QualityMonitor(rate_hz, samples.shape[1], mains_hz=50)
    return monitor.process(0, samples, conditioned, lead_off_bits)


def scores(verdicts, lead=0):
    return np.array([verdict.leads[lead].score for verdict in verdicts])


def wander(seconds, below_hz, rms_uv, seed=0):
    """Noise whose spectrum ends at `below_hz`, float32 (n, 1)."""
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
    spectrum[np.fft.rfftfreq(count, 1 / RATE_HZ) > below_hz] = 0
    noise = np.fft.irfft(spectrum, count)
    return (noise * rms_uv / noise.std()).astype(np.float32)[:, None]


def test_one_verdict_a_second_and_clean_is_good():
    verdicts = judge(ecg(regular(70, 20), 20.5, RATE_HZ))
    assert [verdict.time_ns for verdict in verdicts] == [k * 10**9 for k in range(1, 21)]
    assert scores(verdicts).min() > 0.9
    assert all(verdict.missing == 0.0 for verdict in verdicts)


@pytest.mark.parametrize("rate_hz", [100.0, 333.3, 130.0])
def test_seconds_follow_any_rate(rate_hz):
    verdicts = judge(ecg(regular(70, 12), 12, rate_hz), rate_hz)
    assert [verdict.time_ns for verdict in verdicts][:11] == [k * 10**9 for k in range(1, 12)]


def test_exactly_constant_is_flat_and_small_noise_is_not():
    constant = judge(np.full((2500, 1), 700.0, np.float32))
    quiet = judge(ecg([], 10, RATE_HZ, noise_uv=3.0))
    assert all(v.leads[0].flat and v.leads[0].score == 0.0 for v in constant)
    assert not any(v.leads[0].flat for v in quiet)
    assert scores(quiet).min() > 0.9


def test_fibrillation_is_not_poor():
    t = np.arange(round(20 * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * (5.0 * t + 0.3 * np.sin(2 * np.pi * 0.4 * t))
    wave = 400 * np.sin(phase) * (1 + 0.4 * np.sin(2 * np.pi * 0.23 * t))
    samples = wave.astype(np.float32)[:, None] + wander(20, 1.0, 150.0)
    assert scores(judge(samples)).min() > 0.5


def test_wander_under_clear_complexes_is_not_poor():
    samples = ecg(regular(70, 20), 20, RATE_HZ, r_uv=1500.0, qrs_ms=80.0)
    assert scores(judge(samples + wander(20, 0.4, 200.0))).min() > 0.5


def test_muscle_noise_is_poor():
    samples = ecg(regular(70, 20), 20, RATE_HZ, noise_uv=300.0)
    verdicts = judge(samples)
    assert scores(verdicts[round(SETTLE_S) :]).max() < 0.5
    assert all(verdict.leads[0].noisy for verdict in verdicts[round(SETTLE_S) :])


@pytest.mark.parametrize("first", [0, 40, 90, 150])
def test_a_clean_signal_is_good_from_its_first_second(first):
    """Wherever in the heart cycle, and at whatever offset, it begins."""
    samples = ecg(regular(70, 20), 20, RATE_HZ)[first:] + np.float32(5000.0)
    assert scores(judge(samples)).min() > 0.9


def test_mains_hum_is_not_muscle():
    samples = ecg(regular(70, 20), 20, RATE_HZ)
    hum = 300 * np.sin(2 * np.pi * 50 * np.arange(len(samples)) / RATE_HZ)
    verdicts = judge(samples + hum.astype(np.float32)[:, None])
    assert scores(verdicts)[2:].min() > 0.9


def test_a_lead_off_is_told_from_the_others():
    samples = np.repeat(ecg(regular(70, 10), 10, RATE_HZ), 2, axis=1)
    verdicts = judge(samples, lead_off_bits=0b10)
    assert not any(verdict.leads[0].lead_off for verdict in verdicts)
    assert all(v.leads[1].lead_off and v.leads[1].score == 0.0 for v in verdicts)


def test_an_input_at_its_rail_is_saturated():
    samples = ecg(regular(70, 10), 10, RATE_HZ)
    samples[1000:1200] = 187_500.0
    verdicts = judge(samples)
    assert [k for k, verdict in enumerate(verdicts) if verdict.leads[0].saturated] == [4]


def test_seconds_lost_in_a_gap_are_missing():
    samples = ecg(regular(70, 10), 10, RATE_HZ)
    monitor = QualityMonitor(RATE_HZ, 1)
    monitor.process(0, samples[:375], samples[:375])
    verdicts = monitor.gap(375, 500)
    assert [verdict.missing for verdict in verdicts] == [0.5, 1.0]
    assert verdicts[1].leads[0].score == 0.0
    after = monitor.process(875, samples[875:1250], samples[875:1250])
    assert [verdict.missing for verdict in after] == [0.5, 0.0]
    assert after[1].time_ns == 5 * 10**9


def test_a_gap_of_a_day_is_reported_by_its_end():
    monitor = QualityMonitor(RATE_HZ, 1)
    verdicts = monitor.gap(0, round(86_400 * RATE_HZ))
    assert len(verdicts) <= 600
    assert verdicts[-1].time_ns == 86_400 * 10**9
    assert {verdict.missing for verdict in verdicts} == {1.0}


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4000), max_size=20))
def test_any_chunking_gives_the_same_verdicts(cuts):
    samples = np.concatenate([ecg(regular(70, 9), 9, 333.3), wander(12, 8.0, 400.0)], axis=1)
    whole = QualityMonitor(333.3, 2).process(0, samples, samples)
    cut = QualityMonitor(333.3, 2)
    parts = chunked(lambda start, piece: cut.process(start, piece, piece), samples, cuts)
    assert list(chain.from_iterable(parts)) == whole
    assert len(whole) == 9


def test_values_that_are_no_numbers_do_not_last():
    samples = ecg(regular(70, 20), 20, RATE_HZ)
    samples[1000] = np.nan
    monitor = QualityMonitor(RATE_HZ, 1)
    assert scores(monitor.process(0, samples, samples))[-1] > 0.9


def test_samples_out_of_place_or_shape_are_refused():
    monitor = QualityMonitor(RATE_HZ, 1)
    monitor.process(0, np.zeros((10, 1), np.float32), np.zeros((10, 1), np.float32))
    with pytest.raises(ValueError, match=r"expected 10: call gap\(\)"):
        monitor.process(20, np.zeros((10, 1), np.float32), np.zeros((10, 1), np.float32))
    with pytest.raises(ValueError, match="must agree"):
        monitor.process(10, np.zeros((10, 1), np.float32), np.zeros((9, 1), np.float32))


@pytest.mark.records
def test_electrode_motion_at_0_db_is_poor(records_dir):
    wfdb = pytest.importorskip("wfdb")
    clean = wfdb.rdrecord(str(records_dir / "mitdb/118"), channels=[0], sampto=43_200)
    motion = wfdb.rdrecord(str(records_dir / "nstdb/em"), channels=[0], sampto=43_200)
    x = clean.p_signal * 1000.0
    noise = motion.p_signal * 1000.0
    noise -= noise.mean()
    power = np.percentile(np.abs(x - np.median(x)), 99.5) ** 2 / 8
    mixed = (x + noise * np.sqrt(power / np.mean(noise**2))).astype(np.float32)
    assert np.mean(scores(judge(x.astype(np.float32), 360.0)) > 0.5) > 0.9
    assert np.mean(scores(judge(mixed, 360.0)) < 0.5) > 0.5
