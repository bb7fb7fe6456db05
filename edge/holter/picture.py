"""Pictures for page and print alike: lines, boxes and words in millimetres.

One description, drawn as SVG (`edge.holter.svg`) or on a PDF page (`edge.holter.pdf`). x goes to
the right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["INK", "Boxes", "Line", "Mark", "Picture", "Words", "horizontal", "vertical"]

INK = {
    "text": "#1a1a1a",
    "faint": "#666666",
    "rule": "#d5d8dc",
    "trace": "#111111",
    "grid": "#f6d5d5",
    "grid_5": "#e8a9a9",
    "blue": "#0072b2",
    "band": "#b9d8ea",
    "red": "#c1121f",
    "orange": "#b35900",
    "violet": "#7a3e9d",
    "green": "#2f7d4f",
    "grey": "#b5b9be",
    "high": "#c1121f",
    "medium": "#b58900",
    "low": "#0a7ea4",
}
"""Colours by what they mean; those of beats and alarms differ in lightness, too, for printers."""

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A polyline; points: (n, 2) in mm, a NaN breaks it."""

    points: NDArray[np.float64]
    ink: str = "text"
    width_mm: float = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Filled rectangles; boxes: (n, 4), x, y, width and height in mm."""

    boxes: NDArray[np.float64]
    ink: str = "blue"
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; y_mm: of its baseline."""

    x_mm: float
    y_mm: float
    text: str
    size_mm: float = 2.6
    ink: str = "text"
    anchor: Anchor = "start"
    bold: bool = False


Mark = Line | Boxes | Words


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, in order, and in words for those who cannot see it.

    unit_mm: to which places are rounded in SVG.
    """

    width_mm: float
    height_mm: float
    description: str
    marks: Sequence[Mark] = field(default_factory=list)
    unit_mm: float = 0.05


def horizontal(y_mm: Sequence[float], x0_mm: float, x1_mm: float) -> NDArray[np.float64]:
    """Points of a `Line` that draws a horizontal at each height."""
    rows = [[[x0_mm, y], [x1_mm, y], [np.nan, np.nan]] for y in y_mm]
    return np.array(rows, np.float64).reshape(-1, 2)


def vertical(x_mm: Sequence[float], y0_mm: float, y1_mm: float) -> NDArray[np.float64]:
    """Points of a `Line` that draws a vertical at each place."""
    rows = [[[x, y0_mm], [x, y1_mm], [np.nan, np.nan]] for x in x_mm]
    return np.array(rows, np.float64).reshape(-1, 2)
