"""Where everything of a strip stands on its page: header, leads in rows, footer.

25 mm/s and, where the signal fits, 10 mm/mV; rows of one length that A4 landscape has room for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from edge.messages import AlertMessage, StripMessage
from edge.strips.band import displayed
from edge.strips.codec import decode
from edge.strips.drawing import Drawing
from edge.strips.frame import HEADER_MM, MARGIN_MM, footer, header
from edge.strips.rows import (
    GUTTER_MM,
    LANES_MM,
    MM_PER_S,
    ROW_GAP_MM,
    Row,
    row_items,
)
from edge.strips.traces import Traces, traces_of
from edge.strips.words import evidence_words, kind_words

__all__ = ["laid_out"]

ROW_MAX_S = 10.5
ROW_STEP_S = 0.5
LONGEST_S = 120.0
WIDTH_MIN_MM = 190.0
FOOTER_MM = 9.0


def laid_out(strip: StripMessage, alert: AlertMessage | None) -> Drawing:
    """The page. Raises ValueError where the strip cannot be decoded or is longer than 120 s."""
    samples_uv = decode(strip)
    length_s = len(samples_uv) / strip.rate_hz
    if length_s > LONGEST_S:
        raise ValueError(f"strip {strip.id}: {length_s:.0f} s; at most {LONGEST_S:g} s are drawn")
    traces = traces_of(strip, displayed(samples_uv, strip.rate_hz))
    row_s = _row_s(length_s)
    row_mm = min(length_s, row_s) * MM_PER_S
    width = max(WIDTH_MIN_MM, row_mm + GUTTER_MM + 2 * MARGIN_MM)
    items = list(header(strip, alert, width))
    rows = list(_rows(strip, traces, HEADER_MM, row_s))
    for row in rows:
        items += row_items(strip, row)
    bottom = rows[-1].y + rows[-1].height
    items += footer(strip, traces.gain_mm_per_mv, traces.cut_off, width, bottom)
    return Drawing(width, bottom + FOOTER_MM, _title(strip, alert), tuple(items))


def _row_s(length_s: float) -> float:
    """As few rows as there must be, as even as they can be."""
    rows = math.ceil(length_s / ROW_MAX_S)
    return math.ceil(length_s / rows / ROW_STEP_S) * ROW_STEP_S


def _rows(strip: StripMessage, traces: Traces, top_mm: float, row_s: float) -> Iterator[Row]:
    count = max(1, round(row_s * strip.rate_hz))
    height = LANES_MM + sum(band.height for band in traces.bands)
    for number, first in enumerate(range(0, len(traces.up_mm), count)):
        yield Row(
            y=top_mm + number * (height + ROW_GAP_MM),
            height=height,
            start_s=first / strip.rate_hz,
            up_mm=traces.up_mm[first : first + count + 1],  # one more joins it to the next row
            samples=min(count, len(traces.up_mm) - first),
            rate_hz=strip.rate_hz,
            gain_mm_per_mv=traces.gain_mm_per_mv,
            bands=traces.bands,
        )


def _title(strip: StripMessage, alert: AlertMessage | None) -> str:
    words = [f"ECG strip of {strip.patient}: {kind_words(strip.kind)}"]
    if strip.priority:
        words.append(f"{strip.priority} priority")
    if alert and alert.evidence:
        words.append(evidence_words(alert.evidence))
    return ", ".join(words)
