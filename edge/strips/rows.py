"""One row of a strip: paper, calibration pulse, traces, gaps, beats and marks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.messages import StripMessage
from edge.strips.drawing import Box, Curve, Grid, Item, Label, Rule
from edge.strips.frame import MARGIN_MM
from edge.strips.words import clock_time, moment

__all__ = ["GUTTER_MM", "LANES_MM", "MM_PER_S", "ROW_GAP_MM", "Band", "Row", "row_items"]

MM_PER_S = 25.0
GUTTER_MM = 15.0
"""Left of the trace, for the calibration pulse."""
MARK_LANE_MM, BEAT_LANE_MM, TIME_LANE_MM = 4.0, 4.5, 5.0
LANES_MM = MARK_LANE_MM + BEAT_LANE_MM + TIME_LANE_MM
ROW_GAP_MM = 3.0
PULSE_MV, PULSE_S = 1.0, 0.2
"""The calibration pulse of electrocardiographs."""

INK, FAINT, MARK, GAP = "#111111", "#6b6b6b", "#0b4f9e", "#d9d9d9"
CLASS_COLOUR = {"N": FAINT, "S": "#7a2fb0", "V": "#c00000", "F": "#a85b00", "Q": FAINT}
GAP_WORDS_MM = 16.0
NAME_LETTERS = 7


@dataclass(frozen=True, slots=True)
class Band:
    """Room of one lead above and below its base line, in millimetres."""

    name: str
    above: float
    below: float

    @property
    def height(self) -> float:
        """Both together."""
        return self.above + self.below


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Some seconds of all leads. up_mm: traces in millimetres above the base line, (samples + 1 or
    samples, leads), NaN in gaps; `samples` of them belong to the row.
    """

    y: float
    height: float
    start_s: float
    up_mm: NDArray[np.float32]
    samples: int
    rate_hz: float
    gain_mm_per_mv: float
    bands: tuple[Band, ...]

    @property
    def left(self) -> float:
        """Where the first sample stands."""
        return MARGIN_MM + GUTTER_MM

    @property
    def width(self) -> float:
        """Of the traces."""
        return self.samples / self.rate_hz * MM_PER_S

    @property
    def top(self) -> float:
        """Of the paper."""
        return self.y + MARK_LANE_MM + BEAT_LANE_MM

    @property
    def bottom(self) -> float:
        """Of the paper."""
        return self.y + self.height - TIME_LANE_MM

    def x(self, offset_ms: float) -> float | None:
        """Where a moment stands, from the strip's first sample; None where in another row."""
        x = (offset_ms / 1000 - self.start_s) * MM_PER_S
        return self.left + x if 0 <= x < self.width else None


def row_items(strip: StripMessage, row: Row) -> Iterator[Item]:
    """Everything of one row, the traces last."""
    yield Grid(MARGIN_MM, row.top, GUTTER_MM + row.width, row.bottom - row.top)
    yield from _gaps(row)
    yield from _times(strip, row)
    yield from _marks(strip, row)
    yield from _beats(strip, row)
    base = row.top
    for lead, band in enumerate(row.bands):
        yield from _lead(row, lead, base + band.above)
        base += band.height


def _lead(row: Row, lead: int, base: float) -> Iterator[Item]:
    band, up = row.bands[lead], row.up_mm[:, lead]
    yield Curve(_pulse(base, row.gain_mm_per_mv), INK, 0.35)
    yield Label(MARGIN_MM + 1.5, base + 4.6, band.name[:NAME_LETTERS], 3.4, INK, bold=True)
    x = row.left + np.arange(len(up)) / row.rate_hz * MM_PER_S
    known = ~np.isnan(up)
    edges = np.flatnonzero(np.diff(known, prepend=False, append=False))
    for first, stop in pairwise(edges):
        if known[first]:
            points = np.column_stack([x[first:stop], base - up[first:stop]])
            yield Curve(points.astype(np.float64), INK, 0.3)


def _pulse(base: float, gain_mm_per_mv: float) -> NDArray[np.float64]:
    up, wide = PULSE_MV * gain_mm_per_mv, PULSE_S * MM_PER_S
    x = MARGIN_MM + 3.0
    corners = [(x, 0.0), (x + 2, 0.0), (x + 2, up), (x + 2 + wide, up), (x + 2 + wide, 0.0)]
    return np.array([(px, base - py) for px, py in [*corners, (x + 4 + wide, 0.0)]])


def _gaps(row: Row) -> Iterator[Item]:
    """Where no lead has a sample."""
    missing = np.asarray(np.isnan(row.up_mm[: row.samples]).all(axis=1))
    edges = np.flatnonzero(np.diff(missing, prepend=False, append=False))
    for first, stop in pairwise(edges):
        if not missing[first]:
            continue
        x, width = (each / row.rate_hz * MM_PER_S for each in (first, stop - first))
        yield Box(row.left + x, row.top, width, row.bottom - row.top, GAP)
        if width >= GAP_WORDS_MM:
            middle = row.left + x + width / 2
            yield Label(middle, row.top + 4.0, "no signal", 3.0, FAINT, anchor="middle")


def _times(strip: StripMessage, row: Row) -> Iterator[Item]:
    """A tick a second, the local time every five."""
    stop_s = row.start_s + row.samples / row.rate_hz
    for second in range(math.ceil(row.start_s), math.ceil(stop_s)):
        x = row.x(second * 1000.0)
        if x is None:
            continue
        yield Rule(x, row.bottom, x, row.bottom + (1.6 if second % 5 == 0 else 0.9), FAINT)
        if second % 5 == 0:
            words = clock_time(moment(strip, second * 1000.0))
            yield Label(x, row.bottom + 4.4, words, 2.6, FAINT, anchor="middle")


def _marks(strip: StripMessage, row: Row) -> Iterator[Item]:
    for offset_ms, words, dashed in (
        (strip.onset_ms, "onset", True),
        (strip.decided_ms, "alarm", False),
    ):
        x = None if offset_ms is None else row.x(offset_ms)
        if x is not None:
            yield Rule(x, row.top, x, row.bottom, MARK, 0.4, dashed)
            yield Label(x, row.y + MARK_LANE_MM - 1.0, words, 2.9, MARK, True, "middle")


def _beats(strip: StripMessage, row: Row) -> Iterator[Item]:
    """A tick a beat, with the letter of its class once it is known."""
    for beat in strip.beats:
        x = row.x(beat.offset_ms)
        if x is None:
            continue
        colour = CLASS_COLOUR.get(beat.label, FAINT)
        yield Rule(x, row.top - 1.1, x, row.top, colour)
        if beat.label in CLASS_COLOUR:
            bold = beat.label not in ("N", "Q")
            yield Label(x, row.top - 1.6, beat.label, 2.9, colour, bold, "middle")
