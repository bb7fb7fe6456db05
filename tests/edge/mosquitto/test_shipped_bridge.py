"""The shipped bridge between two real brokers: an outage of the far one costs no alert."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from importlib.resources import files
from pathlib import Path

import pytest

from edge.messages import Topics
from edge.mqtt_settings import MqttSettings
from edge.outbox import OutboundMessage, Outbox
from edge.publish import Publisher
from tests.edge.mosquitto.shipped import ShippedBroker, Ward, needs_mosquitto_passwd
from tests.mosquitto import HOST, needs_mosquitto, own_port
from tests.patience import WAIT_S

pytestmark = [pytest.mark.broker, needs_mosquitto, needs_mosquitto_passwd]

SERVICE = "pi-3"
BASE = f"edge/{SERVICE}"
ALERTS = 60


def bridge_to(ward: Ward, folder: Path) -> ShippedBroker:
    port = own_port()
    return ShippedBroker(
        "bridge.conf",
        port,
        {
            "listener 1883 127.0.0.1": f"listener {port} {HOST}",
            "broker.example:8883": f"{HOST}:{ward.port}",
            "/etc/mosquitto/edge": str(folder),
        },
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for what no other process can tell."""
    for _ in range(int(WAIT_S / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"not within {WAIT_S:g} s")


def raise_alerts(outbox: Outbox, first: int, count: int) -> None:
    for seq in range(first, first + count):
        outbox.put(
            OutboundMessage("bed-3", f"a{seq}", "start", seq, 0, f"{BASE}/bed-3/alert", b"%d" % seq)
        )


def test_alerts_cross_the_bridge_after_an_outage_of_the_far_broker(tmp_path: Path) -> None:
    ward = Ward(tmp_path, SERVICE)
    topic = f"{BASE}/bed-3/alert"
    with ward.broker as far, bridge_to(ward, tmp_path) as near, ExitStack() as stack:
        outbox = stack.enter_context(closing(Outbox(tmp_path / "outbox.db")))
        publisher = Publisher(MqttSettings(url=near.url, base=BASE), outbox)
        publisher.start()
        stack.callback(publisher.stop, WAIT_S)
        with ward.person("reader", session="late") as reader:
            reader.subscribe(topic)
            raise_alerts(outbox, 1, 1)
            reader.wait_for(topic, "1")
        far.stop()
        raise_alerts(outbox, 2, ALERTS)
        until(lambda: outbox.counts.pending == 0)  # the near broker has them all, the far one none
        far.start()
        with ward.person("reader", session="late") as reader:
            reader.wait_for(topic, str(1 + ALERTS))
            told = [int(payload) for _, payload in reader.received]
    assert sorted(set(told)) == list(range(2, 2 + ALERTS))


def test_a_command_crosses_it_the_other_way(tmp_path: Path) -> None:
    ward = Ward(tmp_path, SERVICE)
    with (
        ward.broker,
        bridge_to(ward, tmp_path) as near,
        near.subscribe(f"{BASE}/bed-3/command") as service,
        ward.person("commands") as desk,
    ):
        until(lambda: desk.publish(f"{BASE}/bed-3/command", "strip, please") == 0)
        got = service.wait_for(1)
        assert got[-1].payload == "strip, please"


def test_signed_commands_and_buttons_come_in() -> None:
    lines = (files("edge.mosquitto") / "bridge.conf").read_text().splitlines()
    topics = Topics(BASE)
    for topic in (topics.command("p1"), topics.button("p1")):
        assert f"topic {topic.replace('p1', '+')} in 1" in lines
