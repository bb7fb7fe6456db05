"""Hands bytes on between a client and a server, and keeps what the client sent."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
APPLICATION_DATA = 23
ALERT_AT_MOST = 19
"""Bytes of a TLS 1.3 record that hides an alert: two of alert, one of type, sixteen of tag. The
smallest that could hold a CONNECT of MQTT is longer, and so is the end of a handshake."""


class RecordingProxy:
    """Listens on a port of its own on the loopback interface, for one server there."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._streams: list[bytearray] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        for each in list(self._open):
            _close(each)

    @property
    def connections(self) -> int:
        """How many have come."""
        return len(self._streams)

    @property
    def application_bytes(self) -> int:
        """What clients sent under the cover of TLS, alerts left out: upper bound of MQTT bytes."""
        return sum(_application_bytes(bytes(each)) for each in list(self._streams))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                stream = bytearray()
                self._streams.append(stream)
                self._connect(client, stream)

    def _connect(self, client: socket.socket, stream: bytearray) -> None:
        try:
            server = socket.create_connection((HOST, self._server_port))
        except OSError:
            client.close()
            return
        self._open += [client, server]
        for source, target, kept in ((client, server, stream), (server, client, bytearray())):
            threading.Thread(target=_hand_on, args=(source, target, kept), daemon=True).start()


def _hand_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    """Until the source ends; what the target still has to say gets through."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
        return
    _close(source)
    _close(target)


def _close(each: socket.socket) -> None:
    """Also ends a `recv` of another thread."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def _application_bytes(stream: bytes) -> int:
    """Total length of records of application data (RFC 8446, 5.1), what is no TLS included."""
    total = position = 0
    while position + 5 <= len(stream):
        kind, version, length = struct.unpack_from(">BHH", stream, position)
        if version >> 8 != 3:
            return total + len(stream) - position
        if kind == APPLICATION_DATA and length > ALERT_AT_MOST:
            total += length
        position += 5 + length
    return total
