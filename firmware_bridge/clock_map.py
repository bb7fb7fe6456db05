"""Device clock to host clock, from the arrival times of frames alone.

A frame cannot arrive before it was sent, so `host - device` is the true offset of the clocks
plus a latency that is never negative: its lower envelope is the offset with the least latency
(as in Paxson, "On calibrating measurements of packet transit times", 1998). The slope of the
envelope is the drift: that of the line which lies below the minima of all windows and closest to
them (Moon, Skelly and Towsley, "Estimation and removal of clock skew from network delay
measurements", 1999). Delays, however long and many, do not move it.
"""

from __future__ import annotations

from collections import deque

import msgspec

from firmware_bridge.stream import NS_PER_S

__all__ = ["ClockMap"]

WINDOW_NS = 5 * NS_PER_S
WINDOWS_MAX = 120
"""Ten minutes: long enough for a few ppm, short enough to follow a warming crystal."""
WINDOWS_FOR_PACE = 3
SPAN_FOR_DRIFT_NS = 60 * NS_PER_S
DRIFT_MAX_PPM = 20_000.0
"""Beyond 2 %, the limit of RC oscillators, the data are a replay and not a clock."""
LATENCY_MAX_NS = 60 * NS_PER_S


class _Minimum(msgspec.Struct, frozen=True):
    """The least offset of one window and the device time at which it was seen."""

    window: int
    device_ns: int
    offset_ns: int


class ClockMap:
    """Maps the device clock to host time; memory and work a frame are bounded.

    latency_max_ns: a later arrival than this is a clock that was set, not a delay.
    """

    def __init__(self, latency_max_ns: int = LATENCY_MAX_NS) -> None:
        self._latency_max_ns = latency_max_ns
        self._closed: deque[_Minimum] = deque(maxlen=WINDOWS_MAX)
        self._open: _Minimum | None = None
        self._lowest: _Minimum | None = None
        self._slope = 0.0
        self._is_real_time = True
        self._drift_ppm: float | None = None

    @property
    def drift_ppm(self) -> float | None:
        """Parts per million by which the device clock runs fast; negative where it is slow.

        None before 60 s of device time and where data do not arrive in real time.
        """
        return self._drift_ppm

    def reset(self) -> None:
        """Forget all: the device clock began anew."""
        self._closed.clear()
        self._open = self._lowest = None
        self._slope, self._is_real_time, self._drift_ppm = 0.0, True, None

    def observe(self, device_ns: int, host_ns: int) -> None:
        """What the device clock calls `device_ns` reached the host at `host_ns`."""
        window, offset_ns = device_ns // WINDOW_NS, host_ns - device_ns
        if self._open and offset_ns - self._open.offset_ns > self._latency_max_ns:
            self.reset()
        if self._open is None:
            self._open = _Minimum(window, device_ns, offset_ns)
        elif window > self._open.window:
            self._closed.append(self._open)
            self._open = _Minimum(window, device_ns, offset_ns)
            self._fit()
        elif offset_ns < self._open.offset_ns:
            self._open = _Minimum(window, device_ns, offset_ns)

    def host_time_ns(self, device_ns: int) -> int | None:
        """Host time at that device time, less the least latency; None before any observation.

        Where data come faster or slower than real time, host time follows the arrivals.
        """
        if self._open is None:
            return None
        offset = self._offset_ns(self._open, device_ns)
        if self._lowest is not None and self._is_real_time:
            offset = min(offset, self._offset_ns(self._lowest, device_ns))
        return device_ns + offset

    def _offset_ns(self, seen: _Minimum, device_ns: int) -> int:
        return seen.offset_ns + round(self._slope * (device_ns - seen.device_ns))

    def _fit(self) -> None:
        """Slope and lower envelope of the closed windows; once a window."""
        if len(self._closed) >= WINDOWS_FOR_PACE:
            self._fit_slope()
        newest_ns = self._closed[-1].device_ns
        self._lowest = min(self._closed, key=lambda seen: self._offset_ns(seen, newest_ns))

    def _fit_slope(self) -> None:
        slope = _slope_below(list(self._closed))
        span = self._closed[-1].device_ns - self._closed[0].device_ns
        self._is_real_time = abs(slope) * 1e6 <= DRIFT_MAX_PPM
        is_known = self._is_real_time and span >= SPAN_FOR_DRIFT_NS
        self._slope = slope if is_known else 0.0
        self._drift_ppm = -slope * 1e6 if is_known else None


def _slope_below(minima: list[_Minimum]) -> float:
    """Slope of the line below all minima with the least sum of distances to them.

    It is the edge of their lower convex hull that lies under their mean time.
    """
    first, mean_ns = minima[0], sum(each.device_ns for each in minima) / len(minima)
    hull: list[tuple[int, int]] = []
    for each in minima:
        point = (each.device_ns - first.device_ns, each.offset_ns - first.offset_ns)
        while len(hull) >= 2 and not _turns_up(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    right = next(k for k in range(1, len(hull)) if hull[k][0] >= mean_ns - first.device_ns)
    (x1, y1), (x2, y2) = hull[right - 1], hull[right]
    return (y2 - y1) / (x2 - x1)


def _turns_up(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    """Whether b lies below the line from a to c."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0
