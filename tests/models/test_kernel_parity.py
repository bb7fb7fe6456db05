"""Compiled steps of the beat path: what plain NumPy gives, bit for bit but for `exp`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat_rhythm import HISTORY, RR_WIDTH, Intervals
from models.beat_window import WIDTH, window_of
from models.kernels import all_finite, softmax
from models.peaks import PeakPicker

seeds = st.integers(0, 10_000)


def plain_window(signal_uv: np.ndarray, peak: float) -> np.ndarray:
    near = round(peak)
    first = max(0, near - 4)
    middle = first + int(np.abs(signal_uv[first : near + 5]).argmax())
    part = signal_uv[max(0, middle - 64) : middle + 64]
    return np.concatenate([np.zeros(128 - len(part), np.float32), part]).reshape(-1, 2).mean(axis=1)


@settings(deadline=None)
@given(seeds, st.floats(0, 320), st.floats(-3, 5))
def test_the_window_is_that_of_numpy(seed: int, peak: float, power: float) -> None:
    signal_uv = (np.random.default_rng(seed).normal(0, 1, 400) * 10**power).astype(np.float32)
    np.testing.assert_array_equal(window_of(signal_uv, peak), plain_window(signal_uv, peak))


@pytest.mark.parametrize("peak", [-1000.0, -5.0, 390.0, 500.0, 1e9])
def test_a_window_never_reaches_beyond_the_signal(peak: float) -> None:
    window_uv = window_of(np.ones(400, np.float32), peak)
    assert window_uv.shape == (WIDTH,)
    assert np.isin(window_uv, [0.0, 0.5, 1.0]).all()


def test_it_does_not_matter_how_the_signal_lies_in_memory() -> None:
    leads_uv = np.random.default_rng(0).normal(0, 300, (400, 2)).astype(np.float32)
    leads_uv.flags.writeable = False
    lead_uv, probability = leads_uv[:, 1], np.abs(leads_uv[:, 1]) / 2000
    np.testing.assert_array_equal(window_of(lead_uv, 200.0), window_of(lead_uv.copy(), 200.0))
    probability.flags.writeable = False
    assert PeakPicker(128, 0.3).push(probability) == PeakPicker(128, 0.3).push(probability.copy())


def plain_summits(probability: np.ndarray, threshold: float) -> list[tuple[float, float]]:
    smooth = np.convolve(np.concatenate([np.zeros(4), probability]), [0.25, 0.5, 0.25], "valid")
    left, middle, right = smooth[:-2], smooth[1:-1], smooth[2:]
    found = []
    for k in np.flatnonzero((middle >= threshold) & (middle > left) & (middle >= right)):
        bend = left[k] - 2 * middle[k] + right[k]
        shift = 0.5 * (left[k] - right[k]) / bend if bend < 0 else 0.0
        found.append((float(k - 2 + shift), float(middle[k])))
    return found


@settings(deadline=None)
@given(seeds, st.integers(1, 30))
def test_peaks_are_summits_of_the_smoothed_probability(seed: int, sharpness: int) -> None:
    heights = np.random.default_rng(seed).uniform(0, 1, 300).astype(np.float32) ** sharpness
    probability = np.concatenate([heights, np.zeros(40, np.float32)])  # so that all are settled
    found = {(p.frame, p.probability) for p in PeakPicker(128, 0.3).push(probability)}
    summits = plain_summits(probability, 0.3)
    assert found <= set(summits)
    assert max((h for _, h in found), default=0) == max((h for _, h in summits), default=0)


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(1, 2 * HISTORY), st.integers(1, 40))
def test_intervals_kept_in_order_are_those_sorted_anew(seed: int, count: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    known = np.round(rng.normal(-0.2, 0.3, count) * kinds) / kinds  # many of them equal
    streamed, late = Intervals(), Intervals()
    for interval in known:
        streamed.append(float(interval))
    for interval in known[-HISTORY:]:
        late.append(float(interval))
    one, other = np.empty(RR_WIDTH, np.float32), np.empty(RR_WIDTH, np.float32)
    streamed.describe(0.1, 5, one)
    late.describe(0.1, 5, other)
    np.testing.assert_array_equal(one, other)
    past = np.resize(known[-HISTORY:][::-1], HISTORY)
    steps = np.abs(np.diff(past[:129]))
    for at, window in ((9, 32), (17, 128), (25, 512)):
        ordered = np.sort(past[:window])
        expected = past[0] - ordered[[round(q * (window - 1)) for q in (0.1, 0.25, 0.5, 0.75, 0.9)]]
        np.testing.assert_array_equal(one[at : at + 5], expected.astype(np.float32))
    for at, window in ((34, 8), (37, 32), (40, 128)):
        assert one[at] == np.float32(np.sort(steps[:window])[window // 2])


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=6))
def test_softmax_is_that_of_numpy(logits: list[float]) -> None:
    given, found = np.array(logits, np.float32), np.empty(len(logits), np.float32)
    softmax(given, found)
    powers = np.exp(given.astype(np.float64) - given.max())
    np.testing.assert_allclose(found, powers / powers.sum(), rtol=1e-6, atol=1e-30)
    assert found.sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_one_strange_number_is_found(strange: float) -> None:
    values = np.full(9, 3e38, np.float32)
    assert all_finite(values)
    values[8] = strange
    assert not all_finite(values)
