"""What a strip is drawn with, in millimetres from the top left: painted as SVG or as PNG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Curve", "Drawing", "Grid", "Item", "Label", "Rule"]


@dataclass(frozen=True, slots=True)
class Grid:
    """ECG paper: lines every 1 mm, stronger ones every 5 mm."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle. fill: `#rrggbb`."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line. width: of the pen."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 0.3
    dashed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Joined points, shape (points, 2). width: of the pen."""

    points: NDArray[np.float64]
    colour: str
    width: float = 0.3


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text, `y` its base line, `size` its height; `anchor` says what `x` is."""

    x: float
    y: float
    text: str
    size: float
    colour: str = "#1a1a1a"
    bold: bool = False
    anchor: Literal["start", "middle", "end"] = "start"


Item = Grid | Box | Rule | Curve | Label


@dataclass(frozen=True, slots=True)
class Drawing:
    """Items on a white page, later ones on top. title: for those who cannot see it."""

    width: float
    height: float
    title: str
    items: tuple[Item, ...]
