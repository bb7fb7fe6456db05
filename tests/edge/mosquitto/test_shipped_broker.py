"""The shipped Mosquitto configuration on a real broker: who may do what, and who may not.

Mosquitto accepts any subscription and then leaves out what the subscriber may not read. A message
that may be read, sent after those that may not, shows that the others did not come.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.home_assistant.announcement import Announcement
from edge.home_assistant.discovery import Watched
from edge.home_assistant.record import FILE, AnnouncedTopics
from edge.home_assistant.settings import HomeAssistantSettings
from edge.mqtt_settings import MqttSettings
from edge.outbox import OutboundMessage, Outbox
from edge.publish import Publisher
from tests.edge.mosquitto.client import NOT_AUTHORIZED, Client
from tests.edge.mosquitto.shipped import PEOPLE, SHIPPED, Ward, needs_mosquitto_passwd
from tests.mosquitto import needs_mosquitto
from tests.patience import WAIT_S

pytestmark = [pytest.mark.broker, needs_mosquitto, needs_mosquitto_passwd]

A, B = "pi-a", "pi-b"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    made = Ward(tmp_path_factory.mktemp("ward"), A, B, "readerless", "#", "+")
    with made.broker:
        yield made


def allowed(code: int) -> bool:
    assert code in (0, 16, NOT_AUTHORIZED), code  # 16: nobody subscribed to it
    return code != NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        (f"edge/{A}/status", True),
        (f"edge/{A}/bed-3/alert", True),
        (f"homeassistant/device/{A}/edge-bed-3-01234567/config", True),
        (f"edge/{B}/status", False),
        (f"edge/{B}/bed-3/alert", False),
        (f"edge/{B}/bed-3/command", False),
        (f"homeassistant/device/{B}/edge-bed-3-01234567/config", False),
        ("homeassistant/device/edge-bed-3-01234567/config", False),
        ("homeassistant/status", False),
        ("edge/status", False),
        ("elsewhere", False),
    ],
)
def test_a_service_writes_below_its_own_name_only(ward: Ward, topic: str, may: bool) -> None:
    with ward.service(A) as client:
        assert allowed(client.publish(topic)) is may


def test_a_service_hears_commands_to_itself_and_nothing_of_another(ward: Ward) -> None:
    with ward.service(A) as spy, ward.service(B) as other, ward.person("commands") as desk:
        for topic_filter in ("#", "edge/#", f"edge/{B}/#", f"edge/{B}/bed-3/alert", "+/+/+/alert"):
            spy.subscribe(topic_filter)
        assert allowed(other.publish(f"edge/{B}/bed-3/alert", "secret"))
        assert allowed(other.publish(f"edge/{B}/bed-3/state", "secret", retain=True))
        assert allowed(desk.publish(f"edge/{B}/bed-3/command", "secret"))
        assert allowed(desk.publish(f"edge/{A}/bed-3/command", "to A"))
        spy.wait_for(f"edge/{A}/bed-3/command", "to A")
        assert {topic for topic, _ in spy.received} == {f"edge/{A}/bed-3/command"}


@pytest.mark.parametrize("name", ["#", "+"])
def test_a_service_named_like_a_wildcard_reaches_nobody(ward: Ward, name: str) -> None:
    """Known as a way round pattern rules in brokers that put the name in unseen."""
    with ward.service(name) as client, ward.service(A) as other, ward.person("commands") as desk:
        client.subscribe("#")
        assert not allowed(client.publish(f"edge/{A}/bed-3/alert"))
        assert allowed(other.publish(f"edge/{A}/bed-3/alert", "secret"))
        assert allowed(desk.publish(f"edge/{A}/bed-3/command", "secret"))
        client.subscribe("later")  # its answer comes after all that was to come
        assert client.received == []


def test_a_reader_reads_all_and_writes_nothing(ward: Ward) -> None:
    with ward.person("reader") as reader, ward.service(A) as one, ward.service(B) as other:
        assert reader.subscribe("edge/#") == 1
        one.publish(f"edge/{A}/bed-3/alert", "of A")
        other.publish(f"edge/{B}/bed-4/alert", "of B")
        reader.wait_for(f"edge/{A}/bed-3/alert", "of A")
        reader.wait_for(f"edge/{B}/bed-4/alert", "of B")
        for topic in (f"edge/{A}/bed-3/alert", f"edge/{A}/bed-3/command", "homeassistant/status"):
            assert not allowed(reader.publish(topic))


def test_a_sender_of_commands_writes_commands_and_reads_answers_only(ward: Ward) -> None:
    with ward.person("commands") as desk, ward.service(A) as service:
        desk.subscribe("#")
        assert not allowed(desk.publish(f"edge/{A}/bed-3/alert"))
        assert not allowed(desk.publish(f"edge/{A}/bed-3/command/button"))
        assert allowed(desk.publish(f"edge/{A}/bed-3/command"))
        service.publish(f"edge/{A}/bed-3/alert", "secret")
        service.publish(f"edge/{A}/bed-3/command/response", "done")
        desk.wait_for(f"edge/{A}/bed-3/command/response", "done")
        assert {topic for topic, _ in desk.received} == {f"edge/{A}/bed-3/command/response"}


def test_home_assistant_presses_buttons_and_forges_no_alert(ward: Ward) -> None:
    with ward.person("homeassistant") as home_assistant:
        assert allowed(home_assistant.publish(f"edge/{A}/bed-3/command/button", "acknowledge"))
        assert allowed(home_assistant.publish("homeassistant/status", "online"))
        assert not allowed(home_assistant.publish(f"edge/{A}/bed-3/alert"))
        assert not allowed(home_assistant.publish(f"edge/{A}/bed-3/command"))


@pytest.mark.parametrize(("name", "password"), [("", ""), ("reader", "guess"), ("nobody", "x")])
def test_nobody_comes_in_without_a_password(ward: Ward, name: str, password: str) -> None:
    client = Client(ward.people_port, ward.authority, name=name, password=password)
    with pytest.raises(AssertionError, match="ended: "), client:
        pass


def test_a_password_is_no_certificate(ward: Ward) -> None:
    """The broker ends the handshake, so all that the client sees is the end of it."""
    with (
        pytest.raises(AssertionError, match="ended: "),
        Client(ward.port, ward.authority, name="reader"),
    ):
        pass


def test_a_packet_beyond_the_limit_is_refused_and_one_below_passes(ward: Ward) -> None:
    with ward.service(A) as client, ward.person("reader") as reader:
        reader.subscribe(f"edge/{A}/bed-3/alert/strip")
        client.publish(f"edge/{A}/bed-3/alert/strip", "s" * 500_000)
        reader.wait_for(f"edge/{A}/bed-3/alert/strip", "s" * 500_000)
        with pytest.raises(AssertionError, match="ended: "):
            client.publish(f"edge/{A}/bed-3/alert/strip", "s" * 530_000)
        reader.subscribe("later")  # its answer comes after all that was to come
        assert len(reader.received) == 1


def test_the_publisher_and_home_assistant_work_within_these_rights(
    ward: Ward, tmp_path: Path
) -> None:
    """What `edge run` does, as the comments of the access list say to configure it."""
    identity = ward.services[A]
    settings = MqttSettings(
        url=f"mqtts://127.0.0.1:{ward.port}",
        base=f"edge/{A}",
        ca_file=str(ward.authority.cert_file),
        cert_file=str(identity.cert_file),
        key_file=str(identity.key_file),
    )
    outbox = Outbox(tmp_path / "outbox.db")
    publisher = Publisher(settings, outbox)
    announcement = Announcement(
        HomeAssistantSettings(enabled=True, node=A),
        *(settings.topics, publisher, AnnouncedTopics(tmp_path / FILE), SystemClock()),
    )
    announcement.make([Watched("bed-9", "patch")], "1")
    with ward.person("homeassistant") as home_assistant:
        home_assistant.subscribe("homeassistant/#")
        home_assistant.subscribe(f"edge/{A}/#")
        publisher.start()
        try:
            outbox.put(OutboundMessage("bed-9", "a1", "start", 1, 0, f"edge/{A}/bed-9/alert", b"!"))
            home_assistant.wait_for(f"edge/{A}/bed-9/alert", "!")
            assert publisher.stop(WAIT_S)
            assert publisher.statistics.refused == 0
            assert outbox.counts.delivered == 1
        finally:
            publisher.stop(0.0)
            outbox.close()
        announced = [topic for topic, _ in home_assistant.received if topic.endswith("/config")]
        assert any(topic.startswith(f"homeassistant/device/{A}/") for topic in announced)


def test_the_access_list_names_the_users_that_are_tested() -> None:
    lines = (SHIPPED / "edge.acl").read_text(encoding="utf-8").splitlines()
    assert {line.split()[1] for line in lines if line.startswith("user ")} == set(PEOPLE)
