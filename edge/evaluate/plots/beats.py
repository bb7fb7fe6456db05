"""Beat classes: VEB and SVEB by record, and which class was told for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.evaluate.figures import Row
from edge.evaluate.plots.confusion import matrix
from edge.evaluate.plots.records import BLUE, ORANGE, frame, name_records, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["paint"]

NAMES = {"se": ("Se", BLUE), "ppv": ("+P", ORANGE)}


def paint(report: Row) -> Figure:
    """A panel for each kind of ectopic beat, the confusion matrix below."""
    rows = report["records"]
    figure, axes = frame(len(rows), [2.3, 2.3, 3.0])
    for panel, kind in zip(axes, ("veb", "sveb"), strict=False):
        title, own = f"{kind.upper()} by record", [row[kind] for row in rows]
        points(panel, title, own, report["gross"][kind], NAMES)
        panel.set_ylim(-4, 104)
        name_records(panel, [row["record"] for row in rows])
    matrix(axes[2], report["confusion"], "AAMI classes of all beats")
    return figure
