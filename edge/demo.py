"""`edge demo`: the whole path on one machine, with nothing plugged in.

A virtual patch writes native frames to a pseudo-terminal; `edge run` opens that as the serial
port of any patch, and publishes to a broker; a subscriber of its own shows what arrived there.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edge.broker import EmbeddedBroker
from edge.clock import SystemClock, rfc3339
from edge.config import Config, Encoder, Patient, Storage
from edge.display import TextDisplay
from edge.messages import MAX_PART_CHARACTERS, AlertMessage
from edge.monitor import Monitor
from edge.mqtt_settings import MqttSettings
from edge.ndjson import JsonDisplay
from edge.run import RunOptions, run
from edge.runtime import Runtime
from edge.subscribe import Subscriber
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.pseudo_terminal import PseudoTerminal, PseudoTerminalFeeder

PATIENT = "demo"
READER_S = 10.0
BASE_SUFFIX = "-demo"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """scenario: of the virtual patch. mqtt: a broker of one's own, None for an embedded one; taken
    from it is how to reach it, and the base of the topics with `-demo` behind it.
    """

    scenario: str = "tour"
    for_s: float = 60.0
    json: bool = False
    mqtt: MqttSettings | None = None


def demo(options: DemoOptions) -> int:
    """Run the demonstration; returns the exit code.

    Raises SourceUriError for an unknown scenario, BrokerError where no broker can be had.
    """
    patch = VirtualPatch(PatchConfig(scenario=options.scenario))
    with ExitStack() as stack:
        settings = stack.enter_context(_broker(options))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-demo-"))
        terminal = stack.enter_context(PseudoTerminal())
        display = _JsonDemo() if options.json else _TextDemo(settings)
        feeder = PseudoTerminalFeeder(terminal)
        stack.callback(feeder.stop)

        def ready(_: Runtime) -> None:
            topic = settings.topics.alert(PATIENT)
            stack.enter_context(Subscriber(settings, topic, display.received))
            threading.Thread(
                target=_feed_when_open, args=(terminal, feeder, patch), daemon=True
            ).start()

        config = _config(terminal.path, settings, Path(folder))
        run_options = RunOptions(options.for_s, options.json, strips=True)
        return run(config, run_options, on_ready=ready, display=display)


@contextmanager
def _broker(options: DemoOptions) -> Iterator[MqttSettings]:
    if options.mqtt:
        yield _beside(options.mqtt)
        return
    with EmbeddedBroker() as broker:
        yield MqttSettings(url=broker.url, protocol=broker.protocol)


def _beside(settings: MqttSettings) -> MqttSettings:
    """Leaves a service that these settings may belong to alone: a broker ends the older of two
    connections of one client id, and our last will would overwrite that service's retained status.
    """
    above, slash, last = settings.base.rpartition("/")
    base = above + slash + last[: MAX_PART_CHARACTERS - len(BASE_SUFFIX)] + BASE_SUFFIX
    return msgspec.structs.replace(settings, client_id="", base=base, strip_image=False)


def _feed_when_open(
    terminal: PseudoTerminal, feeder: PseudoTerminalFeeder, patch: VirtualPatch
) -> None:
    if terminal.wait_for_reader(READER_S):
        feeder.feed(patch.frames(), 1.0)


def _config(port: str, settings: MqttSettings, folder: Path) -> Config:
    patient = Patient(id=PATIENT, source=f"serial://{port}?device=native", device="virtual-patch")
    return Config(
        patient=(patient,),
        mqtt=settings,
        encoder=Encoder(),
        storage=Storage(directory=str(folder)),
    )


class _TextDemo(TextDisplay):
    """Shows the alerts as they arrive at the subscriber, not as they leave."""

    def __init__(self, settings: MqttSettings) -> None:
        super().__init__(strips=True)
        self._settings = settings
        self._count = 0

    def started(self, monitors: tuple[Monitor, ...], facts: dict[str, Any]) -> None:
        """What this is, and how to see it from elsewhere."""
        endpoint, ca_file = self._settings.endpoint, self._settings.ca_file
        trusted = f" --cafile {ca_file}" if ca_file else " --tls-use-os-certs" * endpoint.tls
        self.say("A virtual patch streams ECG into a serial port; alerts come out on MQTT.")
        self.say("See them from another terminal:")
        self.say(
            f"  mosquitto_sub -h {endpoint.host} -p {endpoint.port}{trusted} -v "
            f"-t '{self._settings.base}/#'\n",
            "bold",
        )
        super().started(monitors, facts)

    def alert(self, message: AlertMessage) -> None:
        """Left to the subscriber."""

    def received(self, topic: str, payload: bytes) -> None:
        """One message of the broker."""
        self._count += 1
        super().alert(msgspec.json.decode(payload, type=AlertMessage))

    def ended(self, report: dict[str, object]) -> None:
        """The report, and what the subscriber saw."""
        super().ended(report)
        self.say(f"the subscriber received {self._count} alert message(s) over MQTT")


class _JsonDemo(JsonDisplay):
    """NDJSON, with a line for each message that arrived at the subscriber."""

    def received(self, topic: str, payload: bytes) -> None:
        """`{"event": "received", "topic": …, "alert": …}`."""
        at = rfc3339(SystemClock().utc_ns())
        alert = msgspec.json.decode(payload)
        self.write("received", {"topic": topic, "time": at, "alert": alert})
