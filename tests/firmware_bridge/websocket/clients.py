"""The page over a real WebSocket, and a port that waits for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from typing import Any

import pytest

pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from firmware_bridge.bridge_protocol import profile
from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.errors import NotInReachError
from firmware_bridge.stream import Packet
from firmware_bridge.transports.sockets import Endpoint
from firmware_bridge.transports.ws_listener import WsListener
from firmware_bridge.watchdog import LinkTiming
from tests.firmware_bridge.bridge_page_model import CONNECTED, PageModel
from tests.firmware_bridge.devices.polar_h10_wire import SPECIMENS
from tests.patience import WAIT_S

TOKEN = "correct-horse-battery"
SESSION = "0123456789abcdef"
HERE = Endpoint("127.0.0.1", 0)
H10 = SPECIMENS[0]
QUICK = LinkTiming(backoff_min_s=0.001, backoff_max_s=0.002, watch_s=0.001, poll_s=0.01)


def listening(device: str = "polar_h10", token: str = TOKEN, **more: Any) -> WsListener:
    """Open already, and nobody has come."""
    decoder = make_decoder(device)
    told = profile(device, decoder.gatt, decoder) if isinstance(decoder, PolarH10Decoder) else None
    made = WsListener(HERE, token, told, channel="data", wait_s=0.01, **more)
    with pytest.raises(NotInReachError):
        made.open()
    made._wait_s = WAIT_S
    return made


class Page:
    """The page over a real WebSocket: an outbox, and a connection that can be cut."""

    def __init__(self, port: int, token: str = TOKEN, session: str = SESSION) -> None:
        self.port, self.token, self.session = port, token, session
        self.outbox = PageModel()
        self.cursor = 0
        self.welcome: dict[str, Any] = {}
        self.commands: list[bytes] = []
        self.connection: ClientConnection | None = None

    def connect(self, *, device: bool = False, **fields: object) -> None:
        self.connection = connect(f"ws://127.0.0.1:{self.port}/bridge", proxy=None)
        hello = {"type": "hello", "version": 1, "session": self.session, "token": self.token}
        hello |= {"next": self.outbox.first, "device": device, **fields}
        self.connection.send(json.dumps(hello))
        self.welcome = json.loads(self.connection.recv(WAIT_S))
        self.outbox.acknowledge(self.welcome["next"])
        self.cursor = self.outbox.first

    def connect_device(self, bridge: WsListener) -> None:
        """Be welcomed with a device, and let the transport open on it."""
        self.connect()
        self.tell(CONNECTED, "Polar H10 12345678")
        self.send()
        bridge.open()

    def now_ms(self) -> float:
        return time.monotonic() * 1e3 + 5e6

    def notify(self, channel: str, content: bytes) -> None:
        self.outbox.add(self.now_ms(), content, channel=self.welcome["channels"].index(channel))

    def tell(self, kind: int, words: str) -> None:
        self.outbox.add(self.now_ms(), words.encode(), kind, 0)

    def send(self, count: int = 1000) -> None:
        assert self.connection is not None
        self.connection.send(self.outbox.message(self.now_ms(), self.cursor, count))
        self.cursor = min(self.cursor + count, self.outbox.next)

    def hear(self, kind: str = "ack") -> None:
        assert self.connection is not None
        while True:
            message = json.loads(self.connection.recv(WAIT_S))
            if message["type"] == "ack":
                self.outbox.acknowledge(message["next"])
            else:
                self.commands.append(bytes.fromhex(message["hex"]))
            if message["type"] == kind:
                return

    def cut(self) -> None:
        """As a network does that goes away: without a goodbye."""
        assert self.connection is not None
        with contextlib.suppress(OSError):
            self.connection.socket.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def close_code(self) -> tuple[int, str]:
        assert self.connection is not None
        try:
            while True:
                self.connection.recv(WAIT_S)
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


def data_of(bridge: WsListener, count: int) -> list[Packet]:
    got: list[Packet] = []
    deadline_s = time.monotonic() + WAIT_S
    while len(got) < count:
        assert time.monotonic() < deadline_s, f"{len(got)} of {count} packets came"
        packet = bridge.read(0.05)
        got += [packet] if packet else []
    return got


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found
