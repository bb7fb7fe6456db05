"""Where a frame stands behind or ahead of the sample expected next.

Told, in this order of preference, by the device's counter, by its clock, or by arrival alone.
"""

from __future__ import annotations

import msgspec

from firmware_bridge.stream import Frame

__all__ = ["Arrival", "continues", "offset", "offset_by_arrival"]

RATE_TOLERANCE = 0.05
"""A device with no counter may run so much slower than its nominal rate: its frames then last
longer by that fraction, and nothing is lost."""


class Arrival(msgspec.Struct, frozen=True, eq=False):
    """A frame and its arrival on the host's monotonic clock.

    samples: a lead, 1 or more. period_ns: nominal time from sample to sample. start: index of the
    first sample on the stream's axis, once that is known.
    """

    frame: Frame
    host_time_ns: int
    samples: int
    period_ns: float
    start: int = 0

    def at(self, start: int) -> Arrival:
        """The same arrival in its place on the axis."""
        return Arrival(self.frame, self.host_time_ns, self.samples, self.period_ns, start)

    @property
    def stop(self) -> int:
        """Index one past the last sample."""
        return self.start + self.samples

    @property
    def lasts_ns(self) -> int:
        """Nominal time from the first sample to one past the last."""
        return round(self.samples * self.period_ns)


def offset(arrival: Arrival, last: Arrival | None, expected: int, after_break: bool) -> int:
    """Samples from the next expected one to the first of this frame; negative: behind.

    last: the latest frame on the axis, None where this run of the device has none yet.
    expected: counter of the next sample, not reduced to the modulus. after_break: the link
    was lost between `last` and this frame.
    """
    if arrival.frame.counter is not None:
        elapsed = _elapsed(arrival, last, after_break)
        return _offset_by_counter(arrival.frame, expected, elapsed)
    if arrival.frame.device_time_ns is not None and last is not None:
        return _offset_by_clock(arrival, last)
    return offset_by_arrival(arrival, last) if after_break else 0


def offset_by_arrival(arrival: Arrival, last: Arrival | None) -> int:
    """The offset as the host's clock sees it, 0 or more."""
    if last is None:
        return 0
    elapsed_ns = arrival.host_time_ns - last.host_time_ns
    return max(0, round(elapsed_ns / arrival.period_ns) - arrival.samples)


def continues(before: Arrival, after: Arrival, within_samples: int) -> bool:
    """Whether `after` starts behind `before` by no more than so many samples."""
    first, second = before.frame, after.frame
    if first.counter is not None and second.counter is not None:
        return 0 < (second.counter - first.counter) % second.counter_modulus <= within_samples
    if first.device_time_ns is None or second.device_time_ns is None:
        return False
    ahead_ns = second.device_time_ns - first.device_time_ns
    return 0 < ahead_ns <= within_samples * after.period_ns


def _offset_by_counter(frame: Frame, expected: int, elapsed: int | None) -> int:
    """Gaps grow longer than delays, so three quarters of the modulus lie ahead.

    elapsed: the offset as a clock sees it, which tells the whole turns of the counter.
    """
    modulus = frame.counter_modulus
    ahead = ((frame.counter or 0) - expected) % modulus
    if ahead >= modulus - modulus // 4:
        ahead -= modulus
    turns = 0 if elapsed is None else round((elapsed - ahead) / modulus)
    return ahead + modulus * max(0, turns)


def _elapsed(arrival: Arrival, last: Arrival | None, after_break: bool) -> int | None:
    now_ns = arrival.frame.device_time_ns
    if last is not None and now_ns is not None and last.frame.device_time_ns is not None:
        elapsed_ns = now_ns - last.frame.device_time_ns
        if elapsed_ns >= 0 or not after_break:  # else the clock began anew
            return round(elapsed_ns / arrival.period_ns) - last.samples
    return offset_by_arrival(arrival, last) if after_break else None


def _offset_by_clock(arrival: Arrival, last: Arrival) -> int:
    now_ns, then_ns = arrival.frame.device_time_ns or 0, last.frame.device_time_ns or 0
    ahead = (now_ns - then_ns) / arrival.period_ns - last.samples
    if now_ns <= then_ns:
        return min(round(ahead), -arrival.samples)  # a repetition, whatever its length
    return round(ahead) if ahead > RATE_TOLERANCE * last.samples else 0
