"""Figures against definitions worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.metrics import auroc, f1, sensitivity_specificity


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_the_chance_of_the_right_order(rows: list[tuple[int, bool]]) -> None:
    score = np.array([r[0] for r in rows], float)
    positive = np.array([r[1] for r in rows])
    if positive.all() or not positive.any():
        return
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0 for p in score[positive] for n in score[~positive]
    ]
    assert auroc(score, positive) == pytest.approx(np.mean(pairs))


def test_f1() -> None:
    assert f1(np.array([1, 1, 0, 2]), np.array([1, 0, 1, 2]), 1) == pytest.approx(0.5)
    assert f1(np.array([0]), np.array([0]), 3) == 0


def test_sensitivity_and_specificity_are_percentages() -> None:
    truth = np.array([True, True, False, False, False])
    said = np.array([True, False, False, False, True])
    assert sensitivity_specificity(said, truth) == pytest.approx((50, 200 / 3))
