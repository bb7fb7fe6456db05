"""A real Mosquitto and real `mosquitto_sub` processes for tests.

with Mosquitto() as broker, broker.subscribe("edge/#") as subscriber:
    ...  # publish to broker.url
    subscriber.wait_for(3)
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import pytest

from edge.broker import find_mosquitto
from tests.patience import WAIT_S

HOST = "127.0.0.1"
PORTS = range(12_000, 32_000)
"""Below those that the system gives to connections, which could take a stopped broker's."""

needs_mosquitto = pytest.mark.skipif(
    not (find_mosquitto() and shutil.which("mosquitto_sub") and shutil.which("mosquitto_pub")),
    reason="needs the mosquitto programs (apt install mosquitto mosquitto-clients)",
)


@dataclass(frozen=True, slots=True)
class Received:
    """One message as a subscriber got it. retained: it was stored before the subscription."""

    topic: str
    payload: str
    retained: bool

    @property
    def json(self) -> Any:
        """The payload, decoded."""
        return msgspec.json.decode(self.payload)


class Mosquitto:
    """A broker on a free loopback port, which keeps its port over `stop` and `start`.

    config: lines added to its configuration; `allow_anonymous false` and a password file, say.
    durable: sessions and retained messages survive a restart.
    """

    def __init__(self, config: str = "", port: int = 0, durable: bool = False) -> None:
        self.port = port or own_port()
        self._extra = config
        self._durable = durable
        self._folder = tempfile.TemporaryDirectory(prefix="edge-test-broker-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect, without a user."""
        return f"mqtt://{HOST}:{self.port}"

    @property
    def folder(self) -> Path:
        """A folder of its own, for password files and the like."""
        return Path(self._folder.name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start, and return once it accepts connections."""
        program = find_mosquitto()
        assert program is not None
        path = self.folder / "mosquitto.conf"
        path.write_text(self._config(), encoding="utf-8")
        with (self.folder / "log").open("ab") as log:
            said = log.tell()
            self._process = subprocess.Popen([program, "-c", str(path)], stdout=log, stderr=log)
        for _ in range(int(WAIT_S / 0.01)):
            if " version " in self.log[said:] and " running" in self.log[said:]:
                return
            if self._process.poll() is not None:
                break
            threading.Event().wait(0.01)
        raise RuntimeError(f"mosquitto does not start:\n{self.log}")

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End the broker; SIGKILL makes it forget everything, durable or not."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal_number)
            self._process.wait(WAIT_S)
            self._process = None

    def freeze(self) -> None:
        """Half-open: connections stay, nothing answers. `thaw` ends it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        """What the broker logged so far."""
        return (self.folder / "log").read_text(errors="replace")

    def subscribe(
        self, *topics: str, session: str = "", arguments: tuple[str, ...] = ()
    ) -> Subscriber:
        """A `mosquitto_sub` process at QoS 1, subscribed when this returns.

        session: name of a persistent session, whose messages wait while the process is away.
        arguments: more for the command line, credentials say.
        """
        return Subscriber(self.port, topics, session, arguments)

    def publish(self, topic: str, payload: str, *arguments: str) -> None:
        """A `mosquitto_pub` process at QoS 1; returns when it is done."""
        command = ["mosquitto_pub", "-h", HOST, "-p", str(self.port), "-q", "1"]
        subprocess.run([*command, "-t", topic, "-m", payload, *arguments], check=True)

    def _config(self) -> str:
        lines = [
            "per_listener_settings false",
            "user root" if os.geteuid() == 0 else "",
            f"listener {self.port} {HOST}",
            "" if "allow_anonymous" in self._extra else "allow_anonymous true",
            "log_dest stderr",
            "log_type all",
            "max_queued_messages 100000",
            f"persistence {'true' if self._durable else 'false'}",
            f"persistence_location {self.folder}/",
            self._extra,
        ]
        return "\n".join(lines) + "\n"


class Subscriber:
    """A `mosquitto_sub` process and what it printed."""

    def __init__(
        self, port: int, topics: tuple[str, ...], session: str, arguments: tuple[str, ...]
    ) -> None:
        self._ready_topic = f"test-ready/{uuid.uuid4().hex}"
        address = ["-h", HOST, "-p", str(port), "-q", "1", *arguments]
        marker = ["-r", "-t", self._ready_topic, "-m", "ready"]
        subprocess.run(["mosquitto_pub", *address, *marker], check=True)
        command = ["mosquitto_sub", *address, "-F", "%r %t %x"]
        for topic in (*topics, self._ready_topic):
            command += ["-t", topic]
        if session:
            command += ["-c", "-i", session]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._ready = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready, WAIT_S):
                raise RuntimeError("mosquitto_sub did not subscribe")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def received(self) -> list[Received]:
        """Everything so far, in order."""
        with self._changed:
            return list(self._received)

    def on(self, suffix: str) -> list[Received]:
        """What came on topics that end so."""
        return [message for message in self.received if message.topic.endswith(suffix)]

    def wait_for(
        self,
        wanted: int | Callable[[list[Received]], bool],
        timeout_s: float = WAIT_S,
    ) -> list[Received]:
        """Everything so far, once that is `wanted` messages or satisfies the condition.

        Raises AssertionError with what did come where it does not in time.
        """
        condition = wanted if callable(wanted) else lambda got: len(got) >= wanted
        with self._changed:
            fulfilled = self._changed.wait_for(lambda: condition(self._received), timeout_s)
            got = list(self._received)
        assert fulfilled, f"after {timeout_s:g} s only {len(got)} messages: {got[-5:]}"
        return got

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            retained, topic, payload = line.rstrip("\n").split(" ", 2)
            with self._changed:
                if topic == self._ready_topic:
                    self._ready = True
                else:
                    text = bytes.fromhex(payload).decode("utf-8", "replace")
                    self._received.append(Received(topic, text, retained == "1"))
                self._changed.notify_all()


def own_port() -> int:
    """A port on which nothing listens and that no connection is given by the system."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


class BlackHole:
    """Accepts connections and never answers."""

    def __init__(self) -> None:
        self._server = socket.create_server((HOST, 0))
        self.url = f"mqtt://{HOST}:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()

    def accept(self) -> socket.socket:
        """The next connection, once it is there."""
        self._server.settimeout(WAIT_S)
        return self._server.accept()[0]
