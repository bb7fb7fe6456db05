"""Per-record figures as points over the names of the records, and the gross figure as a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge.evaluate.figures import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GREY", "ORANGE", "RED", "frame", "legend_above", "name_records", "points"]

BLUE, ORANGE, RED, GREY = "#0072b2", "#e69f00", "#d55e00", "#8a8a8a"
"""Colours that people with any colour vision tell apart (Okabe and Ito, 2008)."""

MAX_NAMED = 60
"""More records than this get no names on the axis."""

INCHES_A_RECORD, LEAST_IN, MOST_IN = 0.2, 8.0, 18.0
TITLE_PAD = 19.0
MARKERS = ("o", "s", "^", "D", "v", "P")


def frame(records: int, heights_in: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the records ask for, with panels of these heights below each other."""
    from matplotlib.figure import Figure

    width_in = min(MOST_IN, max(LEAST_IN, INCHES_A_RECORD * records))
    figure = Figure(figsize=(width_in, sum(heights_in) + 0.6), layout="constrained")
    axes = figure.subplots(len(heights_in), 1, height_ratios=list(heights_in), squeeze=False)
    return figure, list(axes[:, 0])


def points(
    axes: Axes, title: str, rows: Sequence[Row], gross: Row, names: dict[str, tuple[str, str]]
) -> None:
    """Percentages by record, one series a key of `names`: key to label and colour.

    A record without the figure has no point. The gross figure is a dashed line, and in the legend.
    """
    for k, (key, (label, colour)) in enumerate(names.items()):
        values = [float("nan") if row[key] is None else row[key] for row in rows]
        whole = "-" if gross[key] is None else f"{gross[key]:.2f}"
        axes.plot(
            range(len(rows)),
            values,
            MARKERS[k],
            color=colour,
            markersize=4.5,
            alpha=0.85,
            label=f"{label} {whole}",
        )
        if gross[key] is not None:
            axes.axhline(gross[key], color=colour, linewidth=0.8, linestyle="--")
    axes.set_ylabel("%, dashed: gross")
    axes.grid(True, axis="y")
    legend_above(axes, title)


def legend_above(axes: Axes, title: str) -> None:
    """The title, and below it the legend in one line, both outside the panel."""
    count = len(axes.get_legend_handles_labels()[0])
    axes.set_title(title, pad=TITLE_PAD)
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=count,
        borderaxespad=0.2,
        borderpad=0.0,
        handletextpad=0.4,
        columnspacing=1.4,
    )
    legend.set_in_layout(False)


def name_records(axes: Axes, names: Sequence[str]) -> None:
    """The records along the axis."""
    axes.set_xlim(-0.7, len(names) - 0.3)
    if len(names) <= MAX_NAMED:
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7.5)
    else:
        axes.set_xlabel(f"{len(names)} records, in order")
