"""The page's port, in a thread and an event loop of its own, and the bounds of its connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from edge.errors import EdgeError
from edge.view.requests import REQUEST_BYTES_MAX
from edge.worker import Worker

__all__ = ["BoundedListener", "ViewServer"]

CONNECTIONS_MAX = 64
"""Room for 16 viewers, and for what browsers open besides for the files of the page."""
ADDRESS_CONNECTIONS_MAX = 32
"""Of one address, so that none can take all; a proxy in front is one address, too."""
REQUEST_S = 10.0
"""A connection that has not asked for anything, or anything more, by then is closed."""
HANDSHAKE_S = 5.0
"""What TLS may take to begin: until then a connection counts, and asks nothing."""
PING_S = 8.0
"""How often a viewer is asked for a sign of life, and how long it may take."""
WRITE_BYTES_MAX = 1 << 20
FRAGMENTS_MAX = 64
START_S = 10.0
STOP_S = 3.0
POLL_S = 0.1
HEADER_BYTES_MAX = 16_384

log = logging.getLogger(__name__)


class ViewServer(Worker):
    """Serves an application until stopped. beside: runs in the same loop, as long as it."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        tls: ssl.SSLContext | None,
        beside: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__("view")
        self._listening = listening
        self._beside = beside
        config = uvicorn.Config(
            app,
            http=_Http,
            ws=_WebSocket,
            ws_max_size=REQUEST_BYTES_MAX,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            ws_per_message_deflate=False,
            lifespan="off",
            loop="asyncio",
            interface="asgi3",
            log_config=None,
            log_level=logging.CRITICAL + 1,  # its lines may name what a request carries
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = tls
        self._config = config
        self._started = threading.Event()
        self._fault: Exception | None = None

    def start(self) -> None:
        """Serve. Raises EdgeError where that cannot be."""
        super().start()
        if not self._started.wait(START_S) or self._fault:
            raise EdgeError(f"view: the page cannot be served: {self._fault or 'it hangs'}")

    def stop(self) -> None:
        """End the thread; waits 3 s at most."""
        self._closing.set()
        self._join(STOP_S)
        self._listening.close()

    def _run(self) -> None:
        try:
            with BoundedListener.over(self._listening.dup()) as listener:
                try:
                    with asyncio.Runner(loop_factory=_Loop) as runner:
                        runner.run(self._serve(listener))
                finally:
                    listener.hang_up()
        except Exception as error:  # a defect of the page's ends the page, nothing else
            self._fault = error
            log.exception("the live page has ended")
        finally:
            self._started.set()

    async def _serve(self, listener: BoundedListener) -> None:
        server = uvicorn.Server(self._config)
        beside = asyncio.ensure_future(self._beside())
        serving = asyncio.ensure_future(server.serve([listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        self._started.set()
        while not (self._closing.is_set() or beside.done() or serving.done()):
            self.pulse.beat()
            await asyncio.sleep(POLL_S)
        server.should_exit = True
        await serving
        if beside.done():
            beside.result()
        beside.cancel()


class BoundedListener(socket.socket):
    """A listening socket that hangs up on whoever would be one too many.

    Bounds also what has not got as far as a request, such as TLS handshakes.
    """

    @classmethod
    def over(cls, listening: socket.socket) -> BoundedListener:
        """Takes over a socket that listens."""
        made = cls(listening.family, listening.type, listening.proto, listening.detach())
        made._open = []
        return made

    _open: list[tuple[socket.socket, str]]

    def hang_up(self) -> None:
        """On all whose connection is open yet, for nobody will answer them."""
        for connection, _ in self._open:
            connection.close()

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises ConnectionAbortedError where there are too many."""
        connection, address = super().accept()
        self._open = [each for each in self._open if each[0].fileno() >= 0]
        host = str(address[0])
        of_host = sum(each[1] == host for each in self._open)
        if len(self._open) >= CONNECTIONS_MAX or of_host >= ADDRESS_CONNECTIONS_MAX:
            connection.close()
            raise ConnectionAbortedError
        self._open.append((connection, host))
        return connection, address


class _Loop(asyncio.SelectorEventLoop):
    """Waits for a TLS handshake for less than a minute, which uvicorn has no setting for."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """As asyncio does."""
        if options.get("ssl"):
            options["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*args, **options)


class _Http(H11Protocol):
    """Waits for a request, and after each answer for the next one, for a while, not for ever."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_request()

    def _wait_for_request(self) -> None:
        if self._due:
            self._due.cancel()
        self._due = self.loop.call_later(REQUEST_S, self._asked_too_late)

    def _asked_too_late(self) -> None:
        if self in self.connections:  # else it is closed, or a WebSocket by now
            self.transport.abort()


class _WebSocket(WebSocketsSansIOProtocol):
    """Lets go of a viewer that sleeps, sends pieces without end, or never reads its pongs."""

    def keepalive_timeout(self) -> None:
        self.transport.abort()

    def handle_ping(self) -> None:
        super().handle_ping()
        if self.transport.get_write_buffer_size() > WRITE_BYTES_MAX:
            self.transport.abort()

    def handle_cont(self, event: Any) -> None:
        super().handle_cont(event)
        if len(self.frames) > FRAGMENTS_MAX:
            self.transport.abort()
