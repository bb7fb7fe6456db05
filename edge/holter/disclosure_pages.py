"""The full disclosure as pictures: an hour a page where a line is a minute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.holter.disclosure import COLUMNS, Disclosure
from edge.holter.picture import Boxes, Line, Mark, Picture, Words
from edge.holter.seconds import spans_of
from edge.holter.survey import Survey
from edge.holter.times import Times
from firmware_bridge.stream import NS_PER_S

__all__ = ["LINES_A_PAGE", "disclosure_pages", "gain_mm_mv"]

LINES_A_PAGE = 60
LINE_MM = 4.1
LEFT_MM = 12.0
COLUMN_MM = 0.3
WIDTH_MM = LEFT_MM + COLUMNS * COLUMN_MM
GAINS_MM_MV = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0)
TALL = 1.0
"""Of a line's height, what the ECG takes."""
TICKS = {"V": "red", "S": "orange"}


def gain_mm_mv(disclosure: Disclosure) -> float:
    """The greatest of a row of round ones with which most of the ECG fits its line."""
    wanted = TALL * LINE_MM / (disclosure.swing_uv() / 1000)
    return max((each for each in GAINS_MM_MV if each <= wanted), default=GAINS_MM_MV[0])


def disclosure_pages(
    survey: Survey, disclosure: Disclosure, times: Times
) -> Iterator[tuple[str, Picture]]:
    """A title and a picture for each page that has anything on it."""
    gain = gain_mm_mv(disclosure)
    for first in range(0, disclosure.lines, LINES_A_PAGE):
        numbers = range(first, min(first + LINES_A_PAGE, disclosure.lines))
        drawn = {each: line for each in numbers if (line := disclosure.line(each)) is not None}
        if drawn:
            low, high = min(drawn), max(drawn) + 1
            start_ns, stop_ns = disclosure.line_start_ns(low), disclosure.line_start_ns(high)
            title = f"{times.minute(start_ns)} to {times.minute(stop_ns)}"
            marks = [
                mark
                for number in range(low, high)
                for mark in _line(survey, disclosure, number, drawn.get(number), gain, low, times)
            ]
            height = (high - low) * LINE_MM + 1.5
            yield title, Picture(WIDTH_MM, height, f"ECG from {title}", marks, 0.1)


def _line(
    survey: Survey,
    disclosure: Disclosure,
    number: int,
    columns: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    gain: float,
    first: int,
    times: Times,
) -> Iterator[Mark]:
    y_mm = (number - first + 0.5) * LINE_MM + 0.7
    start_ns = disclosure.line_start_ns(number)
    yield Words(0.0, y_mm + 0.8, f"{times.local(start_ns):%H:%M}", 2.0, "faint")
    yield from _shades(survey, disclosure, start_ns, y_mm)
    if columns is None:
        return
    low, high = (y_mm - np.clip(each / 1000 * gain, -LINE_MM, LINE_MM) for each in columns)
    x_mm = LEFT_MM + np.arange(COLUMNS) * COLUMN_MM
    rising = np.arange(COLUMNS) % 2 == 0  # down one column and up the next: no way is drawn twice
    ends = np.where(rising, low, high), np.where(rising, high, low)
    points = np.stack([np.repeat(x_mm, 2), np.stack(ends, axis=1).ravel()], axis=1)
    yield Line(points, "trace", 0.12)
    yield from _ticks(survey, disclosure, start_ns, y_mm)


def _ticks(survey: Survey, disclosure: Disclosure, start_ns: int, y_mm: float) -> Iterator[Mark]:
    """Above ventricular and supraventricular beats."""
    stop_ns = start_ns + disclosure.line_s * NS_PER_S
    beats, per_ns = survey.beats.between(start_ns, stop_ns), COLUMN_MM / disclosure.column_ns
    for label, ink in TICKS.items():
        x_mm = LEFT_MM + (beats.time_ns[beats.of(label)] - start_ns) * per_ns
        if len(x_mm):
            fixed = np.ones(len(x_mm))
            boxes = [x_mm - 0.3, fixed * (y_mm - LINE_MM / 2), fixed * 0.6, fixed * 1.0]
            yield Boxes(np.stack(boxes, axis=1), ink)


def _shades(survey: Survey, disclosure: Disclosure, start_ns: int, y_mm: float) -> Iterator[Mark]:
    """Behind seconds of fibrillation or of a ventricular rhythm."""
    seconds, stop_ns = survey.seconds, start_ns + disclosure.line_s * NS_PER_S
    first, stop = ((each - seconds.start_ns) // NS_PER_S for each in (start_ns, stop_ns))
    first, stop = max(first, 0), min(stop, len(seconds))
    per_s = COLUMN_MM * NS_PER_S / disclosure.column_ns
    for names, ink in ((("af",), "violet"), (("vt", "vf"), "red")):
        spans = spans_of(seconds.is_rhythm(*names)[first:stop])
        rows = [
            [(seconds.utc_ns(first + a) - start_ns) / NS_PER_S * per_s, (b - a) * per_s]
            for a, b in spans
        ]
        if rows:
            shaded = np.array(rows)
            x_mm = LEFT_MM + np.clip(shaded[:, 0], 0, COLUMNS * COLUMN_MM)
            top, tall = np.full(len(rows), y_mm - LINE_MM / 2), np.full(len(rows), LINE_MM)
            yield Boxes(np.stack([x_mm, top, shaded[:, 1], tall], axis=1), ink, 0.15)
