"""Encoders of patients under watch, taken off and given back as the load on the engine asks."""

from __future__ import annotations

import logging

from edge.alert import AlarmType
from edge.clock import Clock
from edge.feed import Feed, Taken
from edge.load import Load, StreamNeed
from edge.monitor import Monitor
from firmware_bridge.stream import Packet

__all__ = ["Shedding"]

log = logging.getLogger(__name__)


class Shedding:
    """Lives in the engine's thread. The feed that was added first keeps its encoder longest.

    Each change waits for the stream's own turn, so that no other waits for it. Sources that end
    by themselves or outrun time are neither judged nor changed: a recording gives the same results
    at any load.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._load = Load()
        self._feeds: list[Feed] = []
        self._numbers: dict[Feed, int] = {}
        self._begun = 0
        self._told = False

    def add(self, feed: Feed) -> None:
        """One more feed; before the run."""
        if feed.source.real_time and not feed.source.finite:
            self._numbers[feed] = len(self._feeds)
            self._feeds.append(feed)

    def taken(self, feed: Feed, taken: Taken) -> None:
        """A feed has its turn; before the event is handled."""
        number = self._numbers.get(feed)
        if number is None or not isinstance(taken.event, Packet):
            return
        now_ns, monitor = self._clock.monotonic_ns(), feed.monitor
        self._load.taken(number, now_ns - taken.offered_ns, now_ns, _brought_ns(monitor))
        monitor.shed(self._load.is_shed(number))

    def review(self) -> None:
        """To be called about once a second."""
        begun = sum(feed.monitor.pipeline.format is not None for feed in self._feeds)
        if begun > self._begun:
            self._begun = begun
            self._load.excuse()  # all wait while the encoders of new streams are opened
        self._load.review(self._clock.monotonic_ns(), len(self._feeds), self._need)
        self._tell()

    def _need(self, number: int) -> StreamNeed:
        monitor = self._feeds[number].monitor
        in_alarm = any(each.type is AlarmType.PHYSIOLOGICAL for each in monitor.active)
        has_encoder = not monitor.finished and bool(monitor.bundle)
        return StreamNeed(has_encoder, in_alarm, monitor.finished)

    def _tell(self) -> None:
        shed = self._load.shed
        if bool(shed) == self._told:
            return
        self._told = bool(shed)
        if shed:
            log.warning(
                "the engine is behind: encoders rest, now of %d of %d patients, who are watched by"
                " rules alone until it keeps up; their state says encoder_shed",
                *(len(shed), sum(not feed.monitor.finished for feed in self._feeds)),
            )
        else:
            late = sum(feed.monitor.late_hops for feed in self._feeds)
            log.warning("the engine keeps up: all encoders are back; late hops so far: %d", late)


def _brought_ns(monitor: Monitor) -> int:
    """Signal so far; of a device that tells beats instead, the time that these cover."""
    return monitor.delivered_ns if monitor.pipeline.format else monitor.now_ns
