"""A strip of ECG on the usual paper: squares of 1 and 5 mm, the time at its foot."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.holter.beats import CLASSES, Beats
from edge.holter.picture import Boxes, Line, Mark, Picture, Words, horizontal, vertical
from edge.holter.samples import Strip
from edge.holter.times import Times

__all__ = ["strip_picture"]

WIDTH_MM = 175.0
ONE_LEAD_MM, LEAD_MM = 30.0, 20.0
LEADS_MAX = 3
TOP_MM, FOOT_MM = 4.5, 4.5
GAINS_MM_MV = (10.0, 5.0, 2.5)
BEAT_INKS = {"V": "red", "S": "orange", "F": "violet"}


def strip_picture(strip: Strip, beats: Beats, times: Times) -> Picture | None:
    """At most three leads, the classes of the beats above them; None where nothing was recorded.

    25 mm/s for 7 s, 12.5 mm/s for 14; 10 mm/mV, or half or a quarter of it where the ECG would not
    fit. The median of each lead is taken away, nothing else.
    """
    if strip.samples_uv is None or strip.format is None or np.isnan(strip.samples_uv).all():
        return None
    leads = min(strip.samples_uv.shape[1], LEADS_MAX)
    speed_mm_s = WIDTH_MM / strip.excerpt.length_s
    known = [each for each in range(leads) if np.isfinite(strip.samples_uv[:, each]).any()]
    centred = strip.samples_uv.copy()
    for lead in known:
        centred[:, lead] = strip.samples_uv[:, lead] - np.nanmedian(strip.samples_uv[:, lead])
    band_mm = ONE_LEAD_MM if leads == 1 else LEAD_MM
    gain = _gain(centred[:, known], band_mm)
    height = TOP_MM + leads * band_mm + FOOT_MM
    marks: list[Mark] = [*_grid(leads * band_mm), *_span(strip, speed_mm_s)]
    marks += _beats(strip, beats, speed_mm_s)
    for lead in range(leads):
        x_mm = np.arange(len(centred)) / strip.format.rate_hz * speed_mm_s
        zero_mm = TOP_MM + (lead + 0.5) * band_mm
        marks.append(_trace(x_mm, centred[:, lead] / 1000 * gain, zero_mm, band_mm / 2))
        name = strip.format.leads[lead]
        marks.append(Words(1.0, zero_mm - band_mm / 2 + 3.2, name, 2.6, "text", bold=True))
    marks += _foot(strip, speed_mm_s, gain, height, times)
    return Picture(WIDTH_MM, height, f"ECG strip. {strip.excerpt.title}", marks)


def _gain(centred_uv: NDArray[np.float32], band_mm: float) -> float:
    """The greatest with which nearly all of it stays in its lead's band."""
    swing_mv = float(np.nanpercentile(np.abs(centred_uv), 99.5)) / 1000 if centred_uv.size else 0.0
    fits = (each for each in GAINS_MM_MV if swing_mv * each <= band_mm / 2)
    return next(fits, GAINS_MM_MV[-1])


def _grid(height_mm: float) -> Iterator[Mark]:
    bottom = TOP_MM + height_mm
    for step, ink, width in ((1.0, "grid", 0.1), (5.0, "grid_5", 0.15)):
        rows = np.arange(TOP_MM, bottom + 0.01, step).tolist()
        columns = np.arange(0, WIDTH_MM + 0.01, step).tolist()
        points = [horizontal(rows, 0, WIDTH_MM), vertical(columns, TOP_MM, bottom)]
        yield Line(np.concatenate(points), ink, width)


def _span(strip: Strip, speed_mm_s: float) -> Iterator[Mark]:
    """A bar along the top, above what the strip is about."""
    if strip.excerpt.span_ns is None:
        return
    edges = ((each - strip.excerpt.start_ns) / 1e9 * speed_mm_s for each in strip.excerpt.span_ns)
    first, last = (min(max(each, 0.0), WIDTH_MM) for each in edges)
    if last > first and (first > 0.0 or last < WIDTH_MM):
        yield Boxes(
            np.array([[first, TOP_MM, last - first, 0.8]]), strip.excerpt.priority or "blue"
        )


def _trace(
    x_mm: NDArray[np.float64], up_mm: NDArray[np.float64], zero_mm: float, reach_mm: float
) -> Line:
    """What would leave the band is cut off at its edge."""
    y_mm = zero_mm - np.clip(up_mm, -reach_mm, reach_mm)
    return Line(np.stack([x_mm, y_mm], axis=1).astype(np.float64), "trace", 0.25)


def _beats(strip: Strip, beats: Beats, speed_mm_s: float) -> Iterator[Mark]:
    start_ns = strip.excerpt.start_ns
    shown = beats.between(start_ns, start_ns + round(strip.excerpt.length_s * 1e9))
    for time_ns, kind in zip(shown.time_ns.tolist(), shown.kind.tolist(), strict=True):
        label, x_mm = CLASSES[kind], (time_ns - start_ns) / 1e9 * speed_mm_s
        ink = BEAT_INKS.get(label, "faint")
        word = "\N{MIDDLE DOT}" if label == "U" else label
        yield Words(x_mm, TOP_MM - 1.0, word, 2.8, ink, "middle", label in BEAT_INKS)


def _foot(
    strip: Strip, speed_mm_s: float, gain: float, height: float, times: Times
) -> Iterator[Mark]:
    y_mm = height - 1.2
    yield Words(0.0, y_mm, times.clock(strip.excerpt.start_ns), 2.4, "faint")
    scale = f"{speed_mm_s:g} mm/s, {gain:g} mm/mV"
    yield Words(WIDTH_MM, y_mm, scale, 2.4, "faint", "end")
