"""CinC 2017: ROC curve of AF against normal and other rhythms, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.evaluate.figures import Row
from edge.evaluate.plots.confusion import matrix
from edge.evaluate.plots.records import BLUE, GREY, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["paint", "roc"]

NOISY = "~"


def paint(report: Row) -> Figure:
    """The curve on the left, the matrix on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _curve(left, report)
    f1 = report["gross"]["f1"]
    words = ", ".join(f"{name} {value:.3f}" for name, value in f1.items())
    matrix(right, report["confusion"], f"all recordings; F1 {words}")
    return figure


def roc(rows: Sequence[Row]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates in percent, from no recording called AF to every one.

    rows: of CinC 2017; noisy recordings are left out. Recordings of one score move together.
    """
    clean = [row for row in rows if row["reference"] != NOISY]
    score = np.array([row["af"] for row in clean], float)
    truth = np.array([row["reference"] == "A" for row in clean], bool)
    order = np.argsort(-score, kind="stable")
    steps = np.append(np.diff(score[order]) != 0, True)[: len(clean)]
    last = np.flatnonzero(steps)
    counts = [np.append(0, np.cumsum(truth[order] == of)[last]) for of in (False, True)]
    false, true = (100.0 * count / max(1, count[-1]) for count in counts)
    return false, true


def _curve(axes: Axes, report: Row) -> None:
    af = report["gross"]["af"]
    area = "-" if af["auroc"] is None else f"{af['auroc']:.4f}"
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(*roc(report["records"]), color=BLUE, linewidth=1.6, label=f"AUROC {area}")
    if af["se"] is not None and af["sp"] is not None:
        axes.plot(
            100.0 - af["sp"],
            af["se"],
            "o",
            color=RED,
            label=f"as decided: Se {af['se']:.1f}, Sp {af['sp']:.1f}",
        )
    axes.set(xlim=(-1, 101), ylim=(-1, 101), aspect="equal")
    axes.set_xlabel("100 - specificity, %")
    axes.set_ylabel("sensitivity, %")
    axes.grid(True, axis="both")
    axes.legend(loc="lower right")
    axes.set_title("AF: A against N and O")
