"""What paho is handed for a message, and where many files are open."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.clock import SystemClock
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish.exchange import Exchange, Waiting
from edge.publish.packets import publish_properties
from edge.publish.session import Outgoing, Session
from edge.publish.statistics import Tally
from tests.mosquitto import BlackHole, Mosquitto, needs_mosquitto
from tests.patience import WAIT_S

SELECT_MAX = 1024
"""File descriptors that `select` can name."""

STATE = Outgoing("edge/p1/state", b"{}", 0, True, expiry_s=60)


def fields(message: Outgoing) -> dict[str, object]:
    """The properties as the receiver reads them."""
    read = Properties(PacketTypes.PUBLISH)
    read.unpack(publish_properties(message).pack())
    return dict(read.json())


def test_messages_alike_share_their_properties() -> None:
    other = Outgoing("edge/p2/state", b"{...}", 0, True, expiry_s=60)
    assert publish_properties(STATE) is publish_properties(other)
    assert fields(STATE) == {
        "PayloadFormatIndicator": 1,
        "MessageExpiryInterval": 60,
        "ContentType": "application/json",
    }


@pytest.mark.parametrize(
    ("message", "differs"),
    [
        (Outgoing("t", b"", 0, expiry_s=30), {"MessageExpiryInterval": 30}),
        (Outgoing("t", b"", 0, content_type="image/png"), {"ContentType": "image/png"}),
        (
            Outgoing("t", b"", 1, user_properties=(("schema", "alert"),)),
            {"UserProperty": [("schema", "alert")]},
        ),
        (Outgoing("t", b"", 0, response_topic="here"), {"ResponseTopic": "here"}),
        (Outgoing("t", b"", 0, correlation_data=b"\x01"), {"CorrelationData": "01"}),
    ],
)
def test_messages_that_differ_do_not(message: Outgoing, differs: dict[str, object]) -> None:
    publish_properties(STATE)
    assert differs.items() <= fields(message).items()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Every file descriptor that `select` can name is taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SELECT_MAX + 256
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the system allows {hard} open files only")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < SELECT_MAX:
        taken.append(os.dup(taken[0]))
    yield
    for each in taken:
        os.close(each)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class NothingWaits(Outbox):
    """An outbox without a file."""

    def __init__(self) -> None:
        pass


def test_a_farewell_waits_for_the_broker_and_not_for_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that nobody reads any more keeps `wake` readable."""
    ours, theirs = socket.socketpair()
    with BlackHole() as broker, ours, theirs, ThreadPoolExecutor(1) as far_end:
        accepted = far_end.submit(accepting, broker)
        session = Session(MqttSettings(url=broker.url), "edge-test", None, SystemClock(), ours)
        exchange = Exchange(session, Waiting(NothingWaits()), Tally(), SystemClock(), print)
        waited_for: list[list[socket.socket]] = []
        wait = session._wait

        def spied(timeout_s: float, others: list[socket.socket]) -> None:
            waited_for.append(others)
            wait(timeout_s, others)

        monkeypatch.setattr(session, "_wait", spied)
        theirs.send(b"\0")
        with accepted.result(WAIT_S):
            exchange.farewell(Outgoing("t", b"{}", 1), 0.1)
        session.close()
    assert waited_for
    assert not any(waited_for)


def accepting(broker: BlackHole) -> socket.socket:
    """A broker's end of a connection, which was accepted and is then ignored."""
    peer = broker.accept()
    peer.recv(4096)
    peer.sendall(bytes([0x20, 3, 0, 0, 0]))  # CONNACK, success, no properties
    return peer


@needs_mosquitto
def test_a_gateway_with_a_thousand_open_files_publishes(many_files: None) -> None:
    ours, theirs = socket.socketpair()
    with Mosquitto() as broker, ours, theirs:
        session = Session(MqttSettings(url=broker.url), "edge-test", None, SystemClock(), ours)
        try:
            assert ours.fileno() >= SELECT_MAX
            mid = session.publish(Outgoing("t", b"{}", 1))
            answers = (session.serve(WAIT_S) for _ in range(10))
            assert [ack.mid for ack in next(filter(None, answers))] == [mid]
        finally:
            session.close()
