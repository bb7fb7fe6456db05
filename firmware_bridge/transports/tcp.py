"""`tcp://` sources: bytes of a network bridge, which edge calls or which calls edge."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from firmware_bridge.devices import make_decoder
from firmware_bridge.errors import TransientSourceError
from firmware_bridge.protocols import GattDevice, Transport
from firmware_bridge.source import Source, SourceUri
from firmware_bridge.source_uri import SCHEMES
from firmware_bridge.stream import Packet
from firmware_bridge.transports.sockets import Endpoint, connect, hang_up, limit_waits
from firmware_bridge.transports.tcp_listener import READ_BYTES, WRITE_S, TcpListener, greeting
from firmware_bridge.transports.token_gate import required_token

__all__ = ["TcpTransport", "open_tcp"]

CONNECT_S = 10.0


class TcpTransport:
    """Bytes of a TCP connection that this side opens.

    token: sent as the first line, `EDGE token`, where it is not empty. channel: given to all
    packets, for decoders of notifications.
    """

    def __init__(self, to: Endpoint, token: str = "", channel: str = "") -> None:
        self._to = to
        self._token = token
        self._channel = channel
        self._socket: socket.socket | None = None
        self._in_use = threading.Lock()
        self._closing = False
        self._wait_s: float | None = None

    @property
    def name(self) -> str:
        """The address that it calls."""
        return f"tcp://{self._to}"

    def open(self) -> None:
        """Connect, in 10 s at most. Raises as `sockets.connect` does."""
        self.close()
        opened = connect(self._to, CONNECT_S)
        with self._in_use:
            self._socket, self._closing, self._wait_s = opened, False, None
        if self._token:
            self.write(greeting(self._token))

    def read(self, timeout_s: float) -> Packet | None:
        """What has arrived, waiting up to `timeout_s` for the first byte."""
        with self._in_use:
            link = self._socket
            if link is None or self._closing:
                raise TransientSourceError(f"{self.name} is closed; open it before reading")
            try:
                if timeout_s != self._wait_s:
                    limit_waits(link, timeout_s, WRITE_S)
                    self._wait_s = timeout_s
                data = link.recv(READ_BYTES)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise TransientSourceError(
                    f"{self.name}: connection lost: {error.strerror or error}"
                ) from error
        if not data:
            raise TransientSourceError(f"{self.name}: the other side closed the connection")
        return Packet(data, time.monotonic_ns(), self._channel)

    def write(self, data: bytes) -> None:
        """Send bytes; raises TransientSourceError where the other side does not take them."""
        link = self._socket
        if link is None:
            raise TransientSourceError(f"{self.name} is closed; open it before writing")
        try:
            link.sendall(data)
        except OSError as error:
            raise TransientSourceError(f"{self.name} takes no bytes: {error}") from error

    def close(self) -> None:
        """Hang up; a `read` in another thread returns or raises at once."""
        link = self._socket
        if link is None:
            return
        self._closing = True
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
        with self._in_use:
            self._socket = None
            hang_up(link)


def open_tcp(uri: SourceUri) -> Source:
    """Source of `tcp://HOST:PORT?device=native[&listen=1][&token=...]`; not opened yet."""
    at = Endpoint.parse(uri.target, "tcp")
    device = uri.get("device", "native")
    decoder = make_decoder(device, **SCHEMES["tcp"].of_device(uri))
    channel = decoder.gatt.data[0] if isinstance(decoder, GattDevice) else ""
    token = uri.get("token", "")
    transport: Transport
    if "listen" in uri.options:
        transport = TcpListener(at, required_token(token, at, "tcp"), channel)
        description = f"{device} from whom calls {transport.name}"
    else:
        transport = TcpTransport(at, token, channel)
        description = f"{device} at {transport.name}"
    listens = "&listen=1" if "listen" in uri.options else ""
    return Source(
        uri=f"tcp://{at}?device={device}{listens}",
        transport=transport,
        decoder=decoder,
        finite=False,
        description=description,
    )
