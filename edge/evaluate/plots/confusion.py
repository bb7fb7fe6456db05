"""A confusion matrix: counts in cells, shaded by their share of the reference's row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["matrix"]

DARK = 0.55
"""Share above which a cell is so dark that its number is white."""


def matrix(axes: Axes, counts: dict[str, dict[str, int]], title: str) -> None:
    """counts: reference (row) to told (column) to how many."""
    rows, columns = list(counts), list(next(iter(counts.values())))
    shares = [
        [counts[row][column] / max(1, sum(counts[row].values())) for column in columns]
        for row in rows
    ]
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            colour = "white" if shares[y][x] > DARK else "black"
            axes.text(x, y, f"{counts[row][column]:,}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel("told")
    axes.set_ylabel("reference")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_title(title)
