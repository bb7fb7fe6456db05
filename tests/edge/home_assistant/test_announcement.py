"""Home Assistant is told over a real broker: at once, again when it is born, and not for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.clock import SystemClock
from edge.home_assistant.announcement import Announcement
from edge.home_assistant.discovery import Watched, discovery_topic
from edge.home_assistant.record import FILE, AnnouncedTopics
from edge.home_assistant.settings import HomeAssistantSettings
from edge.messages import Topics
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.publish.inbox import Incoming
from tests.edge.home_assistant.rendering import render
from tests.mosquitto import Mosquitto, Received, needs_mosquitto
from tests.patience import PROGRAM_S, WAIT_S

on_a_broker = [pytest.mark.broker, needs_mosquitto]
BIRTH = "homeassistant/status"
ON = HomeAssistantSettings(enabled=True)


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


@contextmanager
def announcing(
    broker: Mosquitto, folder: Path, base: str, *patients: str, **settings: Any
) -> Iterator[Publisher]:
    """A publisher that has announced these patients, and says so to an end in order."""
    outbox = Outbox(folder / "outbox.db")
    publisher = Publisher(MqttSettings(url=broker.url, base=base), outbox)
    announcement = Announcement(
        HomeAssistantSettings(**{"enabled": True, **settings}),
        *(Topics(base), publisher, AnnouncedTopics(folder / FILE), SystemClock()),
    )
    announcement.make([Watched(each, "patch") for each in patients], "1.2.3")
    publisher.start()
    try:
        assert publisher.first_connect(WAIT_S).connected
        yield publisher
    finally:
        publisher.stop(WAIT_S)
        announcement.close()
        outbox.close()


def on(*topics: str) -> Callable[[list[Received]], bool]:
    return lambda received: {each.topic for each in received} >= set(topics)


class TestOnABroker:
    pytestmark = on_a_broker

    def test_every_patient_is_announced_and_stays_announced(
        self, broker: Mosquitto, tmp_path: Path
    ) -> None:
        wanted = [discovery_topic(each, "two", ON) for each in ("p1", "p2")]
        with announcing(broker, tmp_path, "two", "p1", "p2"):
            pass
        with broker.subscribe("homeassistant/device/+/config") as late:
            got = {each.topic: each for each in late.wait_for(on(*wanted))}
        assert all(got[topic].retained for topic in wanted)
        assert got[wanted[1]].json["dev"]["name"] == "ECG p2"

    def test_when_home_assistant_is_born_it_is_told_again(
        self, broker: Mosquitto, tmp_path: Path
    ) -> None:
        topic = discovery_topic("p1", "born", ON)
        with (
            announcing(broker, tmp_path, "born", "p1") as publisher,
            broker.subscribe(topic, "born/p1/state") as home_assistant,
        ):
            publisher.retain("born/p1/state", b"{}", qos=0)
            home_assistant.wait_for(on(topic, "born/p1/state"))
            broker.publish(BIRTH, "offline")
            broker.publish(BIRTH, "online")
            home_assistant.wait_for(
                lambda got: (
                    [each.retained for each in got if each.topic == topic].count(False) >= 1
                    and len([each for each in got if each.topic == "born/p1/state"]) >= 2
                )
            )

    def test_a_patient_no_longer_configured_disappears(
        self, broker: Mosquitto, tmp_path: Path
    ) -> None:
        stays, goes = (discovery_topic(each, "gone", ON) for each in ("stays", "goes"))
        with announcing(broker, tmp_path, "gone", "stays", "goes"):
            pass
        with (
            broker.subscribe(goes) as home_assistant,
            announcing(broker, tmp_path, "gone", "stays"),
        ):
            home_assistant.wait_for(lambda got: [each.payload for each in got][1:] == [""])
        assert AnnouncedTopics(tmp_path / FILE).load() == {stays}

    def test_what_is_disabled_disappears(self, broker: Mosquitto, tmp_path: Path) -> None:
        topic = discovery_topic("p1", "off", ON)
        with announcing(broker, tmp_path, "off", "p1"):
            pass
        with (
            broker.subscribe(topic) as home_assistant,
            announcing(broker, tmp_path, "off", "p1", enabled=False),
        ):
            home_assistant.wait_for(lambda got: [each.payload for each in got][1:] == [""])
        assert AnnouncedTopics(tmp_path / FILE).load() == frozenset()

    def test_every_template_fits_the_messages_of_a_run(
        self, broker: Mosquitto, tmp_path: Path
    ) -> None:
        """All that a run publishes, put through the templates that it announced."""
        command = [sys.executable, "-m", "edge", "run", "--bundle", "none"]
        command += ["--source", "sim:?scenario=asystole&speed=max&duration_s=30&seed=1"]
        command += ["--mqtt", broker.url, "--patient", "bed-3"]
        environment = os.environ | {
            "EDGE__HOME_ASSISTANT__ENABLED": "true",
            "EDGE__MQTT__BASE": "run/edge",
            "EDGE__STORAGE__DIRECTORY": str(tmp_path),
        }
        topic = discovery_topic("bed-3", "run/edge", ON)
        with broker.subscribe("run/edge/#", topic) as home_assistant:
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=PROGRAM_S, check=False
            )
            assert done.returncode == 0, done.stderr.decode()
            got = home_assistant.wait_for(
                lambda got: (
                    on(topic, "run/edge/bed-3/alert", "run/edge/bed-3/state")(got)
                    and [each.json["state"] for each in got if each.topic == "run/edge/status"][-1:]
                    == ["offline"]
                )
            )
        (announced,) = [each.json for each in got if each.topic == topic]
        assert _rendered(announced, got) > 10
        kinds = {each.json["kind"] for each in got if each.topic == "run/edge/bed-3/alert"}
        assert "asystole" in kinds


def _rendered(announced: dict[str, Any], got: list[Received]) -> int:
    """How many templates met a message; fails where one does not fit, or gives no option."""
    count = 0
    for entity in announced["cmps"].values():
        for message in got:
            if message.topic == entity.get("state_topic"):
                shown = render(entity["value_template"], message.payload.encode())
                assert shown == "None" or shown in entity.get("options", [shown])
                if entity["p"] == "event":
                    assert msgspec.json.decode(shown)["event_type"] in entity["event_types"]
                count += 1
    for availability in announced["avty"]:
        for message in got:
            if message.topic == availability["topic"]:
                shown = render(availability["value_template"], message.payload.encode())
                assert shown in ("online", "offline")
                count += 1
    return count


class Ear:
    """A publisher that only remembers."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Incoming], None]] = {}
        self.retained: dict[str, bytes] = {}
        self.repeated = 0

    def listen(self, topic_filter: str, handler: Callable[[Incoming], None]) -> None:
        self.handlers[topic_filter] = handler

    def retain(self, topic: str, payload: bytes, qos: int, expiry_s: int | None = None) -> None:
        self.retained[topic] = payload

    def repeat_retained(self) -> None:
        self.repeated += 1


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_ns(self) -> int:
        return 0


def heard(path: Path, *said: tuple[float, bytes, bool]) -> int:
    """How often everything is repeated for births said at these seconds."""
    ear, clock = Ear(), Hands()
    record = AnnouncedTopics(path / FILE)
    announcement = Announcement(ON, Topics(), ear, record, clock)  # type: ignore[arg-type]
    announcement.make([Watched("p1", "patch")], "1")
    for at_s, payload, retained in said:
        clock.now_ns = int(at_s * 1e9)
        ear.handlers[BIRTH](Incoming(BIRTH, payload, retained))
    return ear.repeated


def test_a_flood_of_births_is_answered_once_in_five_seconds(tmp_path: Path) -> None:
    assert heard(tmp_path, *((second / 10, b"online", False) for second in range(101))) == 3


def test_only_a_birth_is_answered(tmp_path: Path) -> None:
    """A retained one comes at each connect, when everything is published anyway."""
    said = [(0.0, b"offline", False), (9.0, b"online", True), (18.0, b"x" * 9000, False)]
    assert heard(tmp_path, *said) == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b"[" * 70_000])
def test_a_damaged_record_stops_nothing(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert AnnouncedTopics(tmp_path / FILE).load() == frozenset()
    assert "may stay in Home Assistant" in caplog.text


def test_a_record_names_no_topic_that_is_no_discovery(tmp_path: Path) -> None:
    hostile = ["edge/#", "+/config", "homeassistant/device/x/config", "edge/p1/alert", "\u0000"]
    (tmp_path / FILE).write_bytes(msgspec.json.encode(hostile))
    assert AnnouncedTopics(tmp_path / FILE).load() == {"homeassistant/device/x/config"}


def test_a_record_that_cannot_be_written_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    AnnouncedTopics(tmp_path / "no such folder" / FILE).save({"a/config"})
    assert "cannot be written" in caplog.text
