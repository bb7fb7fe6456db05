"""Alerts on their way from the packet that raised them to the broker's PUBACK."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.messages import StateMessage
from edge.monitor import LinkReport, Monitor
from edge.outbox import OutboundMessage, Outbox
from edge.outbox.messages import Key
from edge.pipeline import Step

__all__ = ["AlertTimes", "AlertWatch", "WatchedOutbox"]


@dataclass(slots=True)
class AlertTimes:
    """Of one alert, nanoseconds on the monotonic clock; 0 for what has not happened."""

    arrived_ns: int
    decided_ns: int
    offered_ns: int = 0
    committed_ns: int = 0
    acknowledged_ns: int = 0


class AlertWatch:
    """Notes when alerts are decided; an observer of the runtime, before the announcer."""

    def __init__(self, clock: Clock) -> None:
        self._now_ns = clock.monotonic_ns
        self._decided: dict[tuple[str, str, str], AlertTimes] = {}
        self.raised = 0

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Alerts raised by a packet begin their way with its arrival."""
        if not step.arrived_ns:
            return
        for alert in step.alerts:
            key = (monitor.patient.id, alert.id, alert.phase.value)
            self._decided[key] = AlertTimes(step.arrived_ns, self._now_ns())
            self.raised += 1

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """Nothing to note."""

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """Nothing to note."""

    def take(self, message: OutboundMessage) -> AlertTimes | None:
        """What is known of an alert that reaches the outbox; None where no packet raised it."""
        return self._decided.pop((message.patient, message.id, message.phase), None)


class WatchedOutbox(Outbox):
    """The outbox itself, and when it was offered a message, had it on disk, and heard of PUBACK.

    Alerts come from one thread, acknowledgements from another.
    """

    def __init__(self, path: Path, clock: Clock, watch: AlertWatch) -> None:
        self._watch = watch
        self._now_ns = clock.monotonic_ns
        self._offered: AlertTimes | None = None
        self._under_way: dict[Key, AlertTimes] = {}
        self.finished: list[AlertTimes] = []
        super().__init__(path, clock=clock)

    def on_put(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each `put`, once the time of the commit is noted."""

        def committed() -> None:
            if self._offered is not None:
                self._offered.committed_ns = self._now_ns()
            listener()

        super().on_put(committed)

    def put(self, message: OutboundMessage, snapshot: bytes | None = None) -> bool:
        """Take a message."""
        offered_ns = self._now_ns()
        times = self._offered = self._watch.take(message)
        if times is not None:
            times.offered_ns = offered_ns
            self._under_way[message.key] = times
        return super().put(message, snapshot)

    def delivered(self, keys: Iterable[Key]) -> bool:
        """The broker has acknowledged these."""
        now_ns = self._now_ns()
        named = tuple(keys)
        for key in named:
            times = self._under_way.pop(key, None)
            if times is not None:
                times.acknowledged_ns = now_ns
                self.finished.append(times)
        return super().delivered(named)
