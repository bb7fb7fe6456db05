"""Plots as inline SVG, drawn in the colours of the page around them; no scripts, no fonts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from edge.bench.distribution import Distribution, Histogram

__all__ = ["Axis", "bars", "histogram_plot", "line_plot", "ranges", "stacked"]

WIDTH, LEFT, RIGHT = 760, 190, 24
ROW = 26
TICKS = 6


@dataclass(frozen=True, slots=True)
class Axis:
    """A horizontal axis from `low` to `high` (above 0 where logarithmic), in `unit`."""

    low: float
    high: float
    unit: str
    logarithmic: bool = False

    def x(self, value: float) -> float:
        """Where a value lies, in pixels; values outside lie on the edge."""
        if self.logarithmic:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    @property
    def ticks(self) -> list[float]:
        """Powers of ten, or round steps."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / TICKS))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (m * step) <= TICKS)
        first = math.ceil(self.low / step)
        return [step * k for k in range(first, math.floor(self.high / step) + 1)]


def ranges(title: str, rows: Sequence[tuple[str, Distribution]], unit: str) -> str:
    """One row a distribution: a thin line from least to greatest, a bar from the median to the
    highest percentile that there are values enough for, a mark at the median."""
    known = [(name, d) for name, d in rows if d.n and d.max]
    if not known:
        return ""
    least = min(d.min for _, d in known if d.min) if any(d.min for _, d in known) else 1e-3
    axis = _logarithmic(least, max(d.max or 0.0 for _, d in known), unit)
    parts = [_axis(axis, ROW * len(known))]
    for number, (name, d) in enumerate(known):
        y = ROW * number + ROW / 2
        low, high = axis.x(d.min or axis.low), axis.x(d.max or axis.low)
        parts.append(_label(name, y) + _line("range", low, y, high, y))
        top = next((v for v in (d.p99, d.p95, d.p90) if v is not None), None)
        if d.p50 is not None:
            end = axis.x(d.p50 if top is None else top)
            parts.append(_rect("bar", axis.x(d.p50), y - 6, max(1.0, end - axis.x(d.p50)), 12))
            parts.append(_rect("mark", axis.x(d.p50) - 1.5, y - 9, 3, 18))
    return _svg(title, ROW * len(known) + 34, parts)


def histogram_plot(
    title: str, values: Histogram, unit: str, marks: Sequence[tuple[str, float | None]]
) -> str:
    """Counts over a logarithmic axis; marks: names and places of vertical lines."""
    if not values.counts:
        return ""
    placed = [(name, place) for name, place in marks if place]
    low = min([values.edges[0], *(place for _, place in placed)])
    high = max([values.edges[-1], *(place for _, place in placed)])
    axis, height, most = _logarithmic(low, high, unit), 150, max(values.counts)
    parts = [_axis(axis, height), _label(f"{sum(values.counts)} values", 12)]
    for k, count in enumerate(values.counts):
        left, right = axis.x(values.edges[k]), axis.x(values.edges[k + 1])
        tall = round(height * 0.85 * count / most, 1)
        if count:
            parts.append(_rect("bar", left, height - tall, max(1.0, right - left - 0.5), tall))
    for number, (name, place) in enumerate(placed):
        x = axis.x(place)
        parts.append(_line("limit", x, 0, x, height))
        parts.append(_beside(x, 12 + 12 * (number % 3), name))
    return _svg(title, height + 34, parts)


def stacked(title: str, parts_ms: Sequence[tuple[str, float]], unit: str) -> str:
    """Parts of a whole, one below the other, each beginning where the one before it ends."""
    total = sum(value for _, value in parts_ms)
    if total <= 0:
        return ""
    axis = Axis(0.0, total, unit)
    parts, begin = [_axis(axis, ROW * len(parts_ms))], 0.0
    for number, (name, value) in enumerate(parts_ms):
        y = ROW * number + 6
        left, right = axis.x(begin), axis.x(begin + value)
        parts.append(_label(f"{name}: {value:.4g}", y + 7))
        parts.append(_rect("bar", left, y, max(1.0, right - left), 14))
        begin += value
    return _svg(title, ROW * len(parts_ms) + 34, parts)


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str) -> str:
    """One bar a row, from 0."""
    if not rows or max(value for _, value in rows) <= 0:
        return ""
    axis = Axis(0.0, max(value for _, value in rows), unit)
    parts = [_axis(axis, ROW * len(rows))]
    for number, (name, value) in enumerate(rows):
        y = ROW * number + 6
        parts.append(_label(f"{name}: {value:.4g}", y + 7))
        parts.append(_rect("bar", axis.x(0.0), y, max(1.0, axis.x(value) - axis.x(0.0)), 14))
    return _svg(title, ROW * len(rows) + 34, parts)


def line_plot(title: str, points: Sequence[tuple[float, float]], unit: str) -> str:
    """Values over seconds; the range of the values is named."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return ""
    axis, height = Axis(points[0][0], points[-1][0], "s"), 90
    low, high = min(v for _, v in points), max(v for _, v in points)
    span = (high - low) or 1.0
    path = " ".join(
        f"{axis.x(t)},{height - 8 - (height - 16) * (v - low) / span:.1f}" for t, v in points
    )
    parts = [
        _axis(axis, height),
        _label(f"{high:.4g} {unit}", 14),
        _label(f"{low:.4g} {unit}", height - 8),
        f'<polyline class="trace" points="{path}"/>',
    ]
    return _svg(title, height + 34, parts)


def _logarithmic(low: float, high: float, unit: str) -> Axis:
    """Whole decades around the values."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return Axis(10.0**first, 10.0 ** max(last, first + 1), unit, logarithmic=True)


def _axis(axis: Axis, height: float) -> str:
    lines = [_line("grid", axis.x(tick), 0, axis.x(tick), height) for tick in axis.ticks]
    texts = [
        f'<text class="tick" x="{axis.x(tick)}" y="{height + 16}">{tick:g}</text>'
        for tick in axis.ticks
    ]
    unit = f'<text class="tick" x="{LEFT - 22}" y="{height + 16}">{escape(axis.unit)}</text>'
    return "".join([*lines, *texts, unit])


def _label(name: str, y: float) -> str:
    return f'<text class="name" x="{LEFT - 10}" y="{y + 4}">{escape(name)}</text>'


def _beside(x: float, y: float, name: str) -> str:
    """A name to the right of a line, or to its left where there is no room."""
    right = x < WIDTH - 4 * RIGHT
    place = f'x="{x + 3:g}"' if right else f'class="name" x="{x - 3:g}"'
    return f'<text {place} y="{y}">{escape(name)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width:.1f}" height="{height}"/>'


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    told = escape(title)
    return (
        f'<figure><figcaption>{told}</figcaption><svg role="img" aria-label="{told}" '
        f'viewBox="0 0 {WIDTH} {height:g}">{"".join(parts)}</svg></figure>'
    )
