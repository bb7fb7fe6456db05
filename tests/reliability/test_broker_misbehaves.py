"""A broker that never acknowledges, hangs up in mid-message, or sends what is no MQTT."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher, backoff, flight
from tests.patience import WAIT_S
from tests.reliability.mqtt_listener import Answer, MqttListener, acknowledge
from tests.reliability.workload import alert

ALERTS = 20


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "ACK_TIMEOUT_NS", 100_000_000)
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.05)


def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    for _ in range(int(timeout_s / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"not within {timeout_s:g} s")


@contextmanager
def publishing(path: Path, broker: MqttListener, protocol: int = 5) -> Iterator[Publisher]:
    outbox = Outbox(path)
    for seq in range(1, ALERTS + 1):
        outbox.put(alert("p1", seq))
    publisher = Publisher(MqttSettings(url=broker.url, protocol=protocol), outbox)  # type: ignore[arg-type]
    publisher.start()
    try:
        yield publisher
        until(lambda: outbox.counts.pending == 0)
        assert outbox.counts.delivered == ALERTS
        copies = Counter(each["seq"] for each in broker.received)
        assert copies.keys() == set(range(1, ALERTS + 1))
        assert all(each["id"] == f"alarm-{each['seq']}" for each in broker.received)
    finally:
        publisher.stop(0.0)
        outbox.close()


def mends_after(misbehaves: Answer, connections: int, broker: MqttListener) -> Answer:
    """An answer that is wrong on the first connections only."""

    def answer(number: int, packet_id: int) -> bytes | None:
        wrong = broker.connections <= connections
        return (misbehaves if wrong else acknowledge)(number, packet_id)

    return answer


def silent(_number: int, _packet_id: int) -> bytes:
    return b""


def hangs_up_at_once(_number: int, _packet_id: int) -> None:
    return None


def hangs_up_within_an_answer(number: int, packet_id: int) -> bytes | None:
    return None if number else acknowledge(0, packet_id)[:3]


def hangs_up_after_some(number: int, packet_id: int) -> bytes | None:
    return acknowledge(number, packet_id) if number < 3 else None


def acknowledges_another(_number: int, packet_id: int) -> bytes:
    return acknowledge(0, packet_id ^ 0x4000)


def acknowledges_nothing_at_all(_number: int, _packet_id: int) -> bytes:
    return bytes([0x40, 0])


def claims_a_long_answer(_number: int, _packet_id: int) -> bytes:
    return bytes([0x40, 0xFF, 0xFF, 0xFF, 0x7F]) + bytes(1000)


def claims_a_length_without_end(_number: int, _packet_id: int) -> bytes:
    return bytes([0x40]) + b"\xff" * 16


def connects_again(_number: int, _packet_id: int) -> bytes:
    return bytes([0x20, 3, 0, 0, 0])


def sends_a_reserved_packet(_number: int, _packet_id: int) -> bytes:
    return bytes([0x00, 0])


def answers_a_subscription(_number: int, _packet_id: int) -> bytes:
    return bytes([0x90, 4, 0, 1, 0, 0])


def publishes_to_us(_number: int, _packet_id: int) -> bytes:
    return bytes([0x30, 6, 0, 3]) + b"a/b\x00"


def publishes_an_empty_packet(_number: int, _packet_id: int) -> bytes:
    return bytes([0x32, 0])


def disconnects_with_garbage(_number: int, _packet_id: int) -> bytes:
    return bytes([0xE0, 3, 0x80, 0x7F, 0x01])


MISBEHAVIOURS = [
    silent,
    hangs_up_at_once,
    hangs_up_within_an_answer,
    hangs_up_after_some,
    acknowledges_another,
    acknowledges_nothing_at_all,
    claims_a_long_answer,
    claims_a_length_without_end,
    connects_again,
    sends_a_reserved_packet,
    answers_a_subscription,
    publishes_to_us,
    publishes_an_empty_packet,
    disconnects_with_garbage,
]


@pytest.mark.parametrize("misbehaves", MISBEHAVIOURS)
def test_everything_arrives_once_the_broker_behaves(
    misbehaves: Answer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with MqttListener() as broker:
        broker.answer = mends_after(misbehaves, 2, broker)
        with publishing(tmp_path / "outbox.db", broker) as publisher:
            until(lambda: broker.connections >= 3)
            assert publisher.statistics.lost_connections + publisher.statistics.failed_connects
    assert not [each for each in caplog.records if each.exc_info], caplog.text


@pytest.mark.parametrize("protocol", [5, 311])
def test_no_bytes_of_a_broker_end_the_publisher(
    protocol: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(3)

    def babbles(_number: int, packet_id: int) -> bytes:
        first = chance.choice([0x20, 0x32, 0x40, 0x50, 0x62, 0x90, 0xB0, 0xD0, 0xE0, 0xF0])
        body = chance.choice([packet_id.to_bytes(2, "big"), b""]) + chance.randbytes(
            chance.randint(0, 12)
        )
        return bytes([first, len(body)]) + body

    with MqttListener() as broker:
        broker.answer = mends_after(babbles, 20, broker)
        with publishing(tmp_path / "outbox.db", broker, protocol):
            until(lambda: broker.connections >= 21)
    assert not [each for each in caplog.records if each.exc_info], caplog.text


def test_what_the_broker_does_not_acknowledge_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with (
        MqttListener(silent) as broker,
        publishing(tmp_path / "outbox.db", broker) as publisher,
    ):
        until(lambda: publisher.statistics.lost_connections >= 3)
        assert publisher.statistics.acked < ALERTS
        assert "does not acknowledge" in caplog.text
        broker.answer = acknowledge
