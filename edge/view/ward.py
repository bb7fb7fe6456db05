"""Where the engine and the sinks leave what happens, and the page's thread picks it up.

The engine's part is one append to a bounded queue: it waits for nobody.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from edge.clock import Clock
from edge.config import Signal
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    StateMessage,
    StripMessage,
)
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Step
from edge.segment import Segment
from edge.view.bedside import Bedside, Who
from edge.view.wire import SCHEMA, document, in_messages

__all__ = ["News", "Ward"]

WAITING_MAX = 8192
"""Steps that may wait for the page's thread; it looks twenty times a second."""
TOLD_MAX = 1024
"""Alarm steps and strips that may wait beside them; of all else the newest is enough."""
TAKEN_MAX = 4096
PATIENTS_MAX = 256
"""Their number travels in one byte."""

log = logging.getLogger(__name__)

Message = ActiveAlerts | AlertMessage | StateMessage | StripMessage


class News(NamedTuple):
    """Messages for viewers: documents go first, for signal needs the format they may tell."""

    documents: list[bytes]
    signal: list[bytes]


class _Stepped(NamedTuple):
    patient: str
    step: Step
    segment: Segment | None


class _Link(NamedTuple):
    patient: str
    report: LinkReport


class Ward:
    """All patients shown. An observer of the runtime and a sink; only `take` and `welcome` belong
    to the page's thread, everything else may be called from any.
    """

    def __init__(self, signal: Signal, clock: Clock) -> None:
        self._signal = signal
        self._clock = clock
        self._bedsides: dict[str, Bedside] = {}
        self._steps: deque[_Stepped] = deque()
        self._told: deque[AlertMessage | StripMessage] = deque(maxlen=TOLD_MAX)
        self._newest: dict[tuple[type, str], _Link | StateMessage | ActiveAlerts] = {}
        self.lost = 0
        """Steps, alarm steps and strips for which there was no room: nobody picked them up."""
        self._said = 0

    @property
    def waiting(self) -> int:
        """Steps and messages that have not been picked up yet."""
        return len(self._steps) + len(self._told) + len(self._newest)

    def admit(self, monitors: Sequence[Monitor]) -> None:
        """Whom the page shows; before anything happens to them."""
        if len(monitors) > PATIENTS_MAX:
            log.warning("live page: only the first %d patients are shown", PATIENTS_MAX)
        for number, monitor in enumerate(monitors[:PATIENTS_MAX]):
            who = Who(number, monitor.patient.id, monitor.device)
            self._bedsides[monitor.patient.id] = Bedside(who, self._signal)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Keep what the pipeline brought forth, until it is picked up."""
        if len(self._steps) >= WAITING_MAX:
            self.lost += 1
        else:
            self._steps.append(_Stepped(monitor.patient.id, step, monitor.pipeline.segment))

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """Keep what became of the link."""
        self._renew(_Link(monitor.patient.id, report))

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """States come by way of the sinks."""

    def alert(self, message: AlertMessage) -> None:
        """Keep one step of an alarm condition."""
        self._keep(message)

    def active(self, message: ActiveAlerts) -> None:
        """Keep the alarm conditions present."""
        self._renew(message)

    def state(self, message: StateMessage) -> None:
        """Keep a patient's state."""
        self._renew(message)

    def strip(self, message: StripMessage) -> None:
        """Keep a strip."""
        self._keep(message)

    def availability(self, message: AvailabilityMessage) -> None:
        """The state says it, too."""

    def close(self) -> None:
        """The page is closed by its owner."""

    def take(self) -> News:
        """Pick up what waits."""
        self._say_lost()
        news = News(self._documents(), [])
        stepped: dict[str, list[_Stepped]] = {}
        oldest_ns = 0
        for _ in range(min(len(self._steps), TAKEN_MAX)):
            each = self._steps.popleft()
            stepped.setdefault(each.patient, []).append(each)
            oldest_ns = oldest_ns or each.step.arrived_ns
        records: list[bytes] = []
        for patient, steps in stepped.items():
            bedside = self._bedsides.get(patient)
            if bedside is None:
                continue
            new, form = bedside.stepped([(each.step, each.segment) for each in steps])
            records += new
            news.documents.extend([form] if form else [])
        news.signal.extend(in_messages(records, self._utc_ms(oldest_ns) if oldest_ns else 0.0))
        return news

    def welcome(self) -> list[bytes]:
        """The whole picture, for a viewer who has just come."""
        messages = [document("hello", schema=SCHEMA, utc_ms=self._clock.utc_ns() / 1e6)]
        for bedside in self._bedsides.values():
            messages += bedside.picture()
        records = [record for each in self._bedsides.values() for record in each.recent()]
        return [*messages, *in_messages(records, 0.0), document("ready")]

    def strip_document(self, patient: str, number: int) -> bytes | None:
        """A strip in full, None where there is none."""
        bedside = self._bedsides.get(patient)
        return bedside.strip_document(number) if bedside else None

    def _documents(self) -> list[bytes]:
        """All that waits besides steps; other threads may add to it meanwhile."""
        told: list[_Link | Message] = [self._told.popleft() for _ in range(len(self._told))]
        newest = [self._newest.pop(key, None) for key in list(self._newest)]
        told += [each for each in newest if each]  # else it is being renewed, and comes next time
        return [each for message in told for each in self._written(message)]

    def _written(self, each: _Link | Message) -> list[bytes]:
        bedside = self._bedsides.get(each.patient)
        if bedside is None:
            return []
        match each:
            case _Link():
                word, reason = each.report.word, each.report.reason
                return [document("link", patient=each.patient, link=word, reason=reason)]
            case StateMessage():
                return bedside.state(each, self._clock.utc_ns() / 1e6)
            case ActiveAlerts():
                return [bedside.active(each)]
            case AlertMessage():
                return [bedside.alert(each)]
            case StripMessage():
                ready = bedside.strip(each)
                return [ready] if ready else []

    def _keep(self, each: AlertMessage | StripMessage) -> None:
        self.lost += len(self._told) == TOLD_MAX  # the oldest gives way
        self._told.append(each)

    def _renew(self, each: _Link | StateMessage | ActiveAlerts) -> None:
        """Keep it in place of an older one: none is ever lost, and the last is the truth."""
        key = type(each), each.patient
        self._newest.pop(key, None)
        self._newest[key] = each

    def _say_lost(self) -> None:
        lost, self._said = self.lost - self._said, self.lost
        if lost:
            log.warning("live page: too slow, %d steps were not shown", lost)

    def _utc_ms(self, monotonic_ns: int) -> float:
        return (monotonic_ns + self._clock.utc_ns() - self._clock.monotonic_ns()) / 1e6
