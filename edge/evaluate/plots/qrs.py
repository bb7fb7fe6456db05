"""QRS detection: beats missed and made up by record, and edge beside its peers where they ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.evaluate.figures import Row
from edge.evaluate.plots.records import BLUE, ORANGE, frame, legend_above, name_records, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["paint"]

WITH_TEXT = 1.4
"""Room for the longest bar and its figures, in lengths of that bar."""


def paint(report: Row) -> Figure:
    """Se and +P, then errors, by record; then the detectors."""
    rows, peers = report["records"], report.get("peers", {})
    heights = [2.6, 2.6, *([0.7 + 0.35 * (1 + len(peers))] if peers else [])]
    figure, axes = frame(len(rows), heights)
    names = {"se": ("Se", BLUE), "ppv": ("+P", ORANGE)}
    points(axes[0], "detection by record", rows, report["gross"], names)
    _errors(axes[1], rows, report["gross"])
    for panel in axes[:2]:
        name_records(panel, [row["record"] for row in rows])
    if peers:
        _detectors(axes[2], {"edge": report, **peers})
    return figure


def _errors(axes: Axes, rows: list[Row], gross: Row) -> None:
    missed, false = [row["fn"] for row in rows], [row["fp"] for row in rows]
    axes.bar(range(len(rows)), missed, color=BLUE, label=f"missed (FN), {gross['fn']:,} in all")
    axes.bar(
        range(len(rows)),
        false,
        bottom=missed,
        color=ORANGE,
        label=f"made up (FP), {gross['fp']:,} in all",
    )
    axes.set_ylabel("beats")
    axes.grid(True, axis="y")
    legend_above(axes, "errors by record")


def _detectors(axes: Axes, detectors: dict[str, Row]) -> None:
    names = list(detectors)
    gross = [detectors[name]["gross"] for name in names]
    missed, false = [each["fn"] for each in gross], [each["fp"] for each in gross]
    axes.barh(names, missed, color=BLUE)
    axes.barh(names, false, left=missed, color=ORANGE)
    for y, each in enumerate(gross):
        se, ppv = (f"{each[key]:.2f}" if each[key] is not None else "-" for key in ("se", "ppv"))
        text = f" {each['fn'] + each['fp']:,} (Se {se}, +P {ppv})"
        axes.text(each["fn"] + each["fp"], y, text, va="center")
    axes.invert_yaxis()
    axes.set_xlim(right=WITH_TEXT * max(1, *(a + b for a, b in zip(missed, false, strict=True))))
    axes.set_xlabel("beats missed (FN) and made up (FP)")
    axes.set_title("all records, beside other detectors")
