"""Beats of a device that tells RR intervals and sends no ECG: readings in, observations out.

Stream time goes by the intervals: a beat is where they add up to, whatever the jitter of the
packets that brought them. Arrival decides only where intervals are missing: then time goes on
by the host's clock, and no interval joins the beats before and after.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from edge.events import Beat, BeatsKnown, LeadQuality, Observation, Quality, ToldRate
from firmware_bridge.stream import NS_PER_S, HeartRate

__all__ = ["ToldBeats"]

RR_RANGE_MS = (200.0, 10_000.0)
"""Shorter ones are no two beats (300 to the minute); before longer ones the device has lost the
heart, as an alarm of a pause tells of at most 6 s."""

BPM_RANGE = (15.0, 300.0)
"""Of IEC 60601-2-27."""

LOST_NS = 3 * NS_PER_S
"""Intervals that lag their arrival by so much more than usual are not all there. Devices send
once a second or at each beat."""

DELAYS_KEPT = 16
"""Readings whose least delay is the usual one; what drifts is followed within so many."""

RECENT_NS = 8 * NS_PER_S
"""Without a beat for longer the signal is poor. One interval at 15 a minute takes 4 s; optical
sensors tell theirs 5 s at a time (`polar_optical`)."""

REPORTED_S = 600
"""Of a longer gap only its last seconds are reported."""


class ToldBeats:
    """One stream of readings, from stream time 0 at the first of them.

    A second is clean where the device speaks and has contact, but only as far as beats were told
    is anything known (`BeatsKnown`): a device that tells none may have lost them, so their
    absence is never a standstill. A rate is passed on only while no interval was ever told.
    """

    def __init__(self) -> None:
        self._now_ns = 0
        self._beat_ns: int | None = None
        self._rate_ns: int | None = None
        self._joined = False
        self._lost_ns = (0, 0)
        self._delays_ns: deque[int] = deque(maxlen=DELAYS_KEPT)

    @property
    def now_ns(self) -> int:
        """Stream time of the newest reading."""
        return self._now_ns

    def push(self, readings: Sequence[HeartRate], host_time_ns: int) -> list[Observation]:
        """What readings make known that arrived together (host monotonic clock, nanoseconds).

        Intervals told without contact are left out; those outside 200 ms to 10 s are refused.
        """
        if not readings:
            return []
        if not self._delays_ns:
            self._delays_ns.append(host_time_ns)
        rr_ms = [() if each.contact is False else each.rr_ms for each in readings]
        arrival_ns = self._arrival_ns(host_time_ns)
        lengths_ns = [_told_ns(each) for each in rr_ms]
        told_ns = sum(lengths_ns)
        if told_ns and arrival_ns - (self._beat_ns or 0) - told_ns > LOST_NS:
            self._joined = False
        observed: list[Observation] = []
        for k, reading in enumerate(readings):
            start_ns = arrival_ns - sum(lengths_ns[k:])
            beats = list(self._placed(rr_ms[k], start_ns))
            if beats:
                self._delays_ns.append(host_time_ns - beats[-1][0])
            is_last = k == len(readings) - 1
            reached_ns = self._arrival_ns(host_time_ns) if is_last else self._beat_ns or 0
            observed += self._advance(reading, beats, reached_ns)
        return observed

    def break_off(self) -> None:
        """The link broke: no interval joins what comes to what came."""
        self._joined = False

    def end(self) -> list[Observation]:
        """Samples follow: a missing second parts them from the beats told, if any were."""
        if not self._delays_ns:
            return []
        self._now_ns = (self._now_ns // NS_PER_S + 1) * NS_PER_S
        return [Quality(self._now_ns, (LeadQuality(0.0),), missing=1.0)]

    def _arrival_ns(self, host_time_ns: int) -> int:
        """Stream time of an arrival, had it taken the least delay."""
        return host_time_ns - min(self._delays_ns)

    def _advance(
        self, reading: HeartRate, beats: list[tuple[int, float | None]], reached_ns: int
    ) -> list[Observation]:
        """Time goes on with a reading, whose beats are these, to `reached_ns` or stands."""
        off, since_ns = reading.contact is False, self._now_ns
        self._joined = self._joined and not off
        self._now_ns = max(since_ns, reached_ns)
        told_from_ns = self._told_from_ns(beats)
        if told_from_ns - since_ns > LOST_NS:
            self._lost_ns = (since_ns, told_from_ns)
        rates = [] if off else self._rates(reading.bpm)
        told = [self._beat(time_ns, rr_ms) for time_ns, rr_ms in beats]
        return [*self._seconds(since_ns, off), *rates, *told, *self._known(bool(told))]

    def _told_from_ns(self, beats: list[tuple[int, float | None]]) -> int:
        """Where the stretch begins that these beats tell of; now, where there are none."""
        if not beats:
            return self._now_ns
        time_ns, rr_ms = beats[0]
        return time_ns - round((rr_ms or 0.0) * 1e6)

    def _placed(
        self, rr_ms: tuple[float, ...], start_ns: int
    ) -> Iterator[tuple[int, float | None]]:
        """Times of beats and the intervals before them; the first after a break has none.

        start_ns: where the intervals begin by their arrival.
        """
        for each in rr_ms:
            if not _plausible(each):
                self._joined = False
                continue
            if not self._joined:
                self._beat_ns = self._restart_ns(start_ns)
                self._joined = True
                yield self._beat_ns, None
            start_ns += round(each * 1e6)
            self._beat_ns = (self._beat_ns or 0) + round(each * 1e6)
            yield self._beat_ns, each

    def _restart_ns(self, start_ns: int) -> int:
        """The first beat after a break: no two beats are closer than the least interval."""
        if self._beat_ns is None:
            return max(start_ns, 0)
        return max(start_ns, self._beat_ns + round(RR_RANGE_MS[0] * 1e6))

    def _rates(self, bpm: float) -> list[ToldRate]:
        if self._beat_ns is not None or not BPM_RANGE[0] <= bpm <= BPM_RANGE[1]:
            return []
        self._rate_ns = self._now_ns
        return [ToldRate(self._now_ns, bpm)]

    def _beat(self, time_ns: int, rr_ms: float | None) -> Beat:
        return Beat(0, time_ns, self._now_ns, 0, rr_ms, 0.0)

    def _known(self, any_told: bool) -> list[BeatsKnown]:
        if not any_told or self._beat_ns is None:
            return []
        return [BeatsKnown(self._now_ns, self._beat_ns)]

    def _seconds(self, since_ns: int, off: bool) -> Iterator[Quality]:
        """The seconds that ended after `since_ns`."""
        last = self._now_ns // NS_PER_S
        for second in range(max(since_ns // NS_PER_S, last - REPORTED_S) + 1, last + 1):
            time_ns = second * NS_PER_S
            missing = self._missing(time_ns)
            score = float(not off and missing <= 0.5 and self._speaks(time_ns))
            yield Quality(time_ns, (LeadQuality(score, lead_off=off),), missing)

    def _missing(self, time_ns: int) -> float:
        """Part of the second before `time_ns` in which nothing came."""
        start_ns, stop_ns = self._lost_ns
        lost_ns = min(time_ns, stop_ns) - max(time_ns - NS_PER_S, start_ns)
        return max(0, lost_ns) / NS_PER_S

    def _speaks(self, time_ns: int) -> bool:
        """Whether beats were told of late; a rate, where the device never tells beats."""
        told_ns = self._rate_ns if self._beat_ns is None else self._beat_ns
        return told_ns is not None and time_ns - told_ns <= RECENT_NS


def _told_ns(rr_ms: Sequence[float]) -> int:
    """How long these intervals are together, those refused left out."""
    return sum(round(each * 1e6) for each in rr_ms if _plausible(each))


def _plausible(rr_ms: float) -> bool:
    """Whether it can lie between two heartbeats; NaN does not."""
    return RR_RANGE_MS[0] <= rr_ms <= RR_RANGE_MS[1]
