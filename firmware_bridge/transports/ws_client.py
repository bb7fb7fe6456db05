"""A WebSocket that edge opens, as a transport."""

from __future__ import annotations

import contextlib
import ssl
import time

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as upgrade

from firmware_bridge.bridge_protocol import MESSAGE_BYTES_MAX
from firmware_bridge.errors import SourceError, TransientSourceError
from firmware_bridge.stream import Packet
from firmware_bridge.transports.no_log import QUIET
from firmware_bridge.transports.sockets import Endpoint, connect, hang_up

__all__ = ["WsTransport"]

CONNECT_S = 10.0
CLOSE_S = 0.5
PING_EVERY_S, PING_TIMEOUT_S = 5, 10


class WsTransport:
    """Binary messages of a WebSocket that this side opens; each is one packet.

    path: with its leading slash. token: sent as `Authorization: Bearer` where it is not empty.
    channel: given to all packets, for decoders of notifications. tls: for wss.
    """

    def __init__(
        self,
        to: Endpoint,
        path: str,
        token: str = "",
        channel: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._to = to
        self._path = path
        self._token = token
        self._channel = channel
        self._tls = tls
        self._connection: ClientConnection | None = None

    @property
    def name(self) -> str:
        """The address that it calls."""
        return f"{'wss' if self._tls else 'ws'}://{self._to}{self._path}"

    def open(self) -> None:
        """Connect, in 10 s at most for each of both handshakes."""
        self.close()
        link = connect(self._to, CONNECT_S)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            self._connection = upgrade(
                self.name,
                sock=link,
                ssl=self._tls,
                additional_headers=headers,
                proxy=None,
                compression=None,
                open_timeout=CONNECT_S,
                close_timeout=CLOSE_S,
                ping_interval=PING_EVERY_S,
                ping_timeout=PING_TIMEOUT_S,
                max_size=MESSAGE_BYTES_MAX,
                logger=QUIET,
            )
        except InvalidStatus as error:
            hang_up(link)
            raise _refused(self.name, error.response.status_code) from error
        except (InvalidHandshake, InvalidMessage, ConnectionClosed, EOFError) as error:
            hang_up(link)
            raise SourceError(f"{self.name} is no WebSocket: {error}") from error
        except ssl.SSLError as error:
            hang_up(link)
            raise SourceError(f"{self.name}: no secure connection: {error.reason}") from error
        except (OSError, TimeoutError) as error:
            hang_up(link)
            raise TransientSourceError(f"{self.name} does not answer: {error}") from error

    def read(self, timeout_s: float) -> Packet | None:
        """The next message; text messages are passed over."""
        connection = self._connection
        if connection is None:
            raise TransientSourceError(f"{self.name} is closed; open it before reading")
        try:
            message = connection.recv(timeout_s)
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise TransientSourceError(f"{self.name}: connection closed: {error}") from error
        if not isinstance(message, bytes) or not message:
            return None
        return Packet(message, time.monotonic_ns(), self._channel)

    def write(self, data: bytes) -> None:
        """Send one binary message."""
        connection = self._connection
        if connection is None:
            raise TransientSourceError(f"{self.name} is closed; open it before writing")
        try:
            connection.send(data)
        except (ConnectionClosed, OSError) as error:
            raise TransientSourceError(f"{self.name} takes no bytes: {error}") from error

    def close(self) -> None:
        """Close; a `read` in another thread ends soon."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # half closed, broken or gone: all the same
                connection.close()


def _refused(name: str, status: int) -> SourceError:
    if status in (401, 403):
        return SourceError(f"{name} refuses (HTTP {status}): wrong token= or none")
    if status == 404:
        return SourceError(f"{name}: there is no WebSocket at this path (HTTP 404)")
    if status == 421:
        return SourceError(
            f"{name}: the far side does not go by this name (HTTP 421); use its IP address, "
            f"or give the source there host=NAME"
        )
    return TransientSourceError(f"{name} refuses for now (HTTP {status})")
