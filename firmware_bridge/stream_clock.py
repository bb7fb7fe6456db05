"""When samples were taken, on the host's monotonic clock."""

from __future__ import annotations

from firmware_bridge.clock_map import ClockMap
from firmware_bridge.position import Arrival

__all__ = ["StreamClock"]

PACE_LATENCY_MAX_NS = 250_000_000
"""Beyond it a counter has turned unseen, and the index no longer tells the time."""


class StreamClock:
    """Host time of samples: by the device's clock; without one, by the pace of its counter;
    without either, by the arrival of their frame alone."""

    def __init__(self) -> None:
        self._clock = ClockMap()
        self._pace = ClockMap(PACE_LATENCY_MAX_NS)

    @property
    def drift_ppm(self) -> float | None:
        """Of the device's clock, or of its pace where it has none; None while unknown."""
        clock_ppm = self._clock.drift_ppm
        return self._pace.drift_ppm if clock_ppm is None else clock_ppm

    def begin_anew(self, is_reboot: bool) -> None:
        """The counter began anew, and after a restart the clock too."""
        if is_reboot:
            self._clock.reset()
        self._pace.reset()

    def observe(self, arrival: Arrival, after_break: bool) -> None:
        """Take a frame in its place. after_break: the first since the link was lost."""
        frame = arrival.frame
        if frame.device_time_ns is not None:
            self._clock.observe(frame.device_time_ns + arrival.lasts_ns, arrival.host_time_ns)
        elif frame.counter is not None:
            if after_break:
                self._pace.reset()
            self._pace.observe(_index_ns(arrival) + arrival.lasts_ns, arrival.host_time_ns)

    def first_ns(self, arrival: Arrival) -> int:
        """Host time of the frame's first sample."""
        frame = arrival.frame
        mapped_ns = None
        if frame.device_time_ns is not None:
            mapped_ns = self._clock.host_time_ns(frame.device_time_ns)
        elif frame.counter is not None:
            mapped_ns = self._pace.host_time_ns(_index_ns(arrival))
        return arrival.host_time_ns - arrival.lasts_ns if mapped_ns is None else mapped_ns


def _index_ns(arrival: Arrival) -> int:
    """Where the frame stands on the stream's axis, as a time."""
    return round(arrival.start * arrival.period_ns)
