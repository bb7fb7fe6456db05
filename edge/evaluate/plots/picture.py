"""Draws a report by its task and writes the file. Matplotlib is imported only here and below."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import StorageError, UsageError
from edge.evaluate.figures import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "check_target", "draw"]

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 130
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "edge",
}


def check_target(path: Path) -> None:
    """Before the long work: can this file be drawn and written?

    Raises UsageError for another suffix, a place that cannot be written or missing Matplotlib.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--plot {path}: expected a name that ends in {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise UsageError(f"--plot {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"--plot {path}: may not be written")
    if find_spec("matplotlib") is None:
        raise UsageError(f"--plot {path}: needs Matplotlib: pip install 'edge[plot]'")


def draw(report: Row, path: Path) -> None:
    """Write the picture of a report; the suffix says which format. Raises StorageError."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = picture(report)
        try:
            figure.savefig(path, dpi=DPI)
        except OSError as error:
            why = error.strerror or error
            raise StorageError(f"--plot {path}: cannot be written: {why}") from error


def picture(report: Row) -> Figure:
    """The figure, titled with what was judged, and by which code."""
    paint: Callable[[Row], Any] = import_module(f"edge.evaluate.plots.{_module(report)}").paint
    figure: Figure = paint(report)
    figure.suptitle(title(report), x=0.01, ha="left", fontsize=11)
    return figure


def title(report: Row) -> str:
    """Task, folder, lead and noise; then bundle and commit."""
    signal, bundle = report["signal"], report["bundle"]
    words = [f"evaluate {report['task']}", report["folder"]]
    words += [] if signal["lead"] is None else [f"lead {signal['lead']}"]
    if signal["noise"]:
        noise = signal["noise"]
        words.append(f"{noise['record']} noise at {noise['snr_db']:g} dB ({noise['method']})")
    by = f"bundle {bundle['name']} {bundle['version']}" if bundle else "no bundle: rules alone"
    return f"{', '.join(words)}\n{by}, edge {report['commit']}"


def _module(report: Row) -> str:
    if report["task"] == "rhythm":
        return "cinc" if "f1" in report["gross"] else "episodes"
    return str(report["task"])
