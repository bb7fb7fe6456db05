"""Pictures as inline SVG at their true size: no scripts, no fonts, no links."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from edge.holter.picture import INK, Boxes, Line, Mark, Picture, Words
from edge.holter.seconds import spans_of

__all__ = ["svg"]


def svg(picture: Picture) -> str:
    """The picture; a screen reader says its description."""
    unit = picture.unit_mm
    width, height = round(picture.width_mm / unit), round(picture.height_mm / unit)
    body = "".join(_mark(mark, unit) for mark in picture.marks)
    return (
        f'<svg role="img" aria-label="{escape(picture.description)}" '
        f'viewBox="0 0 {width} {height}" style="width:{picture.width_mm:g}mm">{body}</svg>'
    )


def _mark(mark: Mark, unit: float) -> str:
    match mark:
        case Line():
            return _line(mark, unit)
        case Boxes():
            path = "".join(_box(*each) for each in _units(mark.boxes, unit).tolist())
            return f'<path fill="{INK[mark.ink]}" opacity="{mark.opacity:g}" d="{path}"/>'
        case Words():
            weight = ' font-weight="600"' if mark.bold else ""
            return (
                f'<text x="{mark.x_mm / unit:.0f}" y="{mark.y_mm / unit:.0f}" '
                f'font-size="{mark.size_mm / unit:.0f}" fill="{INK[mark.ink]}" '
                f'text-anchor="{mark.anchor}"{weight}>{escape(mark.text)}</text>'
            )


def _line(line: Line, unit: float) -> str:
    known = np.asarray(np.isfinite(line.points).all(axis=1))
    path = "".join(_path(_units(line.points[a:b], unit)) for a, b in spans_of(known))
    return (
        f'<path fill="none" stroke="{INK[line.ink]}" stroke-linejoin="round" '
        f'stroke-width="{line.width_mm / unit:.3g}" d="{path}"/>'
    )


def _path(points: NDArray[np.int64]) -> str:
    """Where it begins, and from there steps: those are short."""
    x, y = points[0].tolist()
    if len(points) == 1:
        return f"M{x} {y}h1"
    steps = " ".join(map(str, np.diff(points, axis=0).ravel().tolist()))
    return f"M{x} {y}l{steps}".replace(" -", "-")


def _box(x: int, y: int, width: int, height: int) -> str:
    return f"M{x} {y}h{max(1, width)}v{max(1, height)}h-{max(1, width)}z"


def _units(values: NDArray[np.float64], unit: float) -> NDArray[np.int64]:
    return np.rint(values / unit).astype(np.int64)
