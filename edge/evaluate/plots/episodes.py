"""AF and VF by record: episodes and durations found, and claims that are true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.evaluate.figures import Row
from edge.evaluate.plots.records import BLUE, GREY, ORANGE, RED, frame, name_records, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["paint"]

NAMES = {
    "episode_se": ("episode Se", BLUE),
    "episode_ppv": ("episode +P", ORANGE),
    "duration_se": ("duration Se", GREY),
    "duration_ppv": ("duration +P", RED),
}
TITLES = {"af": "AF", "vf": "VF and ventricular flutter"}


def paint(report: Row) -> Figure:
    """A panel for each rhythm, with the records that have or claim an episode of it."""
    told = {
        kind: [row for row in report["records"] if row[kind]["reference"] or row[kind]["test"]]
        for kind in TITLES
    }
    figure, axes = frame(max(map(len, told.values())), [2.6, 2.6])
    for panel, (kind, name) in zip(axes, TITLES.items(), strict=True):
        rows, gross = told[kind], report["gross"][kind]
        title = f"{name}: {gross['reference']} episodes, {gross['test']} claimed"
        points(panel, title, [row[kind] for row in rows], gross, NAMES)
        panel.set_ylim(-4, 104)
        name_records(panel, [row["record"] for row in rows])
        if not rows:
            panel.text(0.5, 0.5, "none in any record", transform=panel.transAxes, ha="center")
    return figure
