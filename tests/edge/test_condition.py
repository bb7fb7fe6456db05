from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from edge.biquad import (
    butterworth_highpass,
    butterworth_lowpass,
    group_delay_s,
    notch,
    steady_state,
)
from edge.condition import Conditioner
from tests.edge.synthetic_ecg import chunked, ecg, regular

RATES_HZ = [100.0, 125.0, 250.0, 360.0, 1000.0]


def sos(sections):
    return np.insert(sections, 3, 1.0, axis=1)


def response(sections, rate_hz):
    return signal.sosfreqz(sos(sections), np.linspace(0.01, rate_hz / 2 - 1, 200), fs=rate_hz)[1]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("order", [2, 4, 6])
def test_butterworth_designs_agree_with_scipy(rate_hz, order):
    for ours, kind, cutoff_hz in (
        (butterworth_lowpass(order, 40.0, rate_hz), "lowpass", 40.0),
        (butterworth_highpass(order, 0.5, rate_hz), "highpass", 0.5),
    ):
        theirs = signal.butter(order, cutoff_hz, kind, fs=rate_hz, output="sos")
        grid = np.linspace(0.01, rate_hz / 2 - 1, 200)
        expected = signal.sosfreqz(theirs, grid, fs=rate_hz)[1]
        np.testing.assert_allclose(response(ours, rate_hz), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rate_hz", RATES_HZ[1:])
def test_notch_agrees_with_scipy(rate_hz):
    b, a = signal.iirnotch(50.0, 10.0, fs=rate_hz)
    expected = np.concatenate([b, a[1:]])[None]
    np.testing.assert_allclose(notch(50.0, 10.0, rate_hz), expected, rtol=1e-12, atol=1e-12)


def test_group_delay_agrees_with_scipy():
    sections = butterworth_lowpass(2, 40.0, 250.0)
    b, a = sections[0, :3], np.concatenate([[1.0], sections[0, 3:]])
    _, delay = signal.group_delay((b, a), w=[12.0], fs=250.0)
    assert group_delay_s(sections, 12.0, 250.0) == pytest.approx(delay[0] / 250.0, rel=1e-6)


def test_steady_state_is_a_fixed_point():
    sections = butterworth_lowpass(4, 40.0, 250.0)
    state = steady_state(sections, np.array([7.0]))
    filtered, after = signal.sosfilt(sos(sections), np.full(50, 7.0), zi=state[0])
    np.testing.assert_allclose(filtered, 7.0)
    np.testing.assert_allclose(after, state[0])


@pytest.mark.parametrize(("frequency_hz", "cutoff_hz"), [(0.0, 0.0), (125.0, 125.0), (-1.0, -1.0)])
def test_corner_outside_the_band_is_refused(frequency_hz, cutoff_hz):
    with pytest.raises(ValueError, match="does not fit a rate of 250 Hz"):
        butterworth_lowpass(2, cutoff_hz, 250.0)
    with pytest.raises(ValueError, match="does not fit a rate of 250 Hz"):
        notch(frequency_hz, 10.0, 250.0)


@given(st.lists(st.integers(0, 2000), max_size=20), st.sampled_from([None, 50.0, 60.0]))
def test_any_chunking_gives_the_same_bits(cuts, mains_hz):
    samples = np.random.default_rng(1).normal(0, 500, (700, 2)).astype(np.float32)
    whole = Conditioner(250.0, 2, mains_hz=mains_hz).process(samples)
    cut = Conditioner(250.0, 2, mains_hz=mains_hz)
    parts = np.concatenate(chunked(lambda _, piece: cut.process(piece), samples, cuts))
    assert parts.tobytes() == whole.tobytes()


def test_agrees_with_scipy_on_a_stream():
    samples = np.random.default_rng(2).normal(0, 500, (3000, 1)).astype(np.float32)
    samples[0] = 0.0
    ours = Conditioner(360.0, 1).process(samples)
    chain = np.concatenate(
        [
            signal.butter(2, 0.5, "highpass", fs=360.0, output="sos"),
            signal.butter(4, 40.0, "lowpass", fs=360.0, output="sos"),
        ]
    )
    expected = signal.sosfilt(chain, samples[:, 0].astype(float))
    np.testing.assert_allclose(ours[:, 0], expected, atol=1e-2)


def test_electrode_offset_makes_no_step():
    conditioned = Conditioner(250.0, 1).process(np.full((500, 1), 300_000.0, np.float32))
    assert np.abs(conditioned).max() < 0.1


def test_reset_begins_a_new_baseline():
    conditioner = Conditioner(250.0, 1)
    conditioner.process(np.full((100, 1), -200_000.0, np.float32))
    conditioner.reset()
    assert np.abs(conditioner.process(np.full((100, 1), 250_000.0, np.float32))).max() < 0.1


def test_mains_and_baseline_go_and_the_qrs_stays():
    beats = regular(60, 20)
    clean = ecg(beats, 20, 250.0, noise_uv=0.0)
    t = np.arange(len(clean))[:, None] / 250.0
    dirty = clean + 300 * np.sin(2 * np.pi * 50 * t) + 2000 * np.sin(2 * np.pi * 0.05 * t)
    out = Conditioner(250.0, 1, mains_hz=50).process(dirty.astype(np.float32))
    reference = Conditioner(250.0, 1, mains_hz=50).process(clean)
    settled = slice(1250, None)
    assert np.abs(out - reference)[settled].max() < 60
    assert 700 < out[settled].max() < 1100


def test_delay_is_that_of_the_r_peak():
    conditioner = Conditioner(500.0, 1)
    out = conditioner.process(ecg([2.0], 4, 500.0, t_uv=0.0, noise_uv=0.0))
    assert np.argmax(out) / 500.0 - 2.0 == pytest.approx(conditioner.delay_s, abs=0.004)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_does_not_last(bad):
    samples = ecg(regular(60, 10), 10, 250.0)
    samples[700] = bad
    out = Conditioner(250.0, 1).process(samples)
    assert np.isfinite(out).all()


def test_low_rates_lower_the_corner():
    samples = ecg(regular(60, 10), 10, 80.0)
    assert np.isfinite(Conditioner(80.0, 1, mains_hz=50).process(samples)).all()


@pytest.mark.parametrize(("rate_hz", "leads"), [(0.0, 1), (float("nan"), 1), (250.0, 0)])
def test_no_stream_is_refused(rate_hz, leads):
    with pytest.raises(ValueError, match=r"Hz|leads"):
        Conditioner(rate_hz, leads)
