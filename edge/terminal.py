"""Drawing in a terminal: an ECG strip in braille dots, and when colour is welcome."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from edge.output import Output

BLANK = 0x2800
# Dot bits of a braille cell by row (0 at the top) and column, as Unicode chapter 21.1 has them.
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint16)
GAP_DOT = np.uint16(0x40)


def is_live(stream: TextIO | Output | None = None) -> bool:
    """Whether the stream (standard output where None) is a terminal that can be redrawn."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def is_attached() -> bool:
    """Whether this process has a controlling terminal, whose end SIGHUP then tells of."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def can_draw(output: Output) -> bool:
    """Whether its encoding has braille."""
    try:
        chr(BLANK).encode(output.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def strip(
    samples_uv: NDArray[np.float32],
    valid: NDArray[np.uint8],
    columns: int,
    rows: int,
    span_uv: float,
) -> list[str]:
    """A trace as `rows` lines of `columns` braille cells, newest sample at the right.

    samples_uv: shape (samples,). valid: 0 where a sample is missing; drawn as a dotted floor.
    span_uv: microvolts from the bottom to the top; the median of the trace is centred.
    """
    canvas = np.zeros((rows, columns), dtype=np.uint16)
    if samples_uv.size == 0:
        return _lines(canvas)
    height = rows * 4
    edges = np.linspace(0, samples_uv.size, columns * 2 + 1).astype(int)
    centre = float(np.median(samples_uv[valid > 0])) if (valid > 0).any() else 0.0
    level = (0.5 - (samples_uv - centre) / span_uv) * (height - 1)
    row = np.clip(np.rint(level), 0, height - 1).astype(np.int64)
    for column, (first, last) in enumerate(pairwise(edges)):
        if last > first:
            _draw(canvas, column, row[first:last], valid[first:last])
    return _lines(canvas)


def _draw(
    canvas: NDArray[np.uint16], column: int, level: NDArray[np.int64], valid: NDArray[np.uint8]
) -> None:
    if not valid.all():
        canvas[-1, column // 2] |= GAP_DOT
        return
    levels = level.tolist()
    for row in range(min(levels), max(levels) + 1):
        canvas[row // 4, column // 2] |= DOTS[row % 4, column % 2]


def _lines(canvas: NDArray[np.uint16]) -> list[str]:
    return ["".join(chr(BLANK + int(cell)) for cell in row) for row in canvas]
