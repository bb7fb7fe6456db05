"""Alarms by kind: conditions met and missed, false alarms, and how long they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.evaluate.figures import Row
from edge.evaluate.plots.records import BLUE, GREY, ORANGE, RED, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["paint"]

COUNTS = {"true": BLUE, "missed": ORANGE, "false": RED, "excused": GREY}
DELAYS = {"p50": ("median", "o"), "p90": ("90th percentile", "s"), "max": ("greatest", "|")}
TICKS_S = (0, 2, 4, 6, 8, 10, 30, 60, 120, 300, 600)
WITH_TEXT = 1.6
"""Room for the longest bar and its counts, in lengths of that bar."""


def paint(report: Row) -> Figure:
    """Counts on the left, delays on the right, a line a kind."""
    from matplotlib.figure import Figure

    kinds = report["kinds"]
    figure = Figure(figsize=(11.0, 1.8 + 0.36 * len(kinds)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    _counts(left, kinds)
    legend_above(left, f"conditions and alarms in {report['hours']:.1f} h")
    _delays(right, kinds)
    left.invert_yaxis()
    return figure


def _counts(axes: Axes, kinds: dict[str, Row]) -> None:
    names = list(kinds)
    before = [0] * len(names)
    for count, colour in COUNTS.items():
        values = [kinds[name][count] for name in names]
        axes.barh(names, values, left=before, color=colour, label=count)
        before = [a + b for a, b in zip(before, values, strict=True)]
    for y, name in enumerate(names):
        parts = [f"{kinds[name][count]} {count}" for count in COUNTS if kinds[name][count]]
        axes.text(before[y], y, f"  {', '.join(parts)}", va="center", fontsize=8)
    axes.set_xlim(right=WITH_TEXT * max(1, *before))
    axes.set_xlabel("number")


def _delays(axes: Axes, kinds: dict[str, Row]) -> None:
    told = [(y, row["delay_s"]) for y, row in enumerate(kinds.values())]
    known = [(y, delay) for y, delay in told if delay["p50"] is not None]
    for y, delay in known:
        axes.plot([delay["p50"], delay["max"]], [y, y], color=BLUE, linewidth=1.2, alpha=0.5)
    for key, (label, marker) in DELAYS.items():
        values = [delay[key] for _, delay in known]
        axes.plot(values, [y for y, _ in known], marker, color=BLUE, markersize=6, label=label)
    axes.set_xscale("symlog", linthresh=10.0)
    axes.set_xticks(TICKS_S, [str(tick) for tick in TICKS_S], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(-0.3, 1.1 * max([10.0, *(delay["max"] for _, delay in known)]))
    axes.grid(True, axis="x")
    axes.set_xlabel("s")
    legend_above(axes, "delay from onset to alert")
