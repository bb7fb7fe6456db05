"""Tokens of a sliding window: the formula, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.manifest import MinMaxTokens
from models.tokens import Tokeniser

FACTS = MinMaxTokens(window_samples=20, levels=100)


def run(signal: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, Tokeniser]:
    """The tokens after hops of these sizes; signal (leads, samples)."""
    tokeniser = Tokeniser(FACTS, len(signal))
    out, at = np.zeros((len(signal), 20), np.int64), 0
    for size in sizes:
        assert tokeniser.step(signal[:, at : at + size], np.ones(len(signal)), out)
        at += size
    return out, tokeniser


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 100))
def test_only_the_last_window_counts(sizes: list[int], seed: int) -> None:
    signal = np.random.default_rng(seed).normal(0, 500, (2, sum(sizes))).astype(np.float32)
    tokens, tokeniser = run(signal, sizes)
    assert tokeniser.full == (sum(sizes) >= 20)
    if tokeniser.full:
        window = signal[:, -20:].astype(float)
        low, high = window.min(axis=1, keepdims=True), window.max(axis=1, keepdims=True)
        np.testing.assert_array_equal(tokens, np.rint(100 * (window - low) / (high - low)))


def test_a_constant_window_is_all_zero() -> None:
    assert not run(np.full((1, 40), 7, np.float32), [20, 20])[0].any()


def test_reset_forgets_the_window() -> None:
    _, tokeniser = run(np.ones((1, 40), np.float32), [40])
    tokeniser.reset()
    assert not tokeniser.full


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_told_and_not_learnt(bad: float) -> None:
    _, tokeniser = run(np.ones((1, 10), np.float32), [10])
    hop, out = np.full((1, 10), bad, np.float32), np.full((1, 20), -1, np.int64)
    assert not tokeniser.step(hop, np.ones(1), out)
    assert (out == -1).all()
    assert not tokeniser.full
