"""The publisher against a real Mosquitto: nothing lost, everything said."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.broker import free_port
from edge.messages import (
    AvailabilityMessage,
    MessageContext,
    StateMessage,
    Topics,
    active_alerts,
    alert_message,
)
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox, PendingMessage
from edge.publish import Publisher, flight, session
from edge.publish.backoff import FIRST_S, LONGEST_S, Backoff
from edge.publish.client_id import default_client_id
from edge.publish.flight import WINDOW, Flight
from edge.publish.retained import RetainedValues
from edge.publish.session import Ack, CalledOffError, Outgoing
from edge.publish.statistics import MIN_SAMPLES_FOR_P99, Tally
from edge.sink import MqttSink, outbound
from tests.mosquitto import BlackHole, Mosquitto, Received, needs_mosquitto
from tests.patience import WAIT_S

broker_test = [pytest.mark.broker, needs_mosquitto]
TIME = "2026-01-31T12:00:00.250Z"


def raise_alerts(outbox: Outbox, count: int, patient: str = "p1", tag: str = "a") -> set[str]:
    """Put alerts as the runtime does; their ids."""
    ids = set()
    for _ in range(count):
        seq = outbox.next_seq(patient)
        alert = Alert(
            f"{tag}-{seq}",
            AlarmKind.PAUSE,
            AlarmType.PHYSIOLOGICAL,
            Priority.MEDIUM,
            Phase.START,
            seq,
            seq,
        )
        context = MessageContext(patient, "patch", "tcn-s", lambda stream_ns: stream_ns)
        outbox.put(outbound(alert_message(alert, seq, context), Topics()))
        ids.add(alert.id)
    return ids


def ids_of(received: list[Received]) -> set[str]:
    return {message.json["id"] for message in received if message.topic.endswith("/alert")}


def has_all(ids: set[str]) -> Callable[[list[Received]], bool]:
    return lambda received: ids <= ids_of(received)


def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Wait for what no other process can tell; fails after `timeout_s`."""
    for _ in range(int(timeout_s / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"not within {timeout_s:g} s")


@contextmanager
def publishing(
    outbox_path: Path, start: bool = True, **settings: Any
) -> Iterator[tuple[Outbox, Publisher]]:
    outbox = Outbox(outbox_path)
    publisher = Publisher(MqttSettings(**settings), outbox, version="1.2.3")
    if start:
        publisher.start()
    try:
        yield outbox, publisher
    finally:
        publisher.stop(0.0)
        outbox.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


class TestOnABroker:
    pytestmark = broker_test

    @pytest.mark.parametrize("protocol", [5, 311])
    def test_an_alert_raised_while_connected_arrives(
        self, broker: Mosquitto, path: Path, protocol: int
    ) -> None:
        base = f"live{protocol}"
        with (
            broker.subscribe("edge/p1/alert") as subscriber,
            publishing(path, url=broker.url, base=base, protocol=protocol) as (outbox, publisher),
        ):
            assert publisher.first_connect(WAIT_S).connected
            ids = raise_alerts(outbox, 3, tag=base)
            subscriber.wait_for(has_all(ids))
            until(lambda: outbox.counts.pending == 0)
            statistics = publisher.statistics
            assert statistics.put_to_puback.n == 3
            assert statistics.acked == 4
            assert not any(message.retained for message in subscriber.received)

    def test_online_is_said_before_what_waited(self, broker: Mosquitto, path: Path) -> None:
        with (
            broker.subscribe("first/status", "edge/waited/alert") as subscriber,
            publishing(path, start=False, url=broker.url, base="first") as (outbox, publisher),
        ):
            raise_alerts(outbox, 30, "waited")
            publisher.start()
            assert subscriber.wait_for(31)[0].json["state"] == "online"

    def test_mqtt_5_properties_travel(self, broker: Mosquitto, path: Path) -> None:
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-V", "5", "-W"]
        command += [f"{WAIT_S:g}", "-C", "2", "-F", "%t|%C|%F|%E|%P", "-t", "edge/props/#"]
        with publishing(path, url=broker.url, base="edge/properties") as (outbox, publisher):
            sink = MqttSink(outbox, publisher, Topics())
            sink.state(state("props"))
            until(lambda: publisher.statistics.sent >= 2)
            seen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert seen.stdout is not None
            first = seen.stdout.readline().strip().split("|")
            raise_alerts(outbox, 1, "props")
            second = seen.stdout.readline().strip().split("|")
            seen.communicate()
        assert first[:3] == ["edge/props/state", "application/json", "1"]
        assert 0 < int(first[3]) <= 60
        assert second[:4] == ["edge/props/alert", "application/json", "1", ""]
        assert "schema" in second[4]
        assert "alert" in second[4]

    def test_alerts_raised_while_the_broker_is_away_arrive_when_it_comes(self, path: Path) -> None:
        with Mosquitto(durable=True) as away:
            away.subscribe("edge/#", session="keeper").close()
            away.stop()
            with publishing(path, url=away.url) as (outbox, publisher):
                assert not publisher.first_connect(0.3).connected
                until(lambda: publisher.statistics.failed_connects > 0)
                ids = raise_alerts(outbox, 50)
                assert outbox.counts.pending == 50
                away.start()
                with away.subscribe("edge/#", session="keeper") as subscriber:
                    received = subscriber.wait_for(has_all(ids))
                until(lambda: outbox.counts.pending == 0)
        seqs = [message.json["seq"] for message in received if message.topic == "edge/p1/alert"]
        assert seqs == sorted(seqs)

    def test_nothing_is_lost_over_restarts_of_the_broker(self, path: Path) -> None:
        with Mosquitto(durable=True) as flaky, ExitStack() as open_things:
            flaky.subscribe("edge/#", session="keeper").close()
            outbox, publisher = open_things.enter_context(publishing(path, url=flaky.url))
            ids: set[str] = set()
            for _ in range(3):
                ids |= raise_alerts(outbox, 40)
                flaky.stop()
                ids |= raise_alerts(outbox, 10)
                flaky.start()
                until(lambda: outbox.counts.pending == 0)
            assert publisher.statistics.lost_connections >= 2
            subscriber = open_things.enter_context(flaky.subscribe("edge/#", session="keeper"))
            received = subscriber.wait_for(has_all(ids))
            alerts = [message for message in received if message.topic == "edge/p1/alert"]
            assert len(alerts) <= len(ids) + 3 * WINDOW

    def test_nothing_is_lost_when_the_process_is_killed(self, path: Path) -> None:
        with Mosquitto() as steady, steady.subscribe("edge/#") as subscriber:
            raised: set[str] = set()
            for count in (1, 40, 40):
                raised |= run_killed(steady.url, path, count)
            with publishing(path, url=steady.url) as (outbox, _):
                received = subscriber.wait_for(has_all(raised))
                until(lambda: outbox.counts.pending == 0)
                counts = outbox.counts
        assert counts.raised == counts.delivered == len(raised) == 81
        assert ids_of(received) == raised
        assert len([m for m in received if m.topic == "edge/p1/alert"]) <= 81 + 3 * WINDOW

    def test_the_last_will_speaks_for_a_killed_process(self, path: Path) -> None:
        with Mosquitto() as steady, steady.subscribe("edge/status") as subscriber:
            run_killed(steady.url, path, 1)
            subscriber.wait_for(2)
            states = [message.json["state"] for message in subscriber.received]
            assert states == ["online", "offline"]
            with steady.subscribe("edge/status") as late:
                (left,) = late.wait_for(1)
                assert left.retained
                assert left.json["state"] == "offline"

    def test_a_clean_stop_flushes_and_says_offline_once(
        self, broker: Mosquitto, path: Path
    ) -> None:
        with (
            broker.subscribe("clean/#", "edge/p1/alert") as subscriber,
            publishing(path, start=False, url=broker.url, base="clean") as (outbox, publisher),
        ):
            ids = raise_alerts(outbox, 100, tag="clean")
            publisher.start()
            assert publisher.first_connect(WAIT_S).connected
            assert publisher.stop(WAIT_S)
            assert outbox.counts.pending == 0
            subscriber.wait_for(has_all(ids))
            subscriber.wait_for(lambda got: len([m for m in got if m.topic == "clean/status"]) == 2)
            status = [message.json for message in subscriber.on("clean/status")]
            assert [each["state"] for each in status] == ["online", "offline"]
            assert status[0]["version"] == "1.2.3"

    def test_retained_values_reach_a_late_subscriber(self, broker: Mosquitto, path: Path) -> None:
        topics = Topics("late")
        with publishing(path, url=broker.url, base="late") as (outbox, publisher):
            sink = MqttSink(outbox, publisher, topics)
            sink.active(active_alerts("p1", TIME, []))
            sink.availability(AvailabilityMessage(state="online", patient="p1", time=TIME))
            for rate in (60.0, 61.0, 62.0):
                sink.state(state("p1", heart_rate_bpm=rate))
            until(lambda: publisher.statistics.sent >= 4 and not publisher.statistics.in_flight)
            with broker.subscribe("late/#") as subscriber:
                got = {m.topic: m for m in subscriber.wait_for(4)}
        assert set(got) == {
            "late/status",
            "late/p1/state",
            "late/p1/alert/active",
            "late/p1/availability",
        }
        assert all(message.retained for message in got.values())
        assert got["late/p1/state"].json["heart_rate_bpm"] == 62.0

    def test_retained_values_come_back_after_the_broker_forgot(self, path: Path) -> None:
        with Mosquitto() as forgetful, publishing(path, url=forgetful.url) as (outbox, publisher):
            MqttSink(outbox, publisher, Topics()).active(active_alerts("p1", TIME, []))
            assert publisher.first_connect(WAIT_S).connected
            forgetful.stop(signal.SIGKILL)
            forgetful.start()
            with forgetful.subscribe("edge/#") as subscriber:
                subscriber.wait_for(lambda got: {m.topic for m in got} >= {
                    "edge/status", "edge/p1/alert/active"
                })  # fmt: skip

    def test_a_wrong_password_is_said_and_does_not_end_the_publisher(
        self, tmp_path: Path, path: Path
    ) -> None:
        if not shutil.which("mosquitto_passwd"):
            pytest.skip("needs mosquitto_passwd (apt install mosquitto)")
        users, secret = tmp_path / "users", tmp_path / "secret"
        subprocess.run(["mosquitto_passwd", "-b", "-c", users, "edge", "right"], check=True)
        secret.write_text("wrong\n")
        config = f"allow_anonymous false\npassword_file {users}"
        url = {"username": "edge", "password_file": str(secret)}
        with (
            Mosquitto(config) as guarded,
            publishing(path, url=guarded.url, **url) as (
                outbox,
                publisher,
            ),
        ):
            first = publisher.first_connect(WAIT_S)
            assert not first.connected
            assert "password" in first.reason or "not authorised" in first.reason
            assert "wrong" not in first.reason
            raise_alerts(outbox, 1)
            assert outbox.counts.pending == 1
            secret.write_text("right\n")
            until(lambda: outbox.counts.pending == 0)

    def test_a_refused_topic_is_counted_kept_and_holds_nothing_else_up(
        self, tmp_path: Path, path: Path
    ) -> None:
        rights = tmp_path / "acl"
        rights.write_text("topic readwrite edge/allowed/#\ntopic readwrite test-ready/#\n")
        with (
            Mosquitto(f"allow_anonymous true\nacl_file {rights}") as guarded,
            guarded.subscribe("edge/#") as subscriber,
            publishing(path, url=guarded.url) as (outbox, publisher),
        ):
            refused = raise_alerts(outbox, 20, "denied")
            ids = raise_alerts(outbox, 5, "allowed", tag="ok")
            subscriber.wait_for(has_all(ids))
            until(lambda: outbox.counts.pending == len(refused))
            assert publisher.statistics.refused >= 1
            assert "refuses a message" in publisher.statistics.last_error

    def test_a_half_open_connection_is_noticed_and_nothing_lost(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flight, "ACK_TIMEOUT_NS", 200_000_000)
        monkeypatch.setattr(session, "CONNACK_TIMEOUT_S", 0.5)
        with (
            Mosquitto() as stuck,
            stuck.subscribe("edge/#") as subscriber,
            publishing(path, url=stuck.url) as (outbox, publisher),
        ):
            assert publisher.first_connect(WAIT_S).connected
            stuck.freeze()
            ids = raise_alerts(outbox, 5)
            until(lambda: publisher.statistics.lost_connections >= 1)
            assert "does not acknowledge" in publisher.statistics.last_error
            stuck.thaw()
            subscriber.wait_for(has_all(ids))
            until(lambda: outbox.counts.pending == 0)

    def test_two_clients_of_one_name_are_told(
        self, broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        same = {"url": broker.url, "client_id": "twin", "base": "twin"}
        with publishing(tmp_path / "a.db", **same) as (_, one):
            assert one.first_connect(WAIT_S).connected
            with publishing(tmp_path / "b.db", **same) as (_, two):
                assert two.first_connect(WAIT_S).connected
                until(lambda: one.statistics.lost_connections >= 1)
                until(lambda: "another client call itself twin" in caplog.text)

    def test_the_newest_alarm_overtakes_a_backlog(self, broker: Mosquitto, path: Path) -> None:
        with publishing(path, start=False, url=broker.url, base="order") as (outbox, publisher):
            raise_alerts(outbox, 200, "order")
            seq = outbox.next_seq("order")
            high = Alert(
                "urgent",
                AlarmKind.VF,
                AlarmType.PHYSIOLOGICAL,
                Priority.HIGH,
                Phase.START,
                0,
                0,
            )
            context = MessageContext("order", "patch", "", lambda stream_ns: stream_ns)
            outbox.put(outbound(alert_message(high, seq, context), Topics()))
            with broker.subscribe("edge/order/alert") as subscriber:
                publisher.start()
                received = subscriber.wait_for(201)
        assert received[0].json["id"] == "urgent"
        assert [m.json["seq"] for m in received[1:]] == list(range(1, 201))


def state(patient: str, **more: Any) -> StateMessage:
    return StateMessage(
        patient=patient, device="patch", bundle="", time=TIME, link="streaming", **more
    )


KILLED = """
import os, sys, json
from pathlib import Path
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher
from tests.edge.test_publish import raise_alerts
url, path, count = sys.argv[1:]
outbox = Outbox(Path(path))
publisher = Publisher(MqttSettings(url=url), outbox)
publisher.start()
assert publisher.first_connect(60.0).connected
ids = raise_alerts(outbox, int(count))
if int(count) == 1:
    while outbox.counts.pending:
        pass
os.write(1, json.dumps(sorted(ids)).encode())
os.kill(os.getpid(), 9)
"""


def run_killed(url: str, path: Path, count: int) -> set[str]:
    """A process that connects, raises alerts and is killed in the middle; the ids raised."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
    command = [sys.executable, "-c", KILLED, url, str(path), str(count)]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return set(json.loads(done.stdout))


class TestWithoutABroker:
    def test_nobody_listening_is_said_and_stored(self, path: Path) -> None:
        with publishing(path, url=f"mqtt://127.0.0.1:{free_port()}") as (outbox, publisher):
            until(lambda: publisher.statistics.failed_connects > 0)
            first = publisher.first_connect(0.0)
            assert not first.connected
            assert "Connection refused" in first.reason
            raise_alerts(outbox, 3)
            assert outbox.counts.pending == 3

    def test_an_unknown_host_is_said_at_once(self, path: Path) -> None:
        with publishing(path, url="mqtts://no-such-host.invalid") as (_, publisher):
            assert "unknown host" in publisher.first_connect(WAIT_S).reason

    def test_a_server_that_never_answers_is_given_up(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "CONNACK_TIMEOUT_S", 0.1)
        with BlackHole() as hole, publishing(path, url=hole.url) as (_, publisher):
            until(lambda: publisher.statistics.failed_connects >= 2)
            assert "mqtt.protocol = 311" in publisher.statistics.last_error

    def test_a_server_of_another_protocol_is_survived(self, path: Path) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        chance = random.Random(1)

        def babble() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(chance.randbytes(200))

        thread = threading.Thread(target=babble, daemon=True)
        thread.start()
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        with publishing(path, url=url) as (_, publisher):
            until(lambda: publisher.statistics.failed_connects >= 3)
            assert publisher.statistics.last_error
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(WAIT_S)

    def test_an_error_of_our_own_does_not_end_the_thread(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempts = []

        def broken(*_: object) -> None:
            attempts.append(None)
            raise RuntimeError("a bug")

        with publishing(path, start=False, url="mqtt://127.0.0.1") as (_, publisher):
            monkeypatch.setattr(publisher, "_connect_and_serve", broken)
            publisher.start()
            until(lambda: len(attempts) >= 3)
            assert "a bug" in publisher.statistics.last_error

    def test_stop_without_a_broker_is_quick_and_keeps_everything(self, path: Path) -> None:
        with publishing(path, url=f"mqtt://127.0.0.1:{free_port()}") as (outbox, publisher):
            raise_alerts(outbox, 2)
            assert publisher.stop(WAIT_S)
            assert outbox.counts.pending == 2

    def test_an_attempt_that_is_called_off_is_no_fault_of_the_broker(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with BlackHole() as hole, publishing(path, url=hole.url) as (_, publisher):
            with hole.accept():
                assert publisher.stop(WAIT_S)
            assert publisher.statistics.failed_connects == 0
        assert caplog.messages == []

    def test_a_missing_password_file_is_named(self, path: Path) -> None:
        settings = {"url": "mqtt://u@127.0.0.1", "password_file": "/nowhere/secret"}
        with publishing(path, **settings) as (_, publisher):
            assert publisher.first_connect(WAIT_S).reason.startswith(
                "mqtt.password_file /nowhere/secret: No such file"
            )

    def test_plaintext_over_a_network_warns(
        self, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        with publishing(path, start=False, url="mqtt://127.0.0.1"):
            assert not caplog.records
        network = {"url": "mqtt://u@example.org", "plaintext": True}
        with publishing(path, start=False, password_file="x", **network):
            assert "password" in caplog.text
            assert "mqtts://" in caplog.text


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"url": "http://host"}, "expected mqtt://host or mqtts://host"),
        ({"url": "localhost"}, "expected mqtt://host"),
        ({"url": "mqtt://"}, "expected mqtt"),
        ({"url": "mqtt://host/topic"}, "nothing else"),
        ({"url": "mqtt://host?x=1"}, "nothing else"),
        ({"url": "mqtt://host:0"}, "port"),
        ({"url": "mqtt://host:99999"}, "port"),
        ({"url": "mqtt://host:abc"}, "port"),
        ({"url": "mqtt://user:s3cret@host"}, "password_file"),
        ({"url": "tcp://user:s3cret@host"}, "expected mqtt://host"),
        ({"url": "mqtt://192.168.1.5"}, "mqtts://, or accept that with plaintext = true"),
        ({"url": "mqtt://localhost.example"}, "unencrypted"),
        ({"url": "mqtt://127.0.0.1.example"}, "unencrypted"),
        ({"base": "edge/#"}, "base topic"),
        ({"ca_file": "ca.pem"}, "mqtts://"),
        ({"url": "mqtts://h", "key_file": "k.pem"}, "cert_file"),
        ({"password_file": "x"}, "username"),
    ],
)
def test_settings_that_do_not_hold_are_refused(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        MqttSettings(**settings)  # type: ignore[arg-type]
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "endpoint", "loopback"),
    [
        ("mqtt://localhost", ("localhost", 1883, False, ""), True),
        ("mqtts://broker.example", ("broker.example", 8883, True, ""), False),
        ("mqtt://me@127.0.0.1:1900/", ("127.0.0.1", 1900, False, "me"), True),
        ("mqtts://a%40b@[::1]:1", ("::1", 1, True, "a@b"), True),
        ("mqtt://192.168.1.5", ("192.168.1.5", 1883, False, ""), False),
    ],
)
def test_urls_name_an_endpoint(url: str, endpoint: tuple[object, ...], loopback: bool) -> None:
    found = MqttSettings(url=url, plaintext=True).endpoint
    assert (found.host, found.port, found.tls, found.username) == endpoint
    assert found.loopback is loopback


def test_backoff_doubles_to_its_bound_and_a_stable_connection_ends_it() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.next_s() for _ in range(12)]
    for number, wait in enumerate(waits):
        ceiling = min(FIRST_S * 2**number, LONGEST_S)
        assert ceiling / 2 <= wait <= ceiling
    backoff.lasted(1.0)
    assert backoff.next_s() >= LONGEST_S / 2
    backoff.lasted(60.0)
    assert backoff.next_s() <= FIRST_S


def pending(seq: int) -> PendingMessage:
    context = MessageContext("p1", "d", "", lambda stream_ns: stream_ns)
    alert = Alert(f"a{seq}", AlarmKind.AF, AlarmType.PHYSIOLOGICAL, Priority.LOW, Phase.START, 0, 0)
    return PendingMessage(outbound(alert_message(alert, seq, context), Topics()), None)


def test_the_window_is_the_smaller_of_ours_and_the_brokers() -> None:
    assert Flight(65_535).room == WINDOW
    narrow = Flight(2)
    narrow.left(1, pending(1), 0)
    narrow.left(2, None, 0)
    assert narrow.room == 0
    assert narrow.scan(0) == 0
    assert not narrow.admits(pending(1).message.key)
    landed = narrow.landed(Ack(1, ""), 0)
    assert landed is not None
    assert narrow.landed(Ack(1, ""), 0) is None
    assert narrow.admits(pending(1).message.key)


def test_a_refused_topic_rests_and_comes_back() -> None:
    air = Flight(65_535)
    air.left(1, pending(1), 0)
    air.landed(Ack(1, "Not authorized"), 0)
    assert air.scan(1) == WINDOW
    assert air.resting == (pending(1).message.topic,)
    assert air.scan(flight.REFUSED_PAUSE_NS) == WINDOW
    assert air.resting == ()
    assert air.admits(pending(1).message.key)


def test_a_denied_topic_holds_no_other_up_however_much_waits_for_it(tmp_path: Path) -> None:
    denied, other = pending(1).message, replace(pending(1).message, topic="other", patient="p2")
    air = Flight(65_535)
    heard: list[str] = []
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        for seq in range(300):
            outbox.put(replace(denied, seq=seq))
        outbox.put(other)
        for now_ns in (1, 2):
            for each in outbox.pending(air.scan(now_ns), air.resting)[: air.room]:
                mid = len(heard)
                heard.append(each.message.topic)
                air.left(mid, each, now_ns)
            for mid in range(len(heard)):
                air.landed(Ack(mid, "" if heard[mid] == "other" else "Not authorized"), now_ns)
        assert heard == [denied.topic] * WINDOW + ["other"]


def test_a_topic_that_rests_is_passed_over_in_memory_as_well(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.close()
    outbox.put(pending(1).message)
    assert [each.message for each in outbox.pending(1)] == [pending(1).message]
    assert outbox.pending(1, [pending(1).message.topic]) == []


def test_while_it_connects_a_publisher_owes_no_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience_s: list[float] = []

    class Unreachable:
        def __init__(self, *_: object, **__: object) -> None:
            patience_s.append(publisher.pulse.state[1])
            raise CalledOffError

    monkeypatch.setattr("edge.publish.publisher.Session", Unreachable)
    with closing(Outbox(tmp_path / "outbox.sqlite")) as outbox:
        publisher = Publisher(MqttSettings(), outbox)
        publisher.start()
        until(lambda: bool(patience_s))
        publisher.stop(WAIT_S)
    assert patience_s[0] == math.inf


def test_an_unanswered_publish_is_overdue() -> None:
    air = Flight(65_535)
    assert not air.overdue(10**18)
    air.left(1, None, 0)
    assert not air.overdue(flight.ACK_TIMEOUT_NS)
    assert air.overdue(flight.ACK_TIMEOUT_NS + 1)


def test_of_retained_values_only_the_newest_is_kept() -> None:
    values = RetainedValues()
    old, new = Outgoing("t", b"old", 0, True, 60), Outgoing("t", b"new", 0, True, 60)
    assert not values.set(old, 0)
    assert values.set(new, 0)
    assert values.take(0) == new
    assert values.take(0) is None
    values.renew(59 * 10**9)
    assert values.take(0) == new
    values.renew(60 * 10**9)
    assert values.take(0) is None


def test_a_retained_value_of_qos_1_waits_for_room() -> None:
    values = RetainedValues()
    status, telemetry = Outgoing("s", b"", 1, True), Outgoing("t", b"", 0, True)
    values.set(status, 0)
    values.set(telemetry, 0)
    assert values.take(0) == telemetry
    assert values.take(0) is None
    assert values.waiting
    assert values.take(1) == status


def test_a_99th_percentile_needs_enough_samples() -> None:
    tally = Tally()
    assert tally.snapshot(0).put_to_puback.p50 is None
    tally.latency_ns.extend(n * 1_000_000 for n in range(MIN_SAMPLES_FOR_P99 - 1))
    latency = tally.snapshot(0).put_to_puback
    assert (latency.p99, latency.p50, latency.max) == (None, 330.0, 660.0)
    tally.latency_ns.append(10**9)
    assert tally.snapshot(0).put_to_puback.p99 == 655.0


def test_the_client_id_is_stable_distinct_and_within_mqtt_3_1_1() -> None:
    one = default_client_id("/a/outbox.db")
    assert one == default_client_id("/a/outbox.db")
    assert one != default_client_id("/b/outbox.db")
    assert len(one) <= 23
