"""The last 24 hours of one patient, a point a minute. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from edge.messages import StateMessage

__all__ = ["POINTS_MAX", "Trend", "TrendPoint"]

POINTS_MAX = 24 * 60
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """Means over one minute. utc_ms: its start. None: nothing was known in it.

    pvc_percent: ventricular beats among those that have a class.
    """

    utc_ms: int
    heart_rate_bpm: float | None
    rmssd_ms: float | None
    pvc_percent: float | None


@dataclass(slots=True)
class _Minute:
    utc_ms: int
    rates_bpm: list[float] = field(default_factory=list)
    rmssd_ms: list[float] = field(default_factory=list)
    classed: int = 0
    ventricular: int = 0


class Trend:
    """Gathers states and beat classes into minutes, of which the newest 1440 are kept."""

    def __init__(self) -> None:
        self.points: deque[TrendPoint] = deque(maxlen=POINTS_MAX)
        self._minute: _Minute | None = None

    def take(self, state: StateMessage, utc_ms: float) -> TrendPoint | None:
        """Note a state; gives the minute before where a new one has begun."""
        minute, done = self._minute_at(utc_ms)
        if state.heart_rate_bpm is not None:
            minute.rates_bpm.append(state.heart_rate_bpm)
        if state.rmssd_ms is not None:
            minute.rmssd_ms.append(state.rmssd_ms)
        return done

    def count(self, labels: list[str]) -> None:
        """Note the classes of beats."""
        if self._minute:
            self._minute.classed += len(labels)
            self._minute.ventricular += labels.count("V")

    def _minute_at(self, utc_ms: float) -> tuple[_Minute, TrendPoint | None]:
        start_ms = int(utc_ms // MINUTE_MS) * MINUTE_MS
        minute = self._minute
        if minute and minute.utc_ms == start_ms:
            return minute, None
        done = _point(minute) if minute else None
        if done:
            self.points.append(done)
        self._minute = _Minute(start_ms)
        return self._minute, done


def _point(minute: _Minute) -> TrendPoint:
    burden = 100 * minute.ventricular / minute.classed if minute.classed else None
    return TrendPoint(
        minute.utc_ms, _mean(minute.rates_bpm), _mean(minute.rmssd_ms), _rounded(burden)
    )


def _mean(values: list[float]) -> float | None:
    return _rounded(sum(values) / len(values)) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
