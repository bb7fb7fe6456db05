"""Full disclosure: the whole ECG of one lead, small, a line of it for each minute or more.

Of each of the columns of a line the least and the greatest sample are kept, so that no R peak is
lost, however much time a column stands for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.holter.survey import Survey
from firmware_bridge.stream import NS_PER_S

__all__ = ["COLUMNS", "LINES_MAX", "Disclosure"]

COLUMNS = 580
LINES_MAX = 2880
"""Two days of a line a minute; more time makes longer lines."""
LINE_S = (60, 120, 300, 600, 900, 1800)
BASELINE_S = 2.5
LIMIT_UV = 30_000
FULL = -(1 << 15)
"""Stands for a column without any sample."""


class Disclosure:
    """Columns of the ECG. start_ns: of the first line, UTC, at a whole minute.

    line_s: what a line stands for. lead: the one in which most beats were found.
    """

    def __init__(self, survey: Survey) -> None:
        self.line_s = next(
            (each for each in LINE_S if survey.duration_s / each <= LINES_MAX - 1), LINE_S[-1]
        )
        step_ns = self.line_s * NS_PER_S
        self.start_ns = survey.start_ns // step_ns * step_ns
        self.lines = -(-(survey.stop_ns - self.start_ns) // step_ns)
        self.lead = int(np.argmax(survey.lead_beats))
        leads = survey.stretches[0].format.leads
        self.lead_name = leads[min(self.lead, len(leads) - 1)]
        self._low = np.full(self.lines * COLUMNS, np.iinfo(np.int16).max, np.int16)
        self._high = np.full(self.lines * COLUMNS, FULL, np.int16)

    @property
    def column_ns(self) -> float:
        """What a column stands for."""
        return self.line_s * NS_PER_S / COLUMNS

    def take(self, start_ns: int, rate_hz: float, samples_uv: NDArray[np.float32]) -> None:
        """Samples, (samples, leads), the first at `start_ns`."""
        values = samples_uv[:, min(self.lead, samples_uv.shape[1] - 1)]
        late_ns = start_ns - self.start_ns + np.arange(len(values)) * (NS_PER_S / rate_hz)
        column = (late_ns / self.column_ns).astype(np.int64)
        good = np.isfinite(values) & (column >= 0) & (column < len(self._low))
        values, column = np.clip(values[good], -LIMIT_UV, LIMIT_UV), column[good]
        if not len(values):
            return
        first = np.concatenate([[0], np.flatnonzero(column[1:] != column[:-1]) + 1])
        at = column[first]
        low = np.minimum.reduceat(values, first).astype(np.int16)
        high = np.maximum.reduceat(values, first).astype(np.int16)
        self._low[at] = np.minimum(self._low[at], low)
        self._high[at] = np.maximum(self._high[at], high)

    def line_start_ns(self, line: int) -> int:
        """UTC at which a line begins."""
        return self.start_ns + line * self.line_s * NS_PER_S

    def line(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Least and greatest of each column of a line in uV about its baseline, NaN where nothing
        was recorded; None where nothing of the line was."""
        within = slice(number * COLUMNS, (number + 1) * COLUMNS)
        low, high = self._low[within].astype(np.float64), self._high[within].astype(np.float64)
        empty = high == FULL
        if empty.all():
            return None
        low[empty] = high[empty] = np.nan
        baseline = self._baseline((low + high) / 2)
        return low - baseline, high - baseline

    def swing_uv(self) -> float:
        """How tall the ECG is: the median over lines of what 95 % of their columns stay below."""
        spans = [
            float(np.nanpercentile(each[1] - each[0], 95))
            for number in range(0, self.lines, max(1, self.lines // 200))
            if (each := self.line(number)) is not None
        ]
        return max(float(np.median(spans)) if spans else 1000.0, 200.0)

    def _baseline(self, middle: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of the columns of some seconds around each."""
        half = max(1, round(BASELINE_S * NS_PER_S / self.column_ns / 2))
        known = np.isfinite(middle)
        sums = np.concatenate([[0.0], np.cumsum(np.where(known, middle, 0.0))])
        counts = np.concatenate([[0], np.cumsum(known)])
        at = np.arange(len(middle))
        first, stop = np.maximum(at - half, 0), np.minimum(at + half + 1, len(middle))
        return np.asarray((sums[stop] - sums[first]) / np.maximum(counts[stop] - counts[first], 1))
