"""A broker of our own on the loopback interface, for `edge demo` and for trying things out.

Mosquitto where the machine has it, else the amqtt package in a thread (MQTT 3.1.1 only).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from edge.clock import Clock, SystemClock
from edge.errors import BrokerError
from firmware_bridge.stream import NS_PER_S

HOST = "127.0.0.1"
START_TIMEOUT_S = 10.0
PORT_ATTEMPTS = 5
SEARCH_PATH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")

_TIED_TO_PARENT = """
exec 3<&0
"$@" 3<&- &
broker=$!
(cat <&3 >/dev/null; kill "$broker") 2>/dev/null &
exec 3<&-
wait "$broker"
"""
"""Runs the broker until standard input closes, which the kernel does however the parent dies."""

_pause = threading.Event().wait


class _Running(Protocol):
    def stop(self) -> None: ...


class EmbeddedBroker:
    """A private broker that ends with this process, even a killed one. Context manager.

    kind: which broker; "auto" takes Mosquitto where there is one.
    Raises BrokerError on entry where there is none to start.
    """

    def __init__(
        self, kind: Literal["auto", "mosquitto", "amqtt"] = "auto", clock: Clock | None = None
    ) -> None:
        self._wanted = kind
        self._clock = clock or SystemClock()
        self._running: _Running | None = None
        self.kind = ""
        self.port = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"mqtt://{HOST}:{self.port}"

    @property
    def protocol(self) -> Literal[5, 311]:
        """The newest MQTT that it speaks, as `MqttSettings.protocol` takes it."""
        return 5 if self.kind == "mosquitto" else 311

    def subscribe_command(self, topic: str) -> str:
        """What to type to see the messages."""
        return f"mosquitto_sub -h {HOST} -p {self.port} -v -t '{topic}'"

    def __enter__(self) -> Self:
        program = None if self._wanted == "amqtt" else find_mosquitto()
        if program:
            self.kind = "mosquitto"
            self.port, self._running = _start_mosquitto(program, self._clock)
        elif self._wanted != "mosquitto" and _have_amqtt():
            self.kind = "amqtt"
            self.port = free_port()
            self._running = _Amqtt(self.port)
        else:
            raise BrokerError(
                "no MQTT broker on this machine: install one (`apt install mosquitto` or "
                "`pip install 'edge[broker]'`), or name one with --mqtt mqtt://HOST"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None


def find_mosquitto() -> str | None:
    """Path of the Mosquitto broker; Debian keeps it out of a user's PATH."""
    search = os.pathsep.join([os.environ.get("PATH", ""), *SEARCH_PATH])
    return shutil.which("mosquitto", path=search)


def free_port() -> int:
    """A TCP port that was free on the loopback interface a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class _Mosquitto:
    """A Mosquitto process with a private configuration."""

    def __init__(self, program: str, port: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="edge-broker-")
        config = Path(self._folder.name) / "mosquitto.conf"
        config.write_text(
            f"listener {port} {HOST}\nallow_anonymous true\npersistence false\nlog_dest stderr\n",
            encoding="utf-8",
        )
        self._log = Path(self._folder.name) / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _TIED_TO_PARENT, "edge-broker", program, "-c", str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether the broker has gone."""
        return self._process.poll() is not None

    @property
    def complaint(self) -> str:
        """The last line of its log."""
        lines = self._log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "no message"

    def stop(self) -> None:
        """Let go of its standard input, which ends it."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._folder.cleanup()


def _start_mosquitto(program: str, clock: Clock) -> tuple[int, _Mosquitto]:
    """Start on a free port; another process may take that port first, hence the attempts."""
    complaint = ""
    for _ in range(PORT_ATTEMPTS):
        port = free_port()
        broker = _Mosquitto(program, port)
        deadline_ns = clock.monotonic_ns() + int(START_TIMEOUT_S * NS_PER_S)
        while not broker.ended and clock.monotonic_ns() < deadline_ns:
            if accepts(port):
                return port, broker
            _pause(0.01)
        complaint = broker.complaint
        broker.stop()
    raise BrokerError(f"{program} does not start: {complaint}")


def accepts(port: int) -> bool:
    """Whether something listens on the loopback port."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _have_amqtt() -> bool:
    with contextlib.suppress(ImportError):
        import amqtt.broker  # noqa: F401

        return True
    return False


class _Amqtt:
    """The amqtt broker in a thread with an event loop of its own."""

    def __init__(self, port: int) -> None:
        self._config = {
            "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._broker = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(
                START_TIMEOUT_S
            )
        except Exception as error:
            self._end_loop()
            raise BrokerError(f"the amqtt broker does not start: {error}") from None

    async def _start(self) -> Any:
        from amqtt.broker import Broker

        broker = Broker(self._config)
        await broker.start()
        return broker

    def stop(self) -> None:
        """Shut the broker down and end its thread."""
        with contextlib.suppress(Exception):
            shutdown = asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop)
            shutdown.result(START_TIMEOUT_S)
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.close()


__all__ = ["EmbeddedBroker", "accepts", "find_mosquitto", "free_port"]
