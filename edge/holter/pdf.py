"""A report as PDF: A4 pages by matplotlib, which the extra `plot` installs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import UsageError
from edge.holter.document import Document
from edge.holter.picture import INK, Boxes, Line, Mark, Words
from edge.holter.print_layout import HEIGHT_MM, MARGIN_MM, WIDTH_MM, Page, pages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["require_matplotlib", "write_pdf"]

INCH_MM = 25.4
POINT_MM = INCH_MM / 72
ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def require_matplotlib() -> None:
    """Raises UsageError that says how to get it."""
    try:
        import matplotlib.backends.backend_pdf  # noqa: F401
    except ImportError:
        raise UsageError(
            "a report as PDF needs the package matplotlib: pip install 'edge[plot]'; or write "
            "HTML (--output NAME.html) and print it"
        ) from None


def write_pdf(document: Document, path: Path) -> int:
    """Write the pages, one after another; returns how many. Raises OSError, UsageError."""
    require_matplotlib()
    from matplotlib.backends.backend_pdf import PdfPages

    count = 0
    with PdfPages(path, metadata=_about(document)) as file:
        for count, page in enumerate(pages(document), 1):
            file.savefig(figure(document, page, count))
    return count


def figure(document: Document, page: Page, number: int) -> Figure:
    """One page as a figure whose coordinates are millimetres."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(WIDTH_MM / INCH_MM, HEIGHT_MM / INCH_MM))
    axes = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0.0, WIDTH_MM)
    axes.set_ylim(HEIGHT_MM, 0.0)
    axes.set_axis_off()
    for x_mm, y_mm, picture in page.placed:
        for mark in picture.marks:
            _draw(axes, mark, x_mm, y_mm)
    foot = f"{document.title}    not a medical device, not a diagnosis    page {number}"
    _draw(axes, Words(0.0, 0.0, foot, 2.4, "faint"), MARGIN_MM, HEIGHT_MM - MARGIN_MM + 2.0)
    return drawn


def _about(document: Document) -> dict[str, Any]:
    """No date of making: the same recording gives the same file."""
    return {"Title": document.title, "Creator": "edge report", "CreationDate": None}


def _draw(axes: Axes, mark: Mark, x_mm: float, y_mm: float) -> None:
    from matplotlib.collections import PolyCollection

    match mark:
        case Line():
            axes.plot(
                *(mark.points + np.array([x_mm, y_mm])).T,
                color=INK[mark.ink],
                linewidth=mark.width_mm / POINT_MM,
                solid_joinstyle="round",
            )
        case Boxes():
            x, y, width, height = (mark.boxes + np.array([x_mm, y_mm, 0.0, 0.0])).T
            x1, y1 = x + width, y + height
            corners = np.stack([x, y, x1, y, x1, y1, x, y1], axis=1).reshape(-1, 4, 2)
            filled = PolyCollection(
                list(corners), facecolors=INK[mark.ink], edgecolors="none", alpha=mark.opacity
            )
            axes.add_collection(filled, autolim=False)
        case Words():
            axes.text(
                mark.x_mm + x_mm,
                mark.y_mm + y_mm,
                mark.text.replace("$", r"\$"),
                fontsize=mark.size_mm / POINT_MM,
                color=INK[mark.ink],
                ha=ANCHORS[mark.anchor],
                va="baseline",
                fontweight="bold" if mark.bold else "normal",
            )
