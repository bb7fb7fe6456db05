"""A broker of a few lines that takes what comes, and misbehaves when told to.

It speaks as much MQTT 5 and 3.1.1 as a publisher needs: CONNECT, PUBLISH at QoS 0 and 1, PINGREQ.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from tests.patience import WAIT_S

CONNACK = {4: bytes([0x20, 2, 0, 0]), 5: bytes([0x20, 3, 0, 0, 0])}
"""By protocol level: 4 is MQTT 3.1.1."""
LEVEL_AT = 6
CONNECT, PUBLISH, PINGREQ, DISCONNECT = 1, 3, 12, 14

Answer = Callable[[int, int], bytes | None]
"""(number of the alert on this connection, its packet id) to what is sent; None hangs up."""


def acknowledge(_number: int, packet_id: int) -> bytes:
    """PUBACK, success."""
    return bytes([0x40, 2]) + packet_id.to_bytes(2, "big")


class MqttListener:
    """Listens on a free loopback port. answer: what an alert is answered with."""

    def __init__(self, answer: Answer = acknowledge) -> None:
        self.answer = answer
        self.received: list[dict[str, Any]] = []
        """Payloads on topics that end in `/alert`, in the order of their arrival."""
        self.connections = 0
        self._peers: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._server.getsockname()[1])
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for peer in list(self._peers):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_S)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.add(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        alerts, level = 0, 5
        with peer, contextlib.suppress(OSError):
            for kind, flags, body in _packets(peer):
                if kind == CONNECT:
                    level = body[LEVEL_AT]
                    peer.sendall(CONNACK[level])
                elif kind == PINGREQ:
                    peer.sendall(bytes([0xD0, 0]))
                elif kind == DISCONNECT:
                    break
                elif kind == PUBLISH:
                    topic, packet_id, payload = _publish(flags, body, level)
                    reply: bytes | None = acknowledge(0, packet_id) if packet_id else b""
                    if topic.endswith("/alert"):
                        self.received.append(json.loads(payload))
                        reply = self.answer(alerts, packet_id)
                        alerts += 1
                    if reply is None:
                        break
                    peer.sendall(reply)
        self._peers.discard(peer)


def _packets(peer: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and body of each packet (MQTT 5, 2.1)."""
    stream = peer.makefile("rb")
    while first := stream.read(1):
        length = shift = 0
        while True:
            byte = stream.read(1)
            if not byte:
                return
            length |= (byte[0] & 0x7F) << shift
            shift += 7
            if not byte[0] & 0x80:
                break
        body = stream.read(length)
        if len(body) < length:
            return
        yield first[0] >> 4, first[0] & 0xF, body


def _publish(flags: int, body: bytes, level: int) -> tuple[str, int, bytes]:
    """Topic, packet id (0 at QoS 0) and payload of a PUBLISH (MQTT 5, 3.3)."""
    at = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:at].decode()
    packet_id = 0
    if flags & 0b110:
        packet_id = int.from_bytes(body[at : at + 2], "big")
        at += 2
    if level < 5:
        return topic, packet_id, body[at:]
    length = body[at]
    assert length < 0x80, "properties longer than the tests send"
    return topic, packet_id, body[at + 1 + length :]


__all__ = ["MqttListener", "acknowledge"]
