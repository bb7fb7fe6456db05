"""Tokens: those of a stream are those of the whole sequence, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.beat_token import RR_WIDTH, TOKEN_WIDTH, WAIT_S, Token, TokenMaker, tokens_of
from models.beat_window import WIDTH
from models.errors import StepError


def beats(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    steps = rng.choice([0.21, 0.5, 0.8, 0.83, 1.9, WAIT_S, 2.5, 7.0], count)
    return np.cumsum(steps), rng.normal(0, 300, (count, WIDTH)).astype(np.float32)


def streamed(peaks_s: np.ndarray, features: np.ndarray, asked_s: list[float]) -> list[Token]:
    """As the runtime asks: `expire` at any time up to which the beats are known."""
    maker, tokens = TokenMaker(), []
    for peak_s, row in zip(peaks_s, features, strict=True):
        for now_s in sorted(s for s in asked_s if s <= peak_s):
            tokens.append(maker.expire(now_s))
        tokens.append(maker.push(float(peak_s), row))
    tokens.append(maker.flush())
    return [token for token in tokens if token is not None]


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 60),
    asked_s=st.lists(st.floats(0, 60), max_size=12),
)
def test_a_stream_gives_the_tokens_of_the_whole(
    seed: int, count: int, asked_s: list[float]
) -> None:
    peaks_s, features = beats(seed, count)
    tokens = streamed(peaks_s, features, asked_s)
    assert [token.peak_s for token in tokens] == list(peaks_s)
    whole = tokens_of(peaks_s, features)
    assert whole.shape == (count, TOKEN_WIDTH)
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    last = -1 if peaks_s[-1] > 60 else count  # an `expire` may have come before the flush
    np.testing.assert_array_equal(np.stack([t.values for t in tokens])[:last], whole[:last])


def test_a_long_stream_forgets_no_more_than_the_whole_does() -> None:
    peaks_s, features = beats(1, 2300)
    tokens = streamed(peaks_s, features, [])
    np.testing.assert_array_equal(
        np.stack([t.values for t in tokens]), tokens_of(peaks_s, features)
    )


def test_timing_alone_is_the_front_of_the_token() -> None:
    peaks_s, features = beats(2, 40)
    np.testing.assert_array_equal(
        tokens_of(peaks_s, None), tokens_of(peaks_s, features)[:, :RR_WIDTH]
    )


def test_a_token_comes_with_the_next_beat_or_after_the_wait() -> None:
    maker, row = TokenMaker(), np.ones(WIDTH, np.float32)
    assert maker.push(1.0, row) is None
    first = maker.push(2.0, row)
    assert first is not None
    assert first.peak_s == 1.0
    assert maker.expire(2.0 + WAIT_S - 0.01) is None
    late = maker.expire(2.0 + WAIT_S)
    assert late is not None
    assert late.peak_s == 2.0
    assert maker.expire(100.0) is None
    assert maker.flush() is None


def test_after_reset_nothing_is_remembered() -> None:
    peaks_s, features = beats(3, 30)
    maker = TokenMaker()
    for peak_s, row in zip(peaks_s, features, strict=True):
        maker.push(float(peak_s), row)
    maker.reset()
    assert maker.flush() is None
    again = [maker.push(float(p), r) for p, r in zip(peaks_s, features, strict=True)]
    tokens = [token.values for token in again if token is not None]
    np.testing.assert_array_equal(np.stack(tokens), tokens_of(peaks_s, features)[:-1])


@pytest.mark.parametrize("peak_s", [1.0, 0.5, float("nan"), float("inf")])
def test_a_beat_out_of_order_is_refused(peak_s: float) -> None:
    maker, row = TokenMaker(), np.ones(WIDTH, np.float32)
    maker.push(1.0, row)
    with pytest.raises(StepError, match="does not follow"):
        maker.push(peak_s, row)
    known = maker.push(1.8, row)
    assert known is not None
    np.testing.assert_array_equal(known.values, tokens_of([1.0, 1.8], np.stack([row, row]))[0])


@pytest.mark.parametrize("row", [np.ones(WIDTH + 1), np.full(WIDTH, np.nan)])
def test_strange_windows_are_refused_and_not_learnt(row: np.ndarray) -> None:
    maker, good = TokenMaker(), np.ones(WIDTH, np.float32)
    maker.push(1.0, good)
    with pytest.raises(StepError, match="expected 64 finite numbers"):
        maker.push(1.8, row.astype(np.float32))
    known = maker.push(1.8, good)
    assert known is not None
    np.testing.assert_array_equal(known.values, tokens_of([1.0, 1.8], np.stack([good, good]))[0])
