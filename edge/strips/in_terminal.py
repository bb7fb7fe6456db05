"""A strip in a terminal: braille dots, with beats and marks above."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.messages import StripMessage
from edge.strips.band import displayed
from edge.strips.codec import decode
from edge.strips.words import clock_time, moment
from edge.terminal import strip as drawn

__all__ = ["terminal_lines"]

ROW_S = 10.0
ROWS = 6
COLUMNS_MIN, COLUMNS_MAX = 40, 160
SPAN_MIN_UV = 2000.0


def terminal_lines(strip: StripMessage, columns: int | None = None) -> Iterator[str]:
    """Rows of up to 10 s, each with the lead's name, its time, and marks: a letter a beat, `|` at
    the alarm, `:` at the onset. Raises ValueError where the strip cannot be decoded.

    columns: of the terminal; its own where None.
    """
    width = columns or shutil.get_terminal_size((100, 24)).columns
    width = max(COLUMNS_MIN, min(width, COLUMNS_MAX))
    shown = displayed(decode(strip), strip.rate_hz)
    count = max(1, round(ROW_S * strip.rate_hz))
    known = shown[~np.isnan(shown)]
    span_uv = max(SPAN_MIN_UV, float(np.ptp(known))) if len(known) else SPAN_MIN_UV
    for first in range(0, len(shown), count):
        part = shown[first : first + count]
        cells = max(1, round(len(part) / count * width))
        start_ms = first / strip.rate_hz * 1000
        yield _marks(strip, start_ms, len(part) / strip.rate_hz * 1000, cells)
        for lead, name in enumerate(strip.samples):
            yield from _lead(part[:, lead], cells, span_uv)
            yield f"{name}  {clock_time(moment(strip, start_ms))}"
    yield f"{ROW_S:g} s to a row, {span_uv / 1000:.1f} mV from bottom to top"


def _lead(samples_uv: NDArray[np.float32], cells: int, span_uv: float) -> list[str]:
    valid = (~np.isnan(samples_uv)).astype(np.uint8)
    return drawn(np.nan_to_num(samples_uv), valid, cells, ROWS, span_uv)


def _marks(strip: StripMessage, start_ms: float, length_ms: float, cells: int) -> str:
    line = [" "] * cells
    marks = [(beat.offset_ms, "." if beat.label == "U" else beat.label) for beat in strip.beats]
    marks += [
        (offset_ms, sign)
        for offset_ms, sign in ((strip.onset_ms, ":"), (strip.decided_ms, "|"))
        if offset_ms is not None
    ]
    for offset_ms, sign in marks:
        at = int((offset_ms - start_ms) / length_ms * cells)
        if 0 <= offset_ms - start_ms < length_ms:
            line[min(at, cells - 1)] = sign[:1]
    return "".join(line).rstrip()
