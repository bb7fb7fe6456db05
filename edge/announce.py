"""From what monitors see to messages in the sinks, off the engine's thread."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec

from edge.alert import Phase
from edge.clock import Clock, rfc3339
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    Presence,
    StateMessage,
    active_alerts,
    alert_message,
)
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Step
from edge.sink import Sink

WAITING = 1024
"""Messages that may wait for the sinks; an alert that finds no room waits, the rest is dropped."""

Message = AlertMessage | ActiveAlerts | StateMessage | AvailabilityMessage

log = logging.getLogger(__name__)


class Announcer:
    """Makes the messages and hands them to all sinks, in order, in a thread of its own.

    next_seq: number of a patient's next alert message.
    """

    def __init__(self, sinks: Sequence[Sink], next_seq: Callable[[str], int], clock: Clock) -> None:
        self._sinks = tuple(sinks)
        self._next_seq = next_seq
        self._clock = clock
        self._present: dict[str, dict[str, AlertMessage]] = {}
        self._available: dict[str, bool] = {}
        self._queue: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="edge-sinks", daemon=True)
        self.dropped = 0

    def start(self, monitors: Iterable[Monitor]) -> None:
        """Begin; nobody's alarms are present yet."""
        self._thread.start()
        for monitor in monitors:
            self._present[monitor.patient.id] = {}
            self._offer_active(monitor.patient.id)
            self._set_availability(monitor.patient.id, online=False)

    def close(self, timeout_s: float) -> None:
        """Nobody is watched any more: say so, let the sinks take what waits, and close them."""
        for patient in self._present:
            self._set_availability(patient, online=False)
        self._queue.put(None)
        self._thread.join(timeout_s)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Announce alerts, and a device that delivers."""
        if step.events or step.readings:
            self._set_availability(monitor.patient.id, online=True)
        if not step.alerts:
            return
        context = monitor.context()
        present = self._present[monitor.patient.id]
        for alert in step.alerts:
            message = alert_message(alert, self._next_seq(monitor.patient.id), context)
            self._queue.put(message)
            if message.phase is Phase.END:
                present.pop(message.id, None)
            else:
                present[message.id] = message
        self._offer_active(monitor.patient.id)

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """Announce a device that delivers no more."""
        if report.word in ("lost", "silent", "ended"):
            self._set_availability(monitor.patient.id, online=False)
            self._offer(monitor.state())

    def ticked(self, monitors: Iterable[Monitor]) -> None:
        """Announce every patient's state."""
        for monitor in monitors:
            self._offer(monitor.state())

    def _offer_active(self, patient: str) -> None:
        time = rfc3339(self._clock.utc_ns())
        self._queue.put(active_alerts(patient, time, self._present[patient].values()))

    def _set_availability(self, patient: str, online: bool) -> None:
        if self._available.get(patient) == online:
            return
        self._available[patient] = online
        time = rfc3339(self._clock.utc_ns())
        state: Presence = "online" if online else "offline"
        self._queue.put(AvailabilityMessage(state=state, patient=patient, time=time))

    def _offer(self, message: Message) -> None:
        """State that is late is worth nothing: the next one comes in a second."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.dropped += 1

    def _run(self) -> None:
        while (message := self._queue.get()) is not None:
            for sink in self._sinks:
                _give(sink, message)
        for sink in self._sinks:
            sink.close()


def _give(sink: Sink, message: msgspec.Struct) -> None:
    """One sink's failure is not another's."""
    try:
        match message:
            case AlertMessage():
                sink.alert(message)
            case ActiveAlerts():
                sink.active(message)
            case StateMessage():
                sink.state(message)
            case AvailabilityMessage():
                sink.availability(message)
            case _:
                raise TypeError(f"no sink takes a {type(message).__name__}")
    except Exception:  # a sink of another package may raise anything
        log.exception("sink %s failed on a %s", type(sink).__name__, type(message).__name__)
