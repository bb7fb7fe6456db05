"""The whole path over a broker that speaks MQTT 3.1.1 and nothing newer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from edge.broker import EmbeddedBroker
from edge.home_assistant.discovery import discovery_topic
from edge.home_assistant.settings import HomeAssistantSettings
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher, session
from tests.mosquitto import Received, Subscriber, needs_mosquitto
from tests.patience import PROGRAM_S, WAIT_S

pytest.importorskip("amqtt", reason="needs amqtt (pip install 'edge[broker]')")

pytestmark = [pytest.mark.broker, needs_mosquitto]

SOURCE = "sim:?scenario=asystole&speed=max&duration_s=30&seed=1"


def test_from_a_source_to_alerts_states_and_discovery(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge", "run", "--bundle", "none", "--patient", "bed-3"]
    with EmbeddedBroker("amqtt") as broker:
        environment = os.environ | {
            "EDGE__MQTT__PROTOCOL": "311",
            "EDGE__HOME_ASSISTANT__ENABLED": "true",
            "EDGE__STORAGE__DIRECTORY": str(tmp_path),
        }
        discovered = discovery_topic("bed-3", "edge", HomeAssistantSettings())
        version = ("-V", "311")
        with Subscriber(broker.port, ("edge/#", discovered), "", version) as subscriber:
            command += ["--source", SOURCE, "--mqtt", broker.url]
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=PROGRAM_S, check=False
            )
            assert done.returncode == 0, done.stderr.decode()
            wanted = {"alert", "alert/active", "alert/strip", "state", "availability"}
            got = subscriber.wait_for(
                lambda got: (
                    {each.topic for each in got}
                    >= {discovered, "edge/status", *(f"edge/bed-3/{each}" for each in wanted)}
                    and _last(got, "edge/status") == "offline"
                )
            )
    alerts = [each.json for each in got if each.topic == "edge/bed-3/alert"]
    assert (alerts[0]["kind"], alerts[0]["phase"]) == ("asystole", "start")
    assert len({(each["id"], each["phase"], each["seq"]) for each in alerts}) == len(alerts)
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        assert outbox.counts.pending == 0


def _last(got: list[Received], topic: str) -> str:
    said = [each.json["state"] for each in got if each.topic == topic]
    return said[-1] if said else ""


def test_a_broker_without_mqtt_5_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers nothing at all to MQTT 5, so that the hint is all that can be said."""
    monkeypatch.setattr(session, "CONNACK_TIMEOUT_S", 0.5)
    with EmbeddedBroker("amqtt") as broker, closing(Outbox(tmp_path / "outbox.db")) as outbox:
        publisher = Publisher(MqttSettings(url=broker.url), outbox)
        publisher.start()
        for _ in range(int(WAIT_S / 0.01)):
            if publisher.statistics.last_error:
                break
            threading.Event().wait(0.01)
        assert "mqtt.protocol = 311" in publisher.statistics.last_error
        assert not publisher.statistics.connects
        publisher.stop(0.0)
