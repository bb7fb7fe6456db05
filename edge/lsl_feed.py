"""ECG, beats and alerts to the Lab Streaming Layer, beside the engine.

The engine's part is to put references into a bounded queue; a thread of its own sends. What finds
the queue full is left out of the streams, counted, and lost nowhere else.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from edge.clock import Clock
from edge.events import Beat, BeatClass, BeatLabel
from edge.lsl_outlets import Outlets, require_lsl
from edge.lsl_settings import LslSettings
from edge.messages import StateMessage
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Anchor, Step
from edge.worker import QueueWorker
from firmware_bridge.pulse import PATIENCE_S
from firmware_bridge.stream import NS_PER_S, Chunk, Gap

__all__ = ["LslFeed", "open_lsl"]

WAITING = 512
"""Steps that may wait; liblsl itself never blocks, so that a full queue means a starved thread."""
CLOSE_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    """What happened to one patient, and where stream time stood."""

    patient: str
    device: str
    step: Step
    anchor: Anchor | None


class LslFeed(QueueWorker[_Step]):
    """Feeds the streams of every patient. An `Observer` of the runtime; it never raises there.

    outlets_for: makes the streams of a patient. offset_s: from the host's monotonic clock to
    that of LSL.
    """

    def __init__(self, outlets_for: Callable[[str, str], Outlets], offset_s: float) -> None:
        super().__init__("lsl", WAITING, PATIENCE_S)
        self._outlets_for = outlets_for
        self._offset_s = offset_s
        self._outlets: dict[str, Outlets] = {}
        self.left_out = 0
        """Steps that found the queue full."""

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Hand over what the pipeline brought forth."""
        told = _Step(monitor.patient.id, monitor.device, step, monitor.pipeline.anchor)
        try:
            self._queue.put_nowait(told)
        except queue.Full:
            if not self.left_out:
                log.warning("lsl: sending is too slow; what cannot be sent is left out")
            self.left_out += 1

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """Nothing: a lost link shows as a gap."""

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """Nothing."""

    def _handle(self, told: _Step) -> None:
        try:
            self._send(told)
        except Exception:  # a defect of ours ends a step, not the streams
            log.exception("lsl: %s", told.patient)

    def _complete(self) -> None:
        self._outlets.clear()

    def _send(self, told: _Step) -> None:
        outlets = self._outlets.get(told.patient)
        if outlets is None:
            outlets = self._outlets_for(told.patient, told.device)
            self._outlets[told.patient] = outlets
        for event in told.step.events:
            if isinstance(event, Chunk):
                time_s = event.host_time_ns / NS_PER_S + self._offset_s
                outlets.samples(event.format, event.samples_uv, time_s)
            elif isinstance(event, Gap):
                outlets.gap(event.format, event.length)
        if told.anchor is not None:
            for text, stream_ns in _markers(told.step):
                time_ns = told.anchor.host_time_ns(stream_ns)
                outlets.marker(text, time_ns / NS_PER_S + self._offset_s)


def open_lsl(settings: LslSettings, clock: Clock, stack: ExitStack) -> LslFeed | None:
    """A feed at work until the stack unwinds, None where none is wanted. Raises ConfigError."""
    if not settings.enabled:
        return None
    lsl = require_lsl()
    offset_s = lsl.local_clock() - clock.monotonic_ns() / NS_PER_S
    feed = LslFeed(lambda patient, device: Outlets(lsl, settings.name, patient, device), offset_s)
    feed.start()
    stack.callback(feed.close, CLOSE_S)
    return feed


def _markers(step: Step) -> Iterator[tuple[str, int]]:
    """Words and stream times. The class of a beat that is known later is told at its time."""
    for each in step.observations:
        if isinstance(each, Beat):
            known = each.label != BeatClass.UNKNOWN
            yield f"beat {each.label}" if known else "beat", each.time_ns
        elif isinstance(each, BeatLabel):
            yield f"class {each.label}", each.time_ns
    for alert in step.alerts:
        at_ns = alert.onset_ns if alert.phase == "start" else alert.time_ns
        yield f"alert {alert.kind} {alert.phase} {alert.priority}", at_ns
