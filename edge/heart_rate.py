"""Heart rate from the newest beats."""

from __future__ import annotations

from collections import deque
from statistics import median

from edge.events import Beat

INTERVALS = 6  # even: in an alternating rhythm the median lies between short and long
STALE_NS = 5_000_000_000  # longer than one interval at 15 bpm
RR_RANGE_MS = (200.0, 4000.0)  # 300 to 15 bpm, the range of IEC 60601-2-27


class HeartRate:
    """Median of the last six RR intervals, as beats a minute.

    A step from 80 to 120 or from 80 to 40 bpm shows after four intervals. In bigeminy and
    other alternating rhythms it gives the mean rate.
    """

    def __init__(self) -> None:
        self._rr_ms: deque[float] = deque(maxlen=INTERVALS)
        self._newest_ns = 0

    def update(self, beat: Beat) -> float | None:
        """Rate in bpm after this beat; None until two intervals are known.

        A beat without `rr_ms` (after a gap) starts the count anew; an interval outside
        200 to 4000 ms is left out.
        """
        self._newest_ns = beat.time_ns
        if beat.rr_ms is None:
            self._rr_ms.clear()
        elif RR_RANGE_MS[0] <= beat.rr_ms <= RR_RANGE_MS[1]:
            self._rr_ms.append(beat.rr_ms)
        return self._value()

    def value_at(self, time_ns: int) -> float | None:
        """Rate in bpm at a stream time; None where no beat came for 5 s."""
        return self._value() if time_ns - self._newest_ns <= STALE_NS else None

    def _value(self) -> float | None:
        return 60_000.0 / median(self._rr_ms) if len(self._rr_ms) >= 2 else None


__all__ = ["HeartRate"]
