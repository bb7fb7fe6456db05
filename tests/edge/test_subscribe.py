"""The plain subscriber, and a broker that refuses it."""

from __future__ import annotations

import socket
import threading

import pytest

from edge.errors import BrokerError
from edge.mqtt_settings import MqttSettings
from edge.subscribe import Subscriber
from tests.mosquitto import BlackHole
from tests.patience import WAIT_S

ACCEPTED = {5: bytes([0x20, 3, 0, 0, 0]), 311: bytes([0x20, 2, 0, 0])}
REFUSED = {5: (b"\0", 0x87), 311: (b"", 0x80)}
"""What stands before the reason code, and that: not authorized, and plain failure."""


def refuse_subscription(broker: BlackHole, protocol: int) -> None:
    """Accept a connection, and answer its subscription with a refusal, as an access list has it."""
    with broker.accept() as peer:
        peer.settimeout(WAIT_S)
        peer.recv(4096)
        peer.sendall(ACCEPTED[protocol])
        message_id = peer.recv(4096)[2:4]
        properties, code = REFUSED[protocol]
        body = message_id + properties + bytes([code])
        peer.sendall(bytes([0x90, len(body)]) + body)
        until_closed(peer)


def until_closed(peer: socket.socket) -> None:
    while peer.recv(4096):
        pass


@pytest.mark.parametrize("protocol", [5, 311])
def test_a_refused_subscription_is_said(protocol: int) -> None:
    with BlackHole() as broker:
        thread = threading.Thread(target=refuse_subscription, args=(broker, protocol))
        thread.start()
        settings = MqttSettings(url=broker.url, protocol=5 if protocol == 5 else 311)
        refused = r"accepts no subscriber: edge/p1/alert: .*\(check its access list\)"
        with (
            pytest.raises(BrokerError, match=refused),
            Subscriber(settings, "edge/p1/alert", lambda *_: None),
        ):
            pass
        thread.join(WAIT_S)
        assert not thread.is_alive()
