"""Times of packets that a device stamps in whole milliseconds, smoothed to its sample clock."""

from __future__ import annotations

__all__ = ["PacketClock"]

WRAP_MS = 1 << 32
RESTART_MS = 10_000
"""A stamp that lies further back is that of a clock which began anew, not of a late packet."""
GAIN = 1 / 16
"""Part of the deviation that a packet corrects: rounding and jitter of stamps shrink to it, and
a deviation of the rate up to 2 % is followed."""
CORRECTION_MAX = 0.4
"""In samples: below half a one, so that no correction looks like a sample lost or repeated."""


class PacketClock:
    """From stamps of the first sample (u32, milliseconds) to times in nanoseconds.

    Stamps in whole milliseconds cannot tell where a sample stands at rates whose period is no
    whole number of them, and jitter besides. Packets are lost whole, though: here a packet
    follows the one before it, or a whole number of packets of its own size is missing between
    them, whichever is nearest to its stamp; what remains only steers the rate.
    """

    __slots__ = ("_period_ms", "_samples", "_stamp_ms", "_started", "_time_ms", "_unwrapped_ms")

    def __init__(self, rate_hz: float) -> None:
        self._period_ms = 1e3 / rate_hz
        self.reset()

    def reset(self) -> None:
        """Forget the packets before: the next one's stamp is taken as it is."""
        self._started = False
        self._samples = self._stamp_ms = 0
        self._time_ms = self._unwrapped_ms = 0.0

    def first_ns(self, stamp_ms: int, samples: int) -> int:
        """Time of the first sample of a packet of so many, by its stamp."""
        step_ms = (stamp_ms - self._stamp_ms + WRAP_MS // 2) % WRAP_MS - WRAP_MS // 2
        self._stamp_ms = stamp_ms
        if not self._started or step_ms < -RESTART_MS:
            self._started = True
            self._time_ms = self._unwrapped_ms = float(stamp_ms)
        else:
            self._unwrapped_ms += step_ms
            self._advance(samples)
        self._samples = samples
        return round(self._time_ms * 1e6)

    def _advance(self, samples: int) -> None:
        expected_ms = self._time_ms + self._samples * self._period_ms
        packet_ms = samples * self._period_ms
        deviation_ms = self._unwrapped_ms - expected_ms
        missing_ms = round(deviation_ms / packet_ms) * packet_ms
        limit_ms = CORRECTION_MAX * self._period_ms
        correction_ms = GAIN * (deviation_ms - missing_ms)
        self._time_ms = expected_ms + missing_ms + max(-limit_ms, min(limit_ms, correction_ms))
