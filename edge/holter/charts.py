"""Charts of a report: the day at a glance, the RR histogram and the Poincaré plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.holter.alarms import Alarm
from edge.holter.findings import Findings
from edge.holter.hrv_time import TimeDomain
from edge.holter.intervals import NN
from edge.holter.picture import Boxes, Line, Mark, Picture, Words, horizontal, vertical
from edge.holter.scale import Scale, round_step
from edge.holter.seconds import Seconds, Signal, spans_of
from edge.holter.times import Times
from firmware_bridge.stream import NS_PER_S

__all__ = ["WIDTH_MM", "day", "poincare", "rr_histogram"]

WIDTH_MM = 186.0
HALF_MM = 90.0
LEFT_MM, RIGHT_MM = 14.0, 2.0
EDGE_MM = 5.0
"""Right of a small chart, so that its last number has room."""
HR_MM = 40.0
LANE_MM, LANE_STEP_MM = 3.0, 4.6
STEPS_S = (60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800)
RR_BIN_MS = 20.0
DENSE_MS = 1000 / 64
SHADES = ((0.0, 0.02, 0.2), (0.02, 0.1, 0.4), (0.1, 0.3, 0.7), (0.3, 1.0, 1.0))
"""Of a square: its pairs, more than and up to, as a share of the fullest; how dark it is."""


def day(findings: Findings, times: Times) -> Picture:
    """Heart rate over time, and below it what was recorded, what was told and what alarmed."""
    survey = findings.survey
    across = Scale(survey.start_ns, survey.stop_ns, LEFT_MM, WIDTH_MM - RIGHT_MM)
    rates = findings.rates
    known = rates.minute_high_bpm[np.isfinite(rates.minute_high_bpm)]
    most = max(120.0, np.ceil(known.max() / 20) * 20 if len(known) else 0.0)
    up = Scale(20.0, min(most, 260.0), HR_MM, 2.0)
    lanes = list(_lanes(findings, across, HR_MM + 3.0))
    bottom = HR_MM + 3.0 + LANE_STEP_MM * 3
    marks: list[Mark] = [
        Line(
            horizontal([up.at(each) for each in up.ticks(6)], LEFT_MM, WIDTH_MM - RIGHT_MM), "rule"
        ),
        *(
            Words(LEFT_MM - 1.5, up.at(e) + 0.9, f"{e:.0f}", 2.4, "faint", "end")
            for e in up.ticks(6)
        ),
        Words(0.0, 4.0, "bpm", 2.4, "faint"),
        *_time_axis(across, times, bottom),
        *_rate_marks(findings, across, up),
        *lanes,
    ]
    return Picture(
        WIDTH_MM, bottom + 5.0, "Heart rate, signal, rhythm and alarms over the recording", marks
    )


def _rate_marks(findings: Findings, across: Scale, up: Scale) -> Iterator[Mark]:
    """Mean of each minute as a line; from least to greatest momentary rate as a band."""
    rates = findings.rates
    x_mm = across.mm(findings.survey.start_ns + (np.arange(len(rates.minute_bpm)) + 0.5) * 60e9)
    wide = max(0.15, across.at(findings.survey.start_ns + 60e9) - across.low_mm)
    top = up.mm(np.clip(rates.minute_high_bpm, up.low, up.high))
    low = up.mm(np.clip(rates.minute_low_bpm, up.low, up.high))
    there = np.isfinite(top) & np.isfinite(low)
    left = x_mm - wide / 2
    right = np.minimum(left + wide, across.high_mm)
    boxes = np.stack([left, top, np.maximum(right - left, 0.1), low - top], axis=1)[there]
    yield Boxes(boxes, "band")
    x_mm = np.minimum(x_mm, across.high_mm)
    points = np.stack([x_mm, up.mm(np.clip(rates.minute_bpm, up.low, up.high))], axis=1)
    yield Line(points, "blue", 0.35)


def _time_axis(across: Scale, times: Times, bottom_mm: float) -> Iterator[Mark]:
    span_s = (across.high - across.low) / NS_PER_S
    step_s = next((each for each in STEPS_S if span_s / each <= 13), STEPS_S[-1])
    local_s = across.low / NS_PER_S + times.offset_s
    first_s = -(-local_s // step_s) * step_s - times.offset_s
    at_ns = [int(each * NS_PER_S) for each in np.arange(first_s, across.high / 1e9 + 1e-6, step_s)]
    places = [across.at(each) for each in at_ns]
    yield Line(vertical(places, 2.0, bottom_mm), "rule")
    for place, each in zip(places, at_ns, strict=True):
        moment = times.local(each)
        is_midnight = times.has_days and moment.hour == 0 and moment.minute == 0
        text = f"{moment:%d %b}" if is_midnight else f"{moment:%H:%M}"
        anchor_mm = min(max(place, LEFT_MM + 2), WIDTH_MM - 4)
        yield Words(anchor_mm, bottom_mm + 3.4, text, 2.4, "faint", "middle", is_midnight)


def _lanes(findings: Findings, across: Scale, top_mm: float) -> Iterator[Mark]:
    seconds = findings.survey.seconds
    y_mm = top_mm
    yield Words(0.0, y_mm + 2.4, "signal", 2.4, "faint")
    for states, ink in (
        ([Signal.CLEAN, Signal.UNJUDGED], "green"),
        ([Signal.NOISY], "orange"),
        ([Signal.LEAD_OFF], "red"),
    ):
        yield Boxes(_spans(np.isin(seconds.signal, states), seconds, across, y_mm), ink, 0.75)
    y_mm += LANE_STEP_MM
    yield Words(0.0, y_mm + 2.4, "rhythm", 2.4, "faint")
    for names, ink in ((("af",), "violet"), (("vt", "vf"), "red"), (("other",), "grey")):
        yield Boxes(_spans(seconds.is_rhythm(*names), seconds, across, y_mm), ink)
    y_mm += LANE_STEP_MM
    yield Words(0.0, y_mm + 2.4, "alarms", 2.4, "faint")
    for priority in ("low", "medium", "high"):
        alarms = [each for each in findings.survey.alarms if each.priority == priority]
        yield Boxes(_alarm_boxes(alarms, across, y_mm), priority)


def _spans(
    mask: NDArray[np.bool_], seconds: Seconds, across: Scale, y_mm: float
) -> NDArray[np.float64]:
    """Boxes of a lane. Spans that a printed dot cannot hold apart become one."""
    per_dot = max(1, round(0.1 * (across.high - across.low) / 1e9 / (WIDTH_MM - LEFT_MM)))
    coarse = np.add.reduceat(mask, np.arange(0, len(mask), per_dot)) > 0
    spans = np.array(spans_of(coarse), np.float64).reshape(-1, 2) * per_dot
    edges = across.mm(seconds.start_ns + np.minimum(spans, len(mask)) * NS_PER_S)
    edges = np.clip(edges, across.low_mm, across.high_mm)
    fixed = np.full(len(edges), 0.0)
    return np.stack([edges[:, 0], fixed + y_mm, edges[:, 1] - edges[:, 0], fixed + LANE_MM], axis=1)


def _alarm_boxes(alarms: Sequence[Alarm], across: Scale, y_mm: float) -> NDArray[np.float64]:
    rows = []
    for alarm in alarms:
        x0, x1 = across.at(alarm.onset_ns), across.at(alarm.end_ns)
        x0 = min(max(x0, across.low_mm), across.high_mm - 0.3)
        rows.append([x0, y_mm, max(0.3, min(x1, across.high_mm) - x0), LANE_MM])
    return np.array(rows, np.float64).reshape(-1, 4)


def rr_histogram(rr_ms: NDArray[np.float64], nn: NN) -> Picture:
    """All RR intervals, and in front of them those of normal beats."""
    shown = rr_ms[(rr_ms >= 200) & (rr_ms < 2000)]
    edges = np.arange(200.0, 2000.0 + RR_BIN_MS, RR_BIN_MS)
    counts = [np.histogram(each, edges)[0] for each in (shown, nn.nn_ms)]
    across = Scale(200.0, 2000.0, LEFT_MM, HALF_MM - EDGE_MM)
    most = max(1.0, float(counts[0].max(initial=1)))
    step = max(1.0, round_step(most / 5))
    up = Scale(0.0, np.ceil(most / step) * step, 56.0, 5.0)
    marks: list[Mark] = [
        *_axes(across, up, "RR interval, ms", (56.0, 5.0), HALF_MM),
        *(
            Boxes(_bars(each, edges, across, up), ink)
            for each, ink in zip(counts, ("grey", "blue"), strict=True)
        ),
        Words(HALF_MM - EDGE_MM, 8.0, "grey: all, blue: NN", 2.4, "faint", "end"),
    ]
    return Picture(HALF_MM, 66.0, "Histogram of RR intervals", marks)


def _bars(
    counts: NDArray[np.int64], edges: NDArray[np.float64], across: Scale, up: Scale
) -> NDArray[np.float64]:
    there = counts > 0
    x_mm, wide = across.mm(edges[:-1]), across.at(edges[1]) - across.at(edges[0])
    y_mm = up.mm(counts)
    return np.stack([x_mm, y_mm, np.full(len(x_mm), wide - 0.1), up.low_mm - y_mm], axis=1)[there]


def poincare(nn: NN, measures: TimeDomain) -> Picture:
    """Each NN interval against the one before it; the ellipse has SD1 and SD2 as its half axes."""
    first, second = nn.pairs_ms
    low, high = (200.0, 2000.0) if not len(first) else _range_ms(np.concatenate([first, second]))
    across = Scale(low, high, LEFT_MM, HALF_MM - EDGE_MM - 12.0)
    up = Scale(low, high, 56.0, 56.0 - (across.high_mm - across.low_mm) * 0.82)
    marks: list[Mark] = [
        *_axes(across, up, "NN interval, ms; up: the next", (56.0, 3.0), HALF_MM - 12)
    ]
    if len(first):
        marks += _density(first, second, across, up)
    if measures.sd1_ms is not None and measures.sd2_ms is not None and measures.mean_nn_ms:
        angle = np.linspace(0, 2 * np.pi, 73)
        along, over = measures.sd2_ms * np.cos(angle), measures.sd1_ms * np.sin(angle)
        x, y = (along - over) / np.sqrt(2), (along + over) / np.sqrt(2)
        centre = float(first.mean()), float(second.mean())
        points = np.stack([across.mm(centre[0] + x), up.mm(centre[1] + y)], axis=1)
        marks.append(Line(points, "red", 0.35))
    return Picture(HALF_MM, 66.0, "Poincaré plot of NN intervals", marks)


def _density(
    first: NDArray[np.float64], second: NDArray[np.float64], across: Scale, up: Scale
) -> Iterator[Mark]:
    """Squares, the darker the more pairs lie in them: their number does not grow with the day."""
    edges = np.arange(across.low, across.high + DENSE_MS, DENSE_MS)
    counts, _, _ = np.histogram2d(first, second, [edges, edges])
    size = across.at(edges[1]) - across.at(edges[0])
    tall = up.at(edges[0]) - up.at(edges[1])
    share = counts / counts.max()
    for least, most, opacity in SHADES:
        i, j = np.nonzero((share > least) & (share <= most))
        x_mm, y_mm = across.mm(edges[i]), up.mm(edges[j + 1])
        boxes = [x_mm, y_mm, np.full(len(i), size), np.full(len(i), tall)]
        yield Boxes(np.stack(boxes, axis=1), "blue", opacity)


def _range_ms(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = max(50.0, 0.1 * (high - low))
    return np.floor((low - room) / 50) * 50, np.ceil((high + room) / 50) * 50


def _axes(
    across: Scale, up: Scale, name: str, reach_mm: tuple[float, float], right_mm: float
) -> Iterator[Mark]:
    bottom, top = reach_mm
    yield Line(horizontal([up.at(e) for e in up.ticks(5)], LEFT_MM, right_mm - EDGE_MM), "rule")
    yield Line(vertical([across.at(each) for each in across.ticks(7)], top, bottom), "rule")
    for each in up.ticks(5):
        yield Words(LEFT_MM - 1.5, up.at(each) + 0.9, f"{each:g}", 2.4, "faint", "end")
    for each in across.ticks(7):
        yield Words(across.at(each), bottom + 3.4, f"{each:g}", 2.4, "faint", "middle")
    yield Words((LEFT_MM + right_mm) / 2, bottom + 7.2, name, 2.4, "faint", "middle")
