"""One port that serves the bridge page and takes WebSockets, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.protocol import State

from firmware_bridge.bridge_protocol import MESSAGE_BYTES_MAX
from firmware_bridge.errors import SourceError
from firmware_bridge.transports.no_log import QUIET
from firmware_bridge.transports.page_files import page_file, security_headers
from firmware_bridge.transports.web_origin import is_own_origin, reached_by_own_name

__all__ = ["Handler", "Refusal", "WsServer"]

CONNECTIONS_MAX = 24
HANDSHAKE_S = 5.0
PING_EVERY_S = 5.0
PING_TIMEOUT_S = 10.0
CLOSE_S = 0.5
QUEUED_MESSAGES = 4
START_S = 10.0
ANSWER_S = 3.0
STOP_S = 3.0

Handler = Callable[[ServerConnection], Awaitable[None]]
Refusal = tuple[HTTPStatus, str]
Admission = Callable[[Request, str], Refusal | None]
"""Takes a request for a WebSocket and the address it came from; why it is refused, or None."""


class WsServer:
    """Serves until stopped. handlers: by path. admission: judges requests for a WebSocket.

    delivers: whether a connection is the one that delivers, which never gives way to others.
    names: by which this machine may be called. no_page: text instead of the page, where the
    source has no use for one.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        admission: Admission,
        delivers: Callable[[ServerConnection], bool],
        names: frozenset[str],
        tls: ssl.SSLContext | None = None,
        no_page: str = "",
    ) -> None:
        self._handlers = handlers
        self._admission = admission
        self._delivers = delivers
        self._names = names
        self._tls = tls
        self._no_page = no_page
        self._connected: list[ServerConnection] = []
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._listening: socket.socket | None = None
        self._fault: Exception | None = None

    def start(self, listening: socket.socket) -> None:
        """Serve on a listening socket, which it then owns. Raises SourceError if it cannot."""
        self._listening = listening
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name="bridge page", daemon=True
        )
        self._thread.start()
        in_time = self._started.wait(START_S)
        if self._fault is not None or not in_time:
            self.stop()
            raise SourceError(f"the bridge cannot serve: {self._fault or 'it does not start'}")

    def answers(self, timeout_s: float = ANSWER_S) -> bool:
        """Whether its thread lives and turns to new work within this time."""
        if self._thread is None or not self._thread.is_alive():
            return False
        answered = threading.Event()
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(answered.set)
        return answered.wait(timeout_s)

    def abandon(self) -> None:
        """Leave a thread that hangs to itself, and its port to another server."""
        self.stop()
        if self._listening is not None:
            self._listening.close()

    def stop(self) -> None:
        """Tell all clients that it goes away, and end the thread; waits 3 s at most."""
        if self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(STOP_S)
        self._thread = None

    def _run(self, listening: socket.socket) -> None:
        try:
            self._loop.run_until_complete(self._serve(listening))
        except Exception as error:  # said by `start`, in the thread that waits there
            self._fault = error
        finally:
            self._loop.close()
            listening.close()
            self._started.set()

    async def _serve(self, listening: socket.socket) -> None:
        async with serve(
            self._handle,
            sock=listening,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_S if self._tls else None,
            ssl_shutdown_timeout=CLOSE_S if self._tls else None,
            process_request=self._answer,
            create_connection=self._bounded(),
            compression=None,
            server_header=None,
            open_timeout=HANDSHAKE_S,
            ping_interval=PING_EVERY_S,
            ping_timeout=PING_TIMEOUT_S,
            close_timeout=CLOSE_S,
            max_size=MESSAGE_BYTES_MAX,
            max_queue=QUEUED_MESSAGES,
            logger=QUIET,
        ):
            self._started.set()
            await self._stopped.wait()
            for each in self._connected:  # closing waits for handshakes, which may never end
                if each.state is State.CONNECTING:
                    each.transport.abort()

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        await self._handlers[_path(connection.request)](connection)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """A page file, a refusal, or None: the WebSocket may open."""
        hosts = request.headers.get_all("Host")
        if len(hosts) != 1 or not reached_by_own_name(hosts[0], self._names):
            return _text(HTTPStatus.MISDIRECTED_REQUEST, WRONG_NAME)
        if _path(request) not in self._handlers:
            return self._file(request, hosts[0])
        origins = request.headers.get_all("Origin")
        if origins and not (len(origins) == 1 and is_own_origin(origins[0], hosts[0])):
            return _text(HTTPStatus.FORBIDDEN, "only the page of this very address may connect\n")
        refusal = self._admission(request, _address(connection))
        return _text(*refusal) if refusal else None

    def _file(self, request: Request, host: str) -> Response:
        found = page_file(request.path)
        if found is None:
            return _text(HTTPStatus.NOT_FOUND, "there is no such page; open /\n")
        if self._no_page:
            return _text(HTTPStatus.NOT_FOUND, self._no_page)
        return _response(HTTPStatus.OK, *found, security_headers(host))

    def _bounded(self) -> type[ServerConnection]:
        """Connections that know how many they are; the oldest that delivers nothing gives way."""
        connected, delivers = self._connected, self._delivers

        class Bounded(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                connected.append(self)
                staying = [each for each in connected if not each.transport.is_closing()]
                if len(staying) > CONNECTIONS_MAX:
                    idle = (each for each in staying if not delivers(each))
                    next(idle, self).transport.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                connected.remove(self)
                super().connection_lost(exc)

        return Bounded


WRONG_NAME = (
    "This address is not known here. Open the page by the IP address of the machine, or add "
    "host=NAME to the source.\n"
)


def _path(request: Request) -> str:
    return request.path.partition("?")[0]


def _address(connection: ServerConnection) -> str:
    peer = connection.remote_address
    return str(peer[0]) if peer else ""


def _text(status: HTTPStatus, words: str) -> Response:
    return _response(status, words.encode(), "text/plain; charset=utf-8", {})


def _response(status: HTTPStatus, body: bytes, media_type: str, more: dict[str, str]) -> Response:
    headers = Headers(
        {
            "Content-Type": media_type,
            "Content-Length": str(len(body)),
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            **more,
        }
    )
    return Response(status.value, status.phrase, headers, body)
