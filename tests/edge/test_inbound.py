"""Messages to us: a real Mosquitto, listeners that fail, floods, answers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.broker import free_port
from edge.publish import Incoming
from edge.publish.inbox import MAX_CORRELATION_BYTES, MAX_PACKET_BYTES, Inbox
from edge.publish.packets import Outgoing
from edge.publish.replies import EXPIRY_S, WAITING, Replies
from tests.edge.test_publish import has_all, publishing, raise_alerts, until
from tests.mosquitto import HOST, Mosquitto, needs_mosquitto
from tests.patience import WAIT_S

SECOND_NS = 1_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


def of_version_5(broker: Mosquitto, topic: str, payload: str, **properties: str) -> None:
    """Publish with MQTT 5 properties."""
    more = [["-D", "publish", name, value] for name, value in properties.items()]
    broker.publish(topic, payload, "-V", "5", *(word for each in more for word in each))


@pytest.mark.broker
@needs_mosquitto
class TestOnABroker:
    @pytest.mark.parametrize("protocol", [5, 311])
    def test_what_matches_is_heard_and_answered(
        self, broker: Mosquitto, path: Path, protocol: int
    ) -> None:
        heard: list[Incoming] = []
        base = f"heard{protocol}"
        settings = {"url": broker.url, "base": base, "protocol": protocol}
        with publishing(path, start=False, **settings) as (_, publisher):

            def answer(message: Incoming) -> None:
                heard.append(message)
                publisher.reply(f"{base}/answer", b'{"yes":1}', message.correlation_data)

            publisher.listen(f"{base}/+/command", answer)
            publisher.start()
            wait_until_heard(broker, f"{base}/x/command", heard)
            with broker.subscribe(f"{base}/answer") as subscriber:
                broker.publish(f"{base}/bed-3/command", "plain")
                broker.publish(f"{base}/bed-3/other", "not ours")
                of_version_5(
                    broker,
                    f"{base}/bed-3/command",
                    "asked",
                    **{"response-topic": "a/b", "correlation-data": "c1"},
                )
                subscriber.wait_for(2)
        plain, asked = heard[-2:]
        assert plain == Incoming(f"{base}/bed-3/command", b"plain", False)
        expected = ("a/b", b"c1") if protocol == 5 else ("", b"")
        assert (asked.payload, asked.response_topic, asked.correlation_data) == (
            b"asked",
            *expected,
        )

    def test_a_retained_message_is_known_as_such_and_a_too_large_one_never_comes(
        self, broker: Mosquitto, path: Path
    ) -> None:
        heard: list[Incoming] = []
        broker.publish("kept/before", "stored", "-r")
        with publishing(path, start=False, url=broker.url, base="kept") as (_, publisher):
            publisher.listen("kept/before", heard.append)
            publisher.listen("kept/now", heard.append)
            publisher.start()
            until(lambda: len(heard) == 1)
            broker.publish("kept/now", "live", "-r")
            broker.publish("kept/now", "x" * MAX_PACKET_BYTES)
            broker.publish("kept/now", "last")
            until(lambda: len(heard) == 3)
            assert publisher.statistics.received == 3
        assert [(each.payload, each.retained) for each in heard] == [
            (b"stored", True),
            (b"live", True),
            (b"last", False),
        ]

    def test_no_number_of_messages_too_large_keeps_others_away(
        self, broker: Mosquitto, path: Path
    ) -> None:
        """Each of them would keep a place in the broker's window of 20 at QoS 1."""
        heard: list[Incoming] = []
        with publishing(path, start=False, url=broker.url, base="many") as (_, publisher):
            publisher.listen("many/x", heard.append)
            publisher.start()
            wait_until_heard(broker, "many/x", heard)
            lines = ("x" * MAX_PACKET_BYTES + "\n") * 25
            command = ["mosquitto_pub", "-h", HOST, "-p", str(broker.port)]
            subprocess.run(
                [*command, "-t", "many/x", "-q", "1", "-l"],
                input=lines.encode(),
                check=True,
                timeout=WAIT_S,
            )
            broker.publish("many/x", "last")
            until(lambda: heard[-1].payload == b"last")
            assert {each.payload for each in heard} == {b"?", b"last"}

    def test_an_older_broker_sends_what_is_too_large_and_it_is_dropped(
        self, broker: Mosquitto, path: Path
    ) -> None:
        heard: list[Incoming] = []
        settings: dict[str, Any] = {"url": broker.url, "base": "large", "protocol": 311}
        with publishing(path, start=False, **settings) as (_, publisher):
            publisher.listen("large/x", heard.append)
            publisher.start()
            wait_until_heard(broker, "large/x", heard)
            broker.publish("large/x", "x" * (MAX_PACKET_BYTES + 1))
            until(lambda: publisher.statistics.received_too_large == 1)
            assert {each.payload for each in heard} == {b"?"}

    def test_subscriptions_come_back_with_the_connection(self, path: Path) -> None:
        heard: list[Incoming] = []
        with Mosquitto() as flaky, publishing(path, start=False, url=flaky.url) as (_, publisher):
            publisher.listen("a/b", heard.append)
            publisher.start()
            wait_until_heard(flaky, "a/b", heard)
            flaky.stop()
            flaky.start()
            heard.clear()
            wait_until_heard(flaky, "a/b", heard)
            assert publisher.statistics.connects == 2

    def test_a_listener_that_fails_ends_nothing(
        self, broker: Mosquitto, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard: list[Incoming] = []

        def fail(message: Incoming) -> None:
            raise RuntimeError("a defect")

        with publishing(path, start=False, url=broker.url, base="fails") as (outbox, publisher):
            publisher.listen("fails/#", fail)
            publisher.listen("fails/x", heard.append)
            publisher.start()
            wait_until_heard(broker, "fails/x", heard)
            raise_alerts(outbox, 3)
            until(lambda: outbox.counts.pending == 0)
            statistics = publisher.statistics
        assert statistics.received_failures >= 1
        assert statistics.connects == 1
        assert "a listener failed" in caplog.text

    def test_a_flood_holds_no_alert_up(self, broker: Mosquitto, path: Path) -> None:
        heard: list[Incoming] = []
        enough = threading.Event()

        def count(message: Incoming) -> None:
            heard.append(message)
            if len(heard) >= 1000:
                enough.set()

        with (
            publishing(path, start=False, url=broker.url, base="flood") as (outbox, publisher),
            broker.subscribe("edge/flooded/alert") as subscriber,
        ):
            publisher.listen("flood/x", count)
            publisher.start()
            assert publisher.first_connect(30.0).connected
            source = subprocess.Popen(
                ["mosquitto_pub", "-h", HOST, "-p", str(broker.port), "-t", "flood/x", "-l"],
                stdin=subprocess.PIPE,
            )
            assert source.stdin is not None
            source.stdin.write(b"rubbish\n" * 5000)
            source.stdin.flush()
            ids = raise_alerts(outbox, 50, "flooded")
            subscriber.wait_for(has_all(ids))
            until(lambda: outbox.counts.pending == 0)
            assert enough.wait(30.0)
            source.kill()
            source.communicate()
            assert publisher.statistics.connects == 1


def wait_until_heard(broker: Mosquitto, topic: str, heard: list[Incoming]) -> None:
    """A subscription is in force once something comes."""

    def comes() -> bool:
        broker.publish(topic, "?")
        return bool(heard)

    until(comes)


def test_answers_wait_for_a_connection_a_few_and_not_for_long(path: Path) -> None:
    with publishing(path, start=False, url=f"mqtt://{HOST}:{free_port()}") as (_, publisher):
        taken = [publisher.reply("a/b", b"{}") for _ in range(WAITING + 3)]
        assert taken == [True] * WAITING + [False] * 3
        assert publisher.statistics.dropped == 3


def test_an_answer_that_nobody_waits_for_any_more_is_not_sent() -> None:
    replies = Replies()
    replies.add(Outgoing("a", b"", 0), 0)
    replies.add(Outgoing("b", b"", 1), 5 * SECOND_NS)
    assert replies.take(1, EXPIRY_S * SECOND_NS - 1) == Outgoing("a", b"", 0)
    assert replies.take(0, 6 * SECOND_NS) is None
    assert replies.take(1, (5 + EXPIRY_S) * SECOND_NS) is None


def test_each_filter_is_subscribed_to_once_and_heard_by_all() -> None:
    inbox, heard = Inbox(), []
    inbox.listen("a/+", lambda message: heard.append(1))
    inbox.listen("a/+", lambda message: heard.append(2))
    inbox.listen("a/#", lambda message: heard.append(3))
    assert inbox.filters == ("a/+", "a/#")
    inbox.take(Incoming("a/b", b"", False))
    inbox.take(Incoming("a/b/c", b"", False))
    assert heard == [1, 2, 3, 3]
    assert inbox.received == 2


def test_long_correlation_data_are_left_out() -> None:
    from paho.mqtt.client import MQTTMessage

    from edge.publish.packets import incoming, publish_properties

    for size, expected in ((MAX_CORRELATION_BYTES, b"x" * 64), (MAX_CORRELATION_BYTES + 1, b"")):
        message = MQTTMessage(topic=b"a/b")
        message.properties = publish_properties(
            Outgoing("a/b", b"", 0, correlation_data=b"x" * size, response_topic="r")
        )
        got = incoming(message)
        assert (got.correlation_data, got.response_topic) == (expected, "r")
