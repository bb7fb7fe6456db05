"""RR intervals as numbers: against plain NumPy, and on rhythms whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat_rhythm import HISTORY, RR_MAX_S, RR_MIN_S, RR_WIDTH, Intervals, log_rr


def row(known: np.ndarray, following: float, beats: int = 0) -> np.ndarray:
    out = np.full(RR_WIDTH, np.nan, np.float32)
    intervals = Intervals()
    for interval in known:
        intervals.append(float(interval))
    intervals.describe(following, beats, out)
    return out


def test_an_interval_is_clipped() -> None:
    assert log_rr(0.8) == pytest.approx(np.log(0.8))
    assert log_rr(0.01) == np.log(RR_MIN_S)
    assert log_rr(60.0) == np.log(RR_MAX_S)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 2 * HISTORY))
def test_the_numbers_are_those_of_numpy(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    known, following = rng.normal(-0.2, 0.3, count), float(rng.normal(-0.2, 0.3))
    out = row(known, following, beats=8)
    assert np.isfinite(out).all()
    past = np.resize(known[-HISTORY:][::-1], HISTORY)
    assert out[6] == pytest.approx(past[0] - past[:8].mean(), abs=1e-6)
    assert out[7] == pytest.approx(past[0] - np.median(past[:8]), abs=1e-6)
    for at, window in ((8, 32), (16, 128), (24, 512)):
        recent = np.sort(past[:window])
        assert out[at] == pytest.approx(past[0] - recent.mean(), abs=1e-6)
        assert out[at + 5] == pytest.approx(past[0] - recent[round(0.9 * (window - 1))], abs=1e-6)
        rank = (recent < following - 0.05).mean() - (recent > following + 0.05).mean()
        assert out[at + 7] == pytest.approx(rank, abs=1e-6)
    steps = np.diff(past[:33])
    assert out[35] == pytest.approx(np.sqrt((steps**2).mean()), abs=1e-6)
    assert out[36] == pytest.approx((np.abs(steps) > 0.05).mean(), abs=1e-6)
    turns = (steps[:-1] * steps[1:] < 0).mean()
    assert out[41] == pytest.approx(turns, abs=1e-6)
    assert out[45] == pytest.approx(0.5)


def test_a_steady_rhythm_is_equal_to_everything_usual() -> None:
    out = row(np.full(600, log_rr(0.8)), log_rr(0.8))
    np.testing.assert_allclose(out[:44], 0.0, atol=1e-6)
    assert out[44] == pytest.approx(1.0)  # every interval foretells the next


def test_bigeminy_is_like_the_beat_before_the_last() -> None:
    known = np.tile([log_rr(0.5), log_rr(1.1)], 200)
    out = row(known, log_rr(0.5))
    assert out[42] < -0.9  # the last interval
    assert out[43] > 0.9  # the one before
    assert out[5] == 0.0


def test_where_short_intervals_are_the_majority_the_longest_still_tell() -> None:
    known = np.concatenate([np.tile([1.2, 0.6, 0.6, 0.6, 0.6], 60)])
    out = row(np.log(known), np.log(1.2))
    median, high = out[26 + 1], out[24 + 5]
    assert median == pytest.approx(0.0, abs=1e-6)
    assert high == pytest.approx(np.log(0.6 / 1.2), abs=1e-6)
