"""A drawing as SVG: text of its own, no script, nothing fetched."""

from __future__ import annotations

from html import escape
from itertools import groupby

import numpy as np

from edge.strips.drawing import Box, Curve, Drawing, Grid, Item, Label, Rule

__all__ = ["as_svg"]

UNIT_MM = 0.05
"""Curves are drawn in whole numbers of this: half the width of a printer's dot at 254 dpi."""
PAPER, MINOR, MAJOR = "#fffafa", "#f7d3d3", "#eaa0a0"


def as_svg(drawing: Drawing) -> str:
    """The document, in millimetres."""
    width, height = f"{drawing.width:g}", f"{drawing.height:g}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="Helvetica,Arial,sans-serif">',
        f"<title>{escape(drawing.title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    parts += [_item(each) for each in drawing.items]
    return "\n".join([*parts, "</svg>\n"])


def _item(item: Item) -> str:
    match item:
        case Grid():
            return _grid(item)
        case Box():
            return f'<rect {_rect(item)} fill="{item.fill}"/>'
        case Rule():
            dashes = ' stroke-dasharray="1.5 1"' if item.dashed else ""
            return (
                f'<path d="M{item.x1:.4g} {item.y1:.5g}L{item.x2:.4g} {item.y2:.5g}" '
                f'stroke="{item.colour}" stroke-width="{item.width:g}"{dashes}/>'
            )
        case Curve():
            return (
                f'<path transform="scale({UNIT_MM})" d="{_path(item)}" fill="none" '
                f'stroke="{item.colour}" stroke-width="{item.width / UNIT_MM:g}" '
                'stroke-linejoin="round"/>'
            )
        case Label():
            weight = ' font-weight="bold"' if item.bold else ""
            anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
            return (
                f'<text x="{item.x:.5g}" y="{item.y:.5g}" font-size="{item.size:g}" '
                f'fill="{item.colour}"{weight}{anchor}>{escape(_printable(item.text))}</text>'
            )


def _grid(grid: Grid) -> str:
    """Lines, not a pattern: that would need an id, of which a page with many strips has many."""
    columns, rows = int(grid.width + 0.01), int(grid.height + 0.01)
    parts = [f'<rect {_rect(grid)} fill="{PAPER}"/>']
    for colour, width, step in ((MINOR, 0.12, 1), (MAJOR, 0.24, 5)):
        down = f"v{grid.height:g}m{step} -{grid.height:g}" * (columns // step + 1)
        right = f"h{grid.width:.5g}m-{grid.width:.5g} {step}" * (rows // step + 1)
        corner = f"M{grid.x:g} {grid.y:g}"
        parts.append(
            f'<path d="{corner}{down}{corner}{right}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:g}"/>'
        )
    return "".join(parts)


def _rect(item: Grid | Box) -> str:
    return f'x="{item.x:.5g}" y="{item.y:.5g}" width="{item.width:.5g}" height="{item.height:.5g}"'


def _path(curve: Curve) -> str:
    """Steps in whole units; where many go the same way, one."""
    points = np.rint(curve.points / UNIT_MM).astype(np.int64)
    (x, y), steps = points[0].tolist(), np.diff(points, axis=0).tolist()
    drawn = []
    for (dx, dy), same in groupby(steps):
        count = len(list(same))
        if dx or dy:
            drawn.append(f"{dx * count} {dy * count}")
    return f"M{x} {y}l{' '.join(drawn)}" if drawn else f"M{x} {y}h1"


def _printable(text: str) -> str:
    """XML takes no control characters."""
    return "".join(each if each.isprintable() else " " for each in text)
