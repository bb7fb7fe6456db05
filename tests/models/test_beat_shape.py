"""The usual shape: slow, robust, and told apart from what is not usual."""

from __future__ import annotations

import numpy as np
import pytest

from models.beat_shape import DISTANCES, UsualShape
from models.errors import StepError

WIDTH = 8
NORMAL, ECTOPIC = np.linspace(-100, 100, WIDTH), np.linspace(500, -500, WIDTH)


def noisy(shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (shape + rng.normal(0, 10, WIDTH)).astype(np.float32)


def step(usual: UsualShape, window_uv: np.ndarray) -> np.ndarray:
    row = np.empty(DISTANCES + 2 * WIDTH, np.float32)
    usual.step(window_uv, row)
    return row


def test_a_row_holds_distances_window_and_difference() -> None:
    usual, beat = UsualShape(WIDTH), NORMAL.astype(np.float32)
    first = step(usual, beat)
    scaled = beat / np.sqrt(np.mean(beat**2))
    np.testing.assert_allclose(first[DISTANCES : DISTANCES + WIDTH], scaled, rtol=1e-5)
    assert not first[DISTANCES + WIDTH :].any()  # nothing is usual yet
    second = step(usual, 2 * beat)
    np.testing.assert_allclose(second[DISTANCES + WIDTH :], scaled, rtol=1e-5)
    assert second[3] == pytest.approx(1.0, abs=1e-5)  # the same direction
    assert second[5] == 1.0


def test_an_ectopic_beat_stands_out_and_does_not_become_usual() -> None:
    rng, usual = np.random.default_rng(0), UsualShape(WIDTH)
    for k in range(200):
        row = step(usual, noisy(ECTOPIC if k % 5 == 4 else NORMAL, rng))
        if k > 50:
            assert (row[0] > 4) == (k % 5 == 4)
            assert (row[3] > 0.5) == (k % 5 != 4)


def test_a_lasting_change_becomes_usual() -> None:
    rng, usual = np.random.default_rng(1), UsualShape(WIDTH)
    for _ in range(100):
        step(usual, noisy(NORMAL, rng))
    rows = [step(usual, noisy(ECTOPIC, rng)) for _ in range(600)]
    assert rows[0][3] < 0
    assert rows[-1][3] > 0.9


@pytest.mark.parametrize("bad", [np.ones(WIDTH - 1), np.ones((1, WIDTH)), np.full(WIDTH, np.inf)])
def test_strange_windows_are_named(bad: np.ndarray) -> None:
    with pytest.raises(StepError, match="expected 8 finite numbers"):
        step(UsualShape(WIDTH), bad.astype(np.float32))


def test_huge_windows_stay_finite() -> None:
    usual = UsualShape(WIDTH)
    for scale in (1e30, -1e30, 0.0, 1e-30):
        assert np.isfinite(step(usual, np.full(WIDTH, scale, np.float32))).all()


def test_the_gain_of_the_lead_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    rows = [noisy(NORMAL, rng) for _ in range(40)]
    one, other = UsualShape(WIDTH), UsualShape(WIDTH)
    for row in rows:
        np.testing.assert_allclose(step(one, row), step(other, row * 4), rtol=1e-3, atol=1e-3)
