"""From what monitors see to messages in the sinks, off the engine's thread."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from edge.alert import AlarmState, Phase
from edge.clock import Clock, rfc3339
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    Presence,
    StateMessage,
    StripMessage,
    active_alerts,
    alert_message,
)
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Step
from edge.sink import KeepingSink, Sink, StripSink
from edge.worker import QueueWorker

WAITING = 1024
"""Messages that may wait for the sinks; an alert that finds no room waits, the rest is dropped."""

SNAPSHOT_NS = 60_000_000_000
"""How often the state of a patient's alarms is kept while no alert brings it along."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of a patient's alarms, and the alert that brought it about, if one did."""

    patient: str
    snapshot: bytes
    alert: AlertMessage | None = None


Message = AlertMessage | ActiveAlerts | StateMessage | AvailabilityMessage | StripMessage | Kept

log = logging.getLogger(__name__)


class Announcer(QueueWorker[Message]):
    """Makes the messages and hands them to all sinks, in order, in a thread of its own.

    next_seq: number of a patient's next alert message. snapshot_of: the state of a patient's
    alarms where it is to be kept, for sinks that keep it; else None.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        next_seq: Callable[[str], int],
        clock: Clock,
        snapshot_of: Callable[[Monitor], bytes | None] = lambda _: None,
    ) -> None:
        super().__init__("sinks", WAITING)
        self._sinks = tuple(sinks)
        self._next_seq = next_seq
        self._clock = clock
        self._snapshot_of = snapshot_of
        self._snapshot_due_ns: dict[str, int] = {}
        self._monitors: tuple[Monitor, ...] = ()
        self._present: dict[str, dict[str, AlertMessage]] = {}
        self._available: dict[str, bool] = {}
        self._leaving_s: float | None = None
        self.dropped = 0

    def start(
        self, monitors: Iterable[Monitor] = (), abandoned: Iterable[AlertMessage] = ()
    ) -> None:
        """Begin; no alarms are present yet but those that `Monitor.resume` is to tell again.

        abandoned: last messages of alarms that were on and are not known any more: they end.
        """
        super().start()
        self._monitors = tuple(monitors)
        self._end(abandoned)
        now_ns = self._clock.monotonic_ns()
        for number, monitor in enumerate(self._monitors):
            # In turn, for each costs a commit, and an alert must not wait for hundreds of them.
            spread_ns = number * SNAPSHOT_NS // len(self._monitors)
            self._snapshot_due_ns[monitor.patient.id] = now_ns + spread_ns
            self._present[monitor.patient.id] = {}
            if not monitor.active:
                self._offer_active(monitor.patient.id)
            self._set_availability(monitor.patient.id, online=False)

    def _end(self, abandoned: Iterable[AlertMessage]) -> None:
        watched = {monitor.patient.id for monitor in self._monitors}
        time = rfc3339(self._clock.utc_ns())
        for message in abandoned:
            self._queue.put(
                msgspec.structs.replace(
                    message,
                    seq=self._next_seq(message.patient),
                    phase=Phase.END,
                    state=AlarmState.INACTIVE,
                    time=time,
                    evidence={**message.evidence, "reason": "restart"},
                )
            )
            if message.patient not in watched:
                self._queue.put(active_alerts(message.patient, time, []))
                self._set_availability(message.patient, online=False)

    def drained(self, timeout_s: float) -> bool:
        """Wait until the sinks have taken all that waits; False where that takes longer."""
        done = self._queue.all_tasks_done
        with done:
            return done.wait_for(lambda: not self._queue.unfinished_tasks, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Nobody is watched any more: say so, let the sinks take what waits, and close them.

        Sinks that hang are left to themselves after `timeout_s`. A second call does nothing.
        """
        if self._closing.is_set():
            return
        self._leaving_s = timeout_s
        self._revive()  # else what is to be said here may find the queue full
        with contextlib.suppress(queue.Full):
            for monitor in self._monitors:
                self._set_availability(monitor.patient.id, online=False)
                if kept := self._kept(monitor):
                    self._queue.put(kept, timeout=timeout_s)
        super().close(timeout_s)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Announce alerts, and a device that delivers."""
        if step.events or step.readings:
            self._set_availability(monitor.patient.id, online=True)
        if not step.alerts:
            return
        context = monitor.context()
        present = self._present[monitor.patient.id]
        messages = [
            alert_message(alert, self._next_seq(monitor.patient.id), context)
            for alert in step.alerts
        ]
        for message in messages[:-1]:
            self._queue.put(message)
        # With the last one, for the state knows of them all.
        self._queue.put(self._kept(monitor, messages[-1]) or messages[-1])
        for message in messages:
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

    @property
    def takes_strips(self) -> bool:
        """Whether any sink does."""
        return any(isinstance(sink, StripSink) for sink in self._sinks)

    def strip(self, message: StripMessage) -> None:
        """Hand a strip to the sinks that take strips; waits for room. From any thread."""
        self._queue.put(message)

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """Announce the patient's state."""
        self._offer(state)
        due = self._clock.monotonic_ns() >= self._snapshot_due_ns.get(monitor.patient.id, 0)
        if due and (kept := self._kept(monitor)):
            self._offer(kept)

    def _kept(self, monitor: Monitor, alert: AlertMessage | None = None) -> Kept | None:
        """The state of the alarms, with the alert that brought it about, where it is kept."""
        patient = monitor.patient.id
        self._snapshot_due_ns[patient] = self._clock.monotonic_ns() + SNAPSHOT_NS
        snapshot = self._snapshot_of(monitor)
        return None if snapshot is None else Kept(patient, snapshot, alert)

    def _offer_active(self, patient: str) -> None:
        time = rfc3339(self._clock.utc_ns())
        self._queue.put(active_alerts(patient, time, self._present[patient].values()))

    def _set_availability(self, patient: str, online: bool) -> None:
        if self._available.get(patient) == online:
            return
        self._available[patient] = online
        time = rfc3339(self._clock.utc_ns())
        state: Presence = "online" if online else "offline"
        message = AvailabilityMessage(state=state, patient=patient, time=time)
        self._queue.put(message, timeout=self._leaving_s)

    def _offer(self, message: Message) -> None:
        """State that is late is worth nothing: another comes soon. Half of the room is for alerts,
        lest the engine wait for a disk that stalls.
        """
        if self._queue.qsize() > self._queue.maxsize // 2:
            self.dropped += 1
            return
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.dropped += 1

    def _handle(self, message: Message) -> None:
        for sink in self._sinks:
            _give(sink, message)

    def _complete(self) -> None:
        for sink in reversed(self._sinks):  # the one that ends the publisher comes first of all
            _close(sink)


def _give(sink: Sink, message: Message) -> None:
    """One sink's failure is not another's."""
    try:
        match message:
            case Kept():
                _keep_with(sink, message)
            case AlertMessage():
                sink.alert(message)
            case ActiveAlerts():
                sink.active(message)
            case StateMessage():
                sink.state(message)
            case AvailabilityMessage():
                sink.availability(message)
            case StripMessage():
                if isinstance(sink, StripSink):
                    sink.strip(message)
    except (Exception, SystemExit):  # a sink of another package may raise anything
        log.exception("sink %s failed on a %s", type(sink).__name__, type(message).__name__)


def _close(sink: Sink) -> None:
    """One sink's failure keeps no other from its end."""
    try:
        sink.close()
    except (Exception, SystemExit):  # a sink of another package may raise anything
        log.exception("sink %s failed to close", type(sink).__name__)


def _keep_with(sink: Sink, kept: Kept) -> None:
    if not isinstance(sink, KeepingSink):
        if kept.alert:
            sink.alert(kept.alert)
    elif kept.alert:
        sink.alert_kept(kept.alert, kept.snapshot)
    else:
        sink.keep(kept.patient, kept.snapshot)
