from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from edge.resample import Resampler
from tests.edge.synthetic_ecg import chunked

RATIOS = [(360.0, 128.0), (130.0, 125.0), (500.0, 125.0), (100.0, 250.0), (333.3, 125.0)]


def tones(t):
    return 500 * np.sin(2 * np.pi * 3 * t) + 200 * np.sin(2 * np.pi * 11 * t + 1)


@pytest.mark.parametrize(("rate_in_hz", "rate_out_hz"), RATIOS)
def test_output_is_the_input_at_its_time_less_the_delay(rate_in_hz, rate_out_hz):
    resampler = Resampler(rate_in_hz, rate_out_hz, 1)
    t = np.arange(round(rate_in_hz * 20)) / rate_in_hz
    out = resampler.process(tones(t).astype(np.float32)[:, None])[:, 0]
    expected = tones(np.arange(len(out)) / rate_out_hz - resampler.delay_s)
    settled = slice(round(rate_out_hz), None)
    np.testing.assert_allclose(out[settled], expected[settled], atol=1.5)


@given(st.sampled_from(RATIOS), st.lists(st.integers(0, 2000), max_size=20))
def test_any_chunking_gives_the_same_bits(ratio, cuts):
    samples = np.random.default_rng(3).normal(0, 500, (600, 2)).astype(np.float32)
    whole = Resampler(*ratio, 2).process(samples)
    cut = Resampler(*ratio, 2)
    parts = np.concatenate(chunked(lambda _, piece: cut.process(piece), samples, cuts))
    assert parts.tobytes() == whole.tobytes()


@given(st.floats(100.0, 1000.0), st.floats(100.0, 250.0), st.integers(1, 500))
def test_as_many_outputs_as_have_come_due(rate_in_hz, rate_out_hz, count):
    out = Resampler(rate_in_hz, rate_out_hz, 1).process(np.ones((count, 1), np.float32))
    assert abs(len(out) - count * rate_out_hz / rate_in_hz) <= 1
    np.testing.assert_allclose(out, 1.0, rtol=1e-6)


def test_agrees_with_scipy_in_the_pass_band():
    rng = np.random.default_rng(4)
    narrow = signal.sosfiltfilt(
        signal.butter(6, 30.0, fs=360.0, output="sos"), rng.normal(0, 500, 7200)
    )
    resampler = Resampler(360.0, 120.0, 1)
    ours = resampler.process(narrow.astype(np.float32)[:, None])[:, 0]
    theirs = signal.resample_poly(narrow, 1, 3)
    late = resampler.delay_s * 120.0
    assert late == pytest.approx(round(late), abs=0.4)
    moved = np.interp(np.arange(len(ours)) - late, np.arange(len(theirs)), theirs)
    settled = slice(120, -120)
    assert np.corrcoef(ours[settled], moved[settled])[0, 1] > 0.99


def test_aliases_are_gone():
    t = np.arange(3600) / 360.0
    out = Resampler(360.0, 100.0, 1).process(
        (1000 * np.sin(2 * np.pi * 75 * t)).astype(np.float32)[:, None]
    )
    assert np.abs(out[100:]).max() < 10


def test_equal_rates_pass_through():
    resampler = Resampler(250.0, 250.0, 1)
    samples = np.arange(5, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(resampler.process(samples), samples)
    assert resampler.delay_s == 0.0


def test_reset_begins_anew():
    samples = np.random.default_rng(5).normal(0, 500, (300, 1)).astype(np.float32)
    resampler = Resampler(360.0, 128.0, 1)
    first = resampler.process(samples)
    resampler.reset()
    np.testing.assert_array_equal(resampler.process(samples), first)


def test_a_value_that_is_no_number_does_not_spread():
    samples = np.ones((300, 1), np.float32)
    samples[100] = np.nan
    np.testing.assert_allclose(Resampler(360.0, 128.0, 1).process(samples), 1.0, rtol=1e-6)
