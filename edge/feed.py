"""One link's way to the engine: a bounded share of events, of which each turn takes one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.clock import Clock
from edge.monitor import Monitor
from firmware_bridge.link import Link, LinkEvent
from firmware_bridge.source import Source
from firmware_bridge.stream import Packet

__all__ = ["EVENT_BYTES", "SHARE", "Feed", "Taken", "Work"]

SHARE = 64
"""Events of one link that may wait for the engine."""

EVENT_BYTES = 512
"""A longer read is taken up in pieces, so that no turn lasts much longer than others. The longest
message that must stay whole is a notification over Bluetooth, which holds as much at most."""

POLL_S = 0.1

Work = Callable[[], None]
"""What the engine does in one turn."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An event in its turn. offered_ns: host monotonic time at which the link had it."""

    event: LinkEvent
    offered_ns: int


class Feed:
    """Queues the events of one link in order.

    ready: takes `turn` whenever there is one to take: at most one at a time, and behind those of
    all others. A link that finds its share full waits. handle: what a turn does with its event.
    """

    def __init__(
        self,
        monitor: Monitor,
        source: Source,
        handle: Callable[[Feed, Taken], None],
        ready: queue.SimpleQueue[Work],
        stopping: threading.Event,
        clock: Clock,
    ) -> None:
        self.monitor = monitor
        self.source = source
        self.link = Link(source, self._offer)
        self._handle = handle
        self._ready = ready
        self._stopping = stopping
        self._clock = clock
        self._free = threading.BoundedSemaphore(SHARE)
        self._changing = threading.Lock()
        self._events: deque[Taken] = deque()
        self._has_turn = False

    @property
    def waiting(self) -> int:
        """Events that wait; from any thread."""
        return len(self._events)

    def turn(self) -> None:
        """Handle the oldest event; where there are more, the next turn comes after all others'."""
        taken = self._events.popleft()
        self._free.release()
        try:
            self._handle(self, taken)
        finally:
            with self._changing:
                self._has_turn = bool(self._events)
                if self._has_turn:
                    self._ready.put(self.turn)

    def _offer(self, event: LinkEvent) -> None:
        """Called by the link; returns once there was room."""
        offered_ns = self._clock.monotonic_ns()
        for piece in _pieces(event):
            while not self._free.acquire(timeout=POLL_S):
                if self._stopping.is_set():
                    return
            self._queue(Taken(piece, offered_ns))

    def _queue(self, taken: Taken) -> None:
        with self._changing:
            self._events.append(taken)
            if not self._has_turn:
                self._has_turn = True
                self._ready.put(self.turn)


def _pieces(event: LinkEvent) -> Iterator[LinkEvent]:
    """The event, or the bytes of a long read one after another; chunking changes no result."""
    if not isinstance(event, Packet) or len(event.data) <= EVENT_BYTES:
        yield event
        return
    for start in range(0, len(event.data), EVENT_BYTES):
        piece = event.data[start : start + EVENT_BYTES]
        yield Packet(piece, event.host_time_ns, event.channel)
