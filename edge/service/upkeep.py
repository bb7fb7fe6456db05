"""Beside a run: supervision, watchdog, health and metrics, from its start to its end."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from edge.announce import Announcer
from edge.clock import Clock
from edge.commands.desk import Desk
from edge.config import Config
from edge.health.beacon import EXPIRY_S, Beacon
from edge.health.report import HealthReporter, Parts
from edge.health.watch import ServiceWatch
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.record.recorder import Recorder
from edge.runtime import Runtime
from edge.service import closing
from edge.service.notify import Notifier
from edge.service.status import status_line
from edge.supervision import CHECK_S, Part, Supervisor, end_process
from edge.told_text import without_folders
from edge.worker import Worker
from firmware_bridge.link import Link
from firmware_bridge.stream import NS_PER_S

if TYPE_CHECKING:
    from edge.metrics.server import MetricsServer

__all__ = ["RunParts", "Upkeep"]

STATUS_NS = 5 * NS_PER_S

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunParts:
    """The parts of a run that are looked after."""

    runtime: Runtime
    announcer: Announcer
    outbox: Outbox | None = None
    publisher: Publisher | None = None
    recorder: Recorder | None = None
    desk: Desk | None = None


class Upkeep:
    """Looks after a run. `start` before the run, `close` after it.

    supervised: whoever started the process starts it again, though no socket of systemd says so.
    Raises what `MetricsServer` does.
    """

    def __init__(
        self, run: RunParts, config: Config, clock: Clock, supervised: bool = False
    ) -> None:
        self._run = run
        self._clock = clock
        self._notifier = Notifier()
        self._status_due_ns = 0
        self._is_ready = False
        watchdog_s = self._notifier.watchdog_s
        self._supervisor = Supervisor(
            clock,
            self._end if supervised or self._notifier.present else None,
            self._well,
            min(CHECK_S, watchdog_s / 4) if watchdog_s else CHECK_S,
        )
        self._watch = ServiceWatch(clock)
        run.runtime.observe(self._watch)
        if run.outbox:
            outbox = run.outbox
            for monitor in run.runtime.monitors:
                monitor.storage_trouble = lambda: without_folders(outbox.trouble)
        parts = Parts(
            *(run.runtime, run.announcer, self._watch, self._supervisor),
            *(run.outbox, run.publisher, run.recorder, run.desk),
        )
        reporter = HealthReporter(parts, clock, version("edge"))
        self._beacon = self._beacon_for(config, reporter)
        self._metrics = _metrics_for(config, reporter)

    def start(self, beside: Iterable[Worker] = ()) -> None:
        """Begin; the manager hears that the service is ready once the engine has its first turn,
        after all links were started.

        beside: workers to be looked after, too, and for which the monitoring is not interrupted.
        """
        self._supervisor.watch(self._parts(beside))
        self._run.runtime.call(self._ready)
        self._beacon.start()
        if self._metrics:
            self._metrics.start()
            log.info("metrics on http://%s/metrics", self._metrics.endpoint)

    def reloading(self, under_way: bool) -> None:
        """A reload begins, or is over."""
        if under_way:
            self._notifier.reloading(self._clock.monotonic_ns())
        elif self._is_ready:
            self._notifier.ready()

    def close(self) -> None:
        """The run is over: its parts may end now."""
        self._notifier.stopping()
        self._supervisor.close(closing.SUPERVISOR_S)
        self._beacon.close(closing.BEACON_S)
        if self._metrics:
            self._metrics.close(closing.METRICS_S)

    def _end(self, reason: str) -> None:
        end_process(reason, self._run.announcer.drained)

    def _ready(self) -> None:
        """Everything has been started, so whatever does not run has died."""
        self._is_ready = True
        self._supervisor.start()
        self._notifier.ready()

    def _well(self) -> None:
        """Feed the watchdog: every part that owes a sign of life has given it."""
        self._notifier.watchdog()
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._status_due_ns:
            self._status_due_ns = now_ns + STATUS_NS
            self._notifier.status(status_line(each.state for each in self._watch.patients.values()))

    def _beacon_for(self, config: Config, reporter: HealthReporter) -> Beacon:
        """One that speaks to the broker, where there is one."""
        publisher = self._run.publisher
        if publisher is None or config.mqtt is None:
            return Beacon(reporter, lambda _: None)
        retain, topic = publisher.retain, config.mqtt.topics.health
        return Beacon(reporter, lambda payload: retain(topic, payload, qos=0, expiry_s=EXPIRY_S))

    def _parts(self, beside: Iterable[Worker]) -> Iterator[Part]:
        run = self._run
        yield Part("engine", run.runtime.pulse, lambda: True)
        for monitor, link in run.runtime.links:
            needed = partial(_is_needed, run.runtime, link)
            yield Part(f"link of {monitor.patient.id}", link.pulse, needed, link.restart)
        essential: tuple[Worker | None, ...] = (run.announcer, run.publisher)
        others = (run.recorder, run.desk, self._metrics, self._beacon, *beside)
        for worker in (*essential, *others):
            if worker:
                yield _part(worker, worker in essential)


def _metrics_for(config: Config, reporter: HealthReporter) -> MetricsServer | None:
    """One that listens, where that is asked for."""
    if not config.metrics.listen:
        return None
    from edge.metrics.server import MetricsServer  # brings an HTTP server along

    return MetricsServer(config.metrics, reporter)


def _part(worker: Worker, essential: bool) -> Part:
    """essential: whether the monitoring is interrupted for it."""
    return Part(worker.name, worker.pulse, lambda: worker.alive, worker.restart, essential)


def _is_needed(runtime: Runtime, link: Link) -> bool:
    """Whether a link lives, or has a right to be dead."""
    return link.alive or link.finished or runtime.stopping
