"""Figures from scores and labels, in the terms of ANSI/AAMI EC57."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["auroc", "f1", "sensitivity_specificity"]

Bools = NDArray[np.bool_]


def auroc(score: NDArray[np.floating], positive: Bools) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = ((last - counts + 1 + last) / 2)[inverse]  # ties share their mean rank
    n = int(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def f1(said: NDArray[np.integer], truth: NDArray[np.integer], label: int) -> float:
    """F1 of one label."""
    both = ((said == label) & (truth == label)).sum()
    return float(2 * both / max(1, (said == label).sum() + (truth == label).sum()))


def sensitivity_specificity(said: Bools, truth: Bools) -> tuple[float, float]:
    """Se and Sp in percent."""
    return (
        100 * float(said[truth].mean()) if truth.any() else float("nan"),
        100 * float((~said[~truth]).mean()) if (~truth).any() else float("nan"),
    )
