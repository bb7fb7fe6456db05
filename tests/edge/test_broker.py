"""The embedded broker: either kind, started, used, gone afterwards."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import broker as broker_module
from edge.broker import EmbeddedBroker, accepts, find_mosquitto, free_port
from edge.errors import BrokerError, Exit
from edge.messages import Topics
from edge.mqtt_settings import MqttSettings
from edge.outbox import OutboundMessage, Outbox
from edge.publish import Publisher
from tests.mosquitto import Subscriber, needs_mosquitto
from tests.patience import WAIT_S

pytest.importorskip("amqtt", reason="needs amqtt (pip install 'edge[broker]')")

KINDS = [pytest.param("mosquitto", marks=[pytest.mark.broker, needs_mosquitto]), "amqtt"]


def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    for _ in range(int(timeout_s / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"not within {timeout_s:g} s")


def publish_through(broker: EmbeddedBroker, path: Path, count: int) -> int:
    """Alerts through outbox and publisher; how many the broker acknowledged."""
    outbox = Outbox(path)
    publisher = Publisher(MqttSettings(url=broker.url, protocol=broker.protocol), outbox)
    publisher.start()
    try:
        assert publisher.first_connect(WAIT_S).connected
        for seq in range(1, count + 1):
            outbox.put(
                OutboundMessage("p1", f"a{seq}", "start", seq, 0, Topics().alert("p1"), b"{}")
            )
        assert publisher.stop(WAIT_S)
        return outbox.counts.delivered
    finally:
        publisher.stop(0.0)
        outbox.close()


@pytest.mark.parametrize("kind", KINDS)
def test_alerts_pass_through_and_the_port_closes(kind: Any, tmp_path: Path) -> None:
    with EmbeddedBroker(kind) as broker:
        assert broker.kind == kind
        assert broker.protocol == (5 if kind == "mosquitto" else 311)
        assert str(broker.port) in broker.subscribe_command("edge/#")
        assert publish_through(broker, tmp_path / "outbox.db", 40) == 40
        port = broker.port
    assert not accepts(port)


@pytest.mark.broker
@needs_mosquitto
@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_real_subscriber_sees_the_alerts(kind: Any, tmp_path: Path) -> None:
    version = ("-V", "311")
    with (
        EmbeddedBroker(kind) as broker,
        Subscriber(broker.port, ("edge/#",), "", version) as subscriber,
    ):
        publish_through(broker, tmp_path / "outbox.db", 3)
        got = subscriber.wait_for(
            lambda messages: len([m for m in messages if m.topic == "edge/p1/alert"]) == 3
        )
        assert got[0].json["state"] == "online"


@pytest.mark.broker
@needs_mosquitto
def test_no_broker_outlives_a_killed_parent() -> None:
    script = (
        "import os, signal\n"
        "from edge.broker import EmbeddedBroker\n"
        "with EmbeddedBroker('mosquitto') as broker:\n"
        "    os.write(1, str(broker.port).encode())\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    until(lambda: not accepts(int(done.stdout)))


def test_without_any_broker_the_error_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def no_amqtt(name: str, *arguments: Any) -> Any:
        if name.startswith("amqtt"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(broker_module, "find_mosquitto", lambda: None)
    monkeypatch.setattr(builtins, "__import__", no_amqtt)
    with pytest.raises(BrokerError, match="apt install mosquitto") as refusal, EmbeddedBroker():
        pass
    assert refusal.value.exit_code == Exit.BROKER


def test_a_program_that_is_no_broker_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "mosquitto"
    fake.write_text("#!/bin/sh\necho 'Error: no luck today' >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr(broker_module, "find_mosquitto", lambda: str(fake))
    with pytest.raises(BrokerError, match="no luck today"), EmbeddedBroker("mosquitto"):
        pass


def test_mosquitto_is_found_outside_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "mosquitto"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(broker_module, "SEARCH_PATH", (str(tmp_path),))
    assert find_mosquitto() == str(program)
    monkeypatch.setattr(broker_module, "SEARCH_PATH", ())
    assert find_mosquitto() is None


def test_a_free_port_can_be_bound() -> None:
    assert not accepts(free_port())
