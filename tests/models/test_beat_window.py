"""The window around a beat: centred on its largest deflection, whatever lies before the start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.beat_window import REACH, WIDTH, window_of


def spike(samples: int, at: int, height: float = 1000.0) -> np.ndarray:
    signal = np.zeros(samples, np.float32)
    signal[at] = height
    return signal


@given(st.integers(0, 300), st.floats(-4, 4), st.sampled_from([-900.0, 900.0]))
def test_the_largest_deflection_is_in_the_middle(at: int, off: float, height: float) -> None:
    signal = spike(at + REACH + 6, at, height)
    window = window_of(signal, max(0.0, at + off))
    assert window.shape == (WIDTH,)
    assert window[WIDTH // 2] == pytest.approx(height / 2)
    assert np.count_nonzero(window) == 1


def test_two_samples_are_averaged_and_the_start_is_padded() -> None:
    signal = np.arange(1, 200, dtype=np.float32)
    window = window_of(signal, 10)
    middle = 14  # the signal rises: the largest within reach
    expected = np.concatenate([np.zeros(64 - middle), signal[: middle + 64]])
    np.testing.assert_allclose(window, expected.reshape(-1, 2).mean(axis=1))
