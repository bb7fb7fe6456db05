"""A drawing as PNG, by Pillow: drawn at twice the size, and so smooth at its own."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Any

from edge.errors import UsageError
from edge.strips.drawing import Box, Curve, Drawing, Grid, Item, Label, Rule
from edge.strips.svg import MAJOR, MINOR, PAPER

__all__ = ["as_png", "check_pillow"]

FINER = 2
COLOURS = 64
RESOLUTIONS_PX_PER_MM = (6.0, 5.0, 4.0, 3.0, 2.0)
DASH_MM, SPACE_MM = 1.5, 1.0
MM_PER_INCH = 25.4


def check_pillow() -> None:
    """Raises UsageError that names the extra where Pillow is missing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise UsageError(
            "PNG pictures of strips need Pillow: pip install 'edge[strips]' (SVG needs nothing)"
        ) from None


def as_png(drawing: Drawing, bytes_max: int | None = None) -> bytes:
    """The picture at 152 dpi; at less where it would be larger than `bytes_max`.

    Raises UsageError where Pillow is missing, ValueError where no resolution is small enough.
    """
    check_pillow()
    for resolution in RESOLUTIONS_PX_PER_MM:
        data = _painted(drawing, resolution)
        if bytes_max is None or len(data) <= bytes_max:
            return data
    raise ValueError(f"a picture of this strip takes more than {bytes_max} bytes")


def _painted(drawing: Drawing, px_per_mm: float) -> bytes:
    from PIL import Image

    painter = _Painter(drawing, px_per_mm * FINER)
    for item in drawing.items:
        painter.draw(item)
    image = painter.image.reduce(FINER).quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    dpi = px_per_mm * MM_PER_INCH
    out = BytesIO()
    image.save(out, "PNG", optimize=True, dpi=(dpi, dpi))
    return out.getvalue()


class _Painter:
    """Draws items on an image, `scale` pixels a millimetre."""

    def __init__(self, drawing: Drawing, scale: float) -> None:
        from PIL import Image, ImageDraw

        size = (round(drawing.width * scale), round(drawing.height * scale))
        self.image = Image.new("RGB", size, "#ffffff")
        self._draw = ImageDraw.Draw(self.image)
        self._scale = scale

    def draw(self, item: Item) -> None:
        match item:
            case Grid():
                self._grid(item)
            case Box():
                self._draw.rectangle(self._corners(item), fill=item.fill)
            case Rule():
                self._rule(item)
            case Curve():
                points = (item.points * self._scale).ravel().tolist()
                self._draw.line(points, item.colour, self._pen(item.width), joint="curve")
            case Label():
                self._label(item)

    def _grid(self, grid: Grid) -> None:
        self._draw.rectangle(self._corners(grid), fill=PAPER)
        for colour, width, steps in ((MINOR, 0.12, 1), (MAJOR, 0.24, 5)):
            for x in range(0, int(grid.width + 0.01) + 1, steps):
                self._stroke(grid.x + x, grid.y, grid.x + x, grid.y + grid.height, colour, width)
            for y in range(0, int(grid.height + 0.01) + 1, steps):
                self._stroke(grid.x, grid.y + y, grid.x + grid.width, grid.y + y, colour, width)

    def _rule(self, rule: Rule) -> None:
        if not rule.dashed:
            self._stroke(rule.x1, rule.y1, rule.x2, rule.y2, rule.colour, rule.width)
            return
        y = rule.y1  # dashed rules stand upright
        while y < rule.y2:
            stop = min(y + DASH_MM, rule.y2)
            self._stroke(rule.x1, y, rule.x1, stop, rule.colour, rule.width)
            y += DASH_MM + SPACE_MM

    def _label(self, label: Label) -> None:
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[label.anchor]
        at = (label.x * self._scale, label.y * self._scale)
        bold = round(label.size * self._scale / 36) if label.bold else 0
        font = _font(round(label.size * self._scale))
        text = "".join(each if each.isprintable() else " " for each in label.text)
        self._draw.text(
            at, text, label.colour, font, anchor, stroke_width=bold, stroke_fill=label.colour
        )

    def _stroke(
        self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float
    ) -> None:
        ends = [each * self._scale for each in (x1, y1, x2, y2)]
        self._draw.line(ends, colour, self._pen(width))

    def _corners(self, item: Grid | Box) -> list[float]:
        ends = (item.x, item.y, item.x + item.width, item.y + item.height)
        return [each * self._scale for each in ends]

    def _pen(self, width_mm: float) -> int:
        return max(1, round(width_mm * self._scale))


@lru_cache(maxsize=32)
def _font(size_px: int) -> Any:
    """Pillow's own, so that the picture is the same on every machine."""
    from PIL import ImageFont

    return ImageFont.load_default(size_px)
