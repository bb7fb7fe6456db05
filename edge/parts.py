"""The parts of one run: made in the order in which they need each other, started, closed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from edge.alarm_memory import AlarmMemory
from edge.announce import Announcer
from edge.assemble import add_patients
from edge.bundles import ENCODER_OPENING_S, Bundles
from edge.clock import Clock
from edge.commands.opening import open_desk
from edge.config import Config
from edge.home_assistant.announcement import announce
from edge.lsl_feed import open_lsl
from edge.messages import AlertMessage
from edge.outbox import OUTBOX_FILE, Outbox
from edge.publish import Publisher
from edge.record.recorder import Recorder
from edge.reload import Reloader
from edge.report import AlertTally, final_report
from edge.run_facts import facts
from edge.runtime import Observer, Runtime
from edge.service import closing
from edge.service.upkeep import RunParts, Upkeep
from edge.sink import MqttSink, Sink, load_sink
from edge.strips.image import strip_images
from edge.strips.service import Strips
from edge.view import open_view
from firmware_bridge.source import Source

if TYPE_CHECKING:
    from edge.display import Display

__all__ = ["Parts"]


class Parts:
    """Everything that a run needs, as configured; `start`, then `runtime.run`, then `close`.

    stack: ends whatever has begun where a later part fails. What cannot be had is said here,
    before the broker hears that the service is online: raises SourceError, ModelError,
    StorageError, ConfigError.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        display: Display,
        stack: ExitStack,
        open_with: Callable[[str], Source],
        supervised: bool,
    ) -> None:
        self._config, self._clock, self._display, self._stack = config, clock, display, stack
        self._tally = AlertTally()
        self._lsl = open_lsl(config.lsl, clock, stack)
        self._outbox, self._publisher = _connected(config, clock, stack)
        self._memory = AlarmMemory(self._outbox)
        self._view = open_view(config, clock, lambda: self.runtime, stack)
        next_seq = self._outbox.next_seq if self._outbox else _Counter().next_seq
        self._pictures = strip_images(config.mqtt, self._publisher)
        self._announcer = Announcer(self._sinks(), next_seq, clock, self._memory.snapshot)
        recorded = config.record.directory
        self._recorder = Recorder(config.record, clock) if recorded else None
        self._strips = Strips(self._announcer.strip) if self._announcer.takes_strips else None
        self.runtime = Runtime(clock, self._observers())
        patience = partial(self.runtime.pulse.beat, ENCODER_OPENING_S)
        bundles = Bundles(config.encoder.device, patience)
        add_patients(self.runtime, config, bundles, clock, open_with, self._memory.alarms)
        self._upkeep = self._looked_after(supervised)
        self.reloader = Reloader(self.runtime, bundles, config, self._upkeep.reloading)

    def start(self, on_ready: Callable[[Runtime], None]) -> None:
        """Begin all but the engine. on_ready: called before anything is shown or announced."""
        monitors, stack = self.runtime.monitors, self._stack
        self.reloader.start()
        stack.callback(self.reloader.close, closing.RELOADER_S)
        if self._publisher:
            stack.callback(announce(self._config, self._publisher, monitors, self._clock))
            self._publisher.start()
        on_ready(self.runtime)
        self._view.start(monitors)
        told = facts(self._config, self._publisher)
        self._display.started(monitors, {**told, "view": self._view.url})
        self._announcer.start(monitors, self._memory.abandoned(monitors))
        stack.callback(self._announcer.close, closing.SINKS_S)  # also where the engine fails
        if self._strips:
            self._strips.start(monitors)
        if self._recorder:
            self._recorder.start()
            stack.callback(self._recorder.close, closing.RECORDER_S)
        beside = (self._strips, self._pictures, self._view.server, self._lsl, self.reloader)
        self._upkeep.start(each for each in beside if each)
        stack.callback(self._upkeep.close)

    def close(self) -> None:
        """The engine has ended: let the sinks and the recording have what waits."""
        if self._strips:
            self._strips.close(closing.STRIPS_S)
        self._announcer.close(closing.SINKS_S)
        if self._recorder:
            self._recorder.close(closing.RECORDER_S)

    def report(self) -> dict[str, Any]:
        """What came of it."""
        states = [monitor.state() for monitor in self.runtime.monitors]
        return final_report(states, self._tally, self._publisher, self._outbox, self._recorder)

    def _sinks(self) -> list[Sink]:
        """What is stored first, for others may hang on."""
        mqtt, sinks = self._config.mqtt, list[Sink]()
        if self._outbox and self._publisher and mqtt:
            sinks.append(MqttSink(self._outbox, self._publisher, mqtt.topics))
        sinks.append(_Tallied(self._display, self._tally))
        if self._pictures:
            sinks.append(self._pictures)
        sinks += [load_sink(each.name, each.options) for each in self._config.sink]
        return [*sinks, *self._view.watchers]

    def _observers(self) -> list[Observer]:
        wanted: list[Observer | None] = [
            *(self._announcer, self._display, self._recorder, self._strips, self._lsl),
            *self._view.watchers,
        ]
        return [each for each in wanted if each]

    def _looked_after(self, supervised: bool) -> Upkeep:
        links = (self._outbox, self._publisher)
        desk = open_desk(self._config, self.runtime, *links, self._clock, self._stack)
        parts = RunParts(self.runtime, self._announcer, *links, self._recorder, desk)
        return Upkeep(parts, self._config, self._clock, supervised)


class _Tallied:
    """A display as a sink, its alerts counted."""

    def __init__(self, display: Display, tally: AlertTally) -> None:
        self._display = display
        self._tally = tally
        self.active = display.active
        self.state = display.state
        self.availability = display.availability
        self.close = display.close

    def alert(self, message: AlertMessage) -> None:
        self._tally.alert(message)
        self._display.alert(message)


class _Counter:
    """Numbers alerts where no outbox does."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def next_seq(self, patient: str) -> int:
        self._counts[patient] = self._counts.get(patient, 0) + 1
        return self._counts[patient]


def _connected(
    config: Config, clock: Clock, stack: ExitStack
) -> tuple[Outbox | None, Publisher | None]:
    if config.mqtt is None:
        return None, None
    outbox = Outbox(config.storage.path() / OUTBOX_FILE, clock=clock)
    stack.callback(outbox.close)
    publisher = Publisher(config.mqtt, outbox, clock, version("edge"))
    stack.callback(publisher.stop, 0.0)
    return outbox, publisher
