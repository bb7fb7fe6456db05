"""One run: configuration to parts, parts to a running whole, and its orderly end."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec

from edge.announce import Announcer
from edge.assemble import add_patients
from edge.bundles import NO_BUNDLE, Bundles
from edge.clock import SystemClock
from edge.config import Config
from edge.display import Display, TextDisplay
from edge.errors import Exit, MonitorError
from edge.messages import AlertMessage
from edge.monitor import Monitor
from edge.ndjson import JsonDisplay
from edge.outbox import Outbox
from edge.output import StderrHandler
from edge.publish import Publisher
from edge.record.recorder import Recorder
from edge.reload import Reloader
from edge.report import AlertTally, final_report
from edge.runtime import Runtime
from edge.sink import MqttSink, Sink, load_sink
from edge.terminal import is_attached
from firmware_bridge.source import Source, open_source
from models.bundle import load_bundle

OUTBOX_FILE = "outbox.sqlite"
FIRST_CONNECT_S = 1.0
CLOSE_S = 2.5
RELOAD_S = 1.0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run what is configured. strips: draw the ECG on a terminal."""

    for_s: float | None = None
    json: bool = False
    strips: bool = False


def run(
    config: Config,
    options: RunOptions,
    open_with: Callable[[str], Source] = open_source,
    on_ready: Callable[[Runtime], None] = lambda _: None,
    display: Display | None = None,
) -> int:
    """Run until the end, a signal, or the time is up; returns the exit code.

    on_ready: called once everything is assembled, before the first byte is read.
    Raises SourceError, ModelError, StorageError for what cannot be had.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[StderrHandler()])
    logging.getLogger("edge.reload").setLevel(logging.INFO)  # whoever asks is answered
    clock = SystemClock()
    display = display or (JsonDisplay() if options.json else TextDisplay(options.strips))
    tally = AlertTally()
    with ExitStack() as stack:
        outbox, publisher = _connected(config, stack, clock)
        sinks: list[Sink] = [_Tallied(display, tally)]
        if outbox and publisher and config.mqtt:
            sinks.append(MqttSink(outbox, publisher, config.mqtt.topics))
        sinks += [load_sink(each.name, each.options) for each in config.sink]
        next_seq = outbox.next_seq if outbox else _Counter().next_seq
        announcer = Announcer(sinks, next_seq, clock)
        recorder = Recorder(config.record, clock) if config.record.directory else None
        runtime = Runtime(clock, [announcer, display, *filter(None, [recorder])])
        # What cannot be had is said before the broker hears that the service is online.
        bundles = Bundles(config.encoder.device)
        add_patients(runtime, config, bundles, clock, open_with)
        reloader = Reloader(runtime, bundles, config)
        reloader.start()
        stack.callback(reloader.close, RELOAD_S)
        if publisher:
            publisher.start()
        on_ready(runtime)
        display.started(runtime.monitors, _facts(config, publisher))
        announcer.start(runtime.monitors)
        if recorder:
            recorder.start()
        with _signals(runtime, reloader) as caught:
            runtime.run(options.for_s)
            announcer.close(CLOSE_S)
            if recorder:
                recorder.close(CLOSE_S)
        states = [monitor.state() for monitor in runtime.monitors]
        display.ended(final_report(states, tally, publisher, outbox, recorder))
    return _exit_code(runtime.monitors, caught)


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
    config: Config, stack: ExitStack, clock: SystemClock
) -> tuple[Outbox | None, Publisher | None]:
    if config.mqtt is None:
        return None, None
    outbox = Outbox(config.storage.path() / OUTBOX_FILE, clock=clock)
    stack.callback(outbox.close)
    publisher = Publisher(config.mqtt, outbox, clock, version("edge"))
    stack.callback(publisher.stop, 0.0)
    return outbox, publisher


def _facts(config: Config, publisher: Publisher | None) -> dict[str, Any]:
    return {
        "version": version("edge"),
        "encoder": _encoder_fact(config),
        "broker": _broker_fact(config, publisher),
        "recording": config.record.directory or None,
    }


def _encoder_fact(config: Config) -> str:
    names = {config.bundle_of(patient) for patient in config.patient}
    return "; ".join(_bundle_fact(name, config.encoder.device) for name in sorted(names))


def _bundle_fact(name: str, device: str) -> str:
    from models.registry import open_encoder

    if name == NO_BUNDLE:
        return "none: alarms from rules alone"
    bundle = load_bundle(name)
    manifest = bundle.manifest
    providers = ", ".join(open_encoder(bundle, manifest.input.leads_min, device).providers)
    return (
        f"{manifest.name} {manifest.version} ({bundle.sha256[:12]}), "
        f"{manifest.runtime.parameters:,} parameters, on {providers}"
    )


def _broker_fact(config: Config, publisher: Publisher | None) -> str:
    if config.mqtt is None or publisher is None:
        return "none: alerts are shown here only (--mqtt URI publishes them)"
    first = publisher.first_connect(FIRST_CONNECT_S)
    where = f"{config.mqtt.endpoint}, topics below {config.mqtt.base}/"
    if first.connected:
        return f"{where}, connected"
    return f"{where}: {first.reason}; alerts are stored and sent later"


def _exit_code(monitors: tuple[Monitor, ...], caught: list[int]) -> int:
    if caught:
        return 128 + caught[0]
    errors = [monitor.error for monitor in monitors if monitor.error]
    for error in errors:
        print(f"edge: {error}", file=sys.stderr)
    defects = any(isinstance(error, MonitorError) for error in errors)
    return Exit.FAILURE if defects else Exit.SOURCE if errors else Exit.OK


@contextmanager
def _signals(runtime: Runtime, reloader: Reloader) -> Iterator[list[int]]:
    """SIGINT and SIGTERM end the run; a second one ends the process at once.

    SIGHUP has the bundles read again; where a terminal says by it that it is gone, it ends the run.
    """
    caught: list[int] = []

    def stop(number: int, _: object) -> None:
        if caught:
            raise SystemExit(128 + number)
        caught.append(number)
        runtime.stop()

    def reload(_: int, __: object) -> None:
        reloader.request()

    handlers: dict[signal.Signals, Any] = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        handlers[signal.SIGHUP] = stop if is_attached() else reload
    before = {each: signal.signal(each, handler) for each, handler in handlers.items()}
    try:
        yield caught
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def with_bundle(config: Config, bundle: str | None) -> Config:
    """The configuration with one bundle for all patients, where one is named."""
    if bundle is None:
        return config
    patients = tuple(msgspec.structs.replace(each, bundle=bundle) for each in config.patient)
    return msgspec.structs.replace(config, patient=patients)
