"""Strips: the signal around each alert, cut, published and drawn."""

from __future__ import annotations

from edge.messages import AlertMessage, StripMessage

__all__ = ["render_png", "render_svg"]


def render_svg(strip: StripMessage, alert: AlertMessage | None = None) -> str:
    """The strip as an SVG document, 25 mm/s.

    alert: the message of its start, for evidence and bundle. Raises ValueError where the strip
    cannot be decoded.
    """
    from edge.strips.layout import laid_out
    from edge.strips.svg import as_svg

    return as_svg(laid_out(strip, alert))


def render_png(
    strip: StripMessage, alert: AlertMessage | None = None, bytes_max: int | None = None
) -> bytes:
    """The strip as a PNG picture, of at most so many bytes, at the cost of its resolution.

    Raises ValueError as `render_svg` does, UsageError where Pillow is missing.
    """
    from edge.strips.layout import laid_out
    from edge.strips.png import as_png

    return as_png(laid_out(strip, alert), bytes_max)
