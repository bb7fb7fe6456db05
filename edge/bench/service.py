"""The parts of `edge run` around a number of streams that play the recording in real time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec

from edge.announce import Announcer
from edge.bench.alert_watch import AlertWatch, WatchedOutbox
from edge.bench.assembly import Assembly
from edge.bench.paced_stream import Handled, add_streams
from edge.broker import EmbeddedBroker
from edge.clock import Clock
from edge.errors import BrokerError, StorageError
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.runtime import Runtime
from edge.sink import MqttSink, Sink

__all__ = ["Broker", "Played", "find_broker", "play"]

BASE = "edge-bench"
"""Topics begin with it, so that no subscriber takes the alerts for a patient's."""

CONNECT_S = 3.0
DRAIN_S = 5.0
CLOSE_S = 6.5


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to publish. name: as the report says it. storage: the folder for the outbox."""

    name: str
    settings: MqttSettings
    storage: Path


@dataclass(frozen=True, slots=True)
class Played:
    """What a run noted."""

    handled: list[Handled]
    watch: AlertWatch
    outbox: WatchedOutbox | None


@contextmanager
def find_broker(named: MqttSettings | None, storage: Path, clock: Clock) -> Iterator[Broker | None]:
    """The broker named, else one of our own; None where this machine has none to start.

    storage: the folder for outboxes. Raises BrokerError where the broker cannot be reached,
    StorageError where the folder cannot be had.
    """
    if named is not None:
        # A client id of the configuration is that of an `edge run` that may be at work.
        settings = msgspec.structs.replace(named, base=BASE, client_id="")
        theirs = Broker(str(settings.endpoint), settings, storage)
        _check(theirs, clock)
        yield theirs
        return
    with ExitStack() as stack:
        try:
            own = stack.enter_context(EmbeddedBroker())
        except BrokerError:
            yield None
            return
        yield Broker(
            f"{own.kind} on the loopback interface",
            MqttSettings(url=own.url, protocol=own.protocol, base=BASE),
            storage,
        )


def play(
    assembly: Assembly,
    streams: int,
    for_s: float,
    broker: Broker | None,
    clock: Clock,
    probing: bool = False,
) -> Played:
    """Run for so long. Raises BrokerError where there is a broker and it cannot be reached."""
    watch = AlertWatch(clock)
    with ExitStack() as stack:
        sinks: list[Sink] = []
        outbox = None
        if broker is not None:
            folder = stack.enter_context(_folder(broker.storage))
            outbox = WatchedOutbox(folder / "outbox.sqlite", clock, watch)
            stack.callback(outbox.close)
            publisher = _connected(broker, outbox, clock, stack)
            sinks.append(MqttSink(outbox, publisher, broker.settings.topics, DRAIN_S))
        next_seq = outbox.next_seq if outbox else _no_number
        announcer = Announcer(sinks, next_seq, clock)
        runtime = Runtime(clock, [watch, announcer])
        handled = add_streams(runtime, assembly, streams, probing, clock)
        announcer.start(runtime.monitors)
        try:
            runtime.run(for_s)
        finally:
            announcer.close(CLOSE_S)
        _raise_errors(runtime)
    return Played(handled, watch, outbox)


def _check(broker: Broker, clock: Clock) -> None:
    """Connect once, before the long work."""
    with _folder(broker.storage) as folder, ExitStack() as stack:
        outbox = Outbox(folder / "outbox.sqlite", clock=clock)
        stack.callback(outbox.close)
        _connected(broker, outbox, clock, stack)


def _connected(broker: Broker, outbox: Outbox, clock: Clock, stack: ExitStack) -> Publisher:
    publisher = Publisher(broker.settings, outbox, clock, version("edge"))
    stack.callback(publisher.stop, 0.0)
    publisher.start()
    first = publisher.first_connect(CONNECT_S)
    if not first.connected:
        raise BrokerError(f"broker {broker.name}: {first.reason}")
    return publisher


@contextmanager
def _folder(storage: Path) -> Iterator[Path]:
    """A folder for one outbox, on the disk that keeps the alerts of `edge run`; gone afterwards.

    Raises StorageError where it cannot be made.
    """
    try:
        storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="bench-", dir=storage)
    except OSError as error:
        raise StorageError(
            f"storage {storage}: {error.strerror}; name a folder that can be written "
            "(storage.directory in the configuration)"
        ) from None
    with folder as name:
        yield Path(name)


def _raise_errors(runtime: Runtime) -> None:
    for monitor in runtime.monitors:
        if monitor.error is not None:
            raise monitor.error


def _no_number(_: str) -> int:
    """Where no outbox numbers the alerts, nobody reads them."""
    return 1
