"""Conversations with those who connect by WebSocket: the bridge page, or a program."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.protocol import State

from firmware_bridge.bridge_inbox import BridgeInbox, DeviceChange
from firmware_bridge.bridge_protocol import (
    BridgeProtocolError,
    Hello,
    ack,
    decode_batch,
    is_bye,
    parse_hello,
    welcome,
    write,
)
from firmware_bridge.errors import NotInReachError
from firmware_bridge.stream import NS_PER_S, Packet
from firmware_bridge.transports.mailbox import Mailbox, Send
from firmware_bridge.transports.token_gate import TokenGate

__all__ = [
    "AGAIN",
    "BUSY",
    "MALFORMED",
    "PAGE_PATH",
    "RAW_PATH",
    "REPLACED",
    "WRONG_TOKEN",
    "WsClients",
]

PAGE_PATH, RAW_PATH = "/bridge", "/raw"
WRONG_TOKEN, BUSY, MALFORMED, REPLACED = 4001, 4002, 4003, 4004
"""Close codes of this protocol (4000 to 4999 are free for applications, RFC 6455, 7.4.2)."""
AGAIN = 1013
"""Try again later (registered with IANA): a page that is told so comes back by itself."""
HELLO_S = 5.0
WRITE_S = 2.0
ROOM_POLL_S = 0.05
SILENT_NS = 5 * NS_PER_S
"""A page speaks every 2 s; a client silent for so long gives way to another."""


@dataclass(eq=False, slots=True)
class _Seat:
    """The one client that delivers, and when it was last heard (monotonic, ns).

    count: of the connections of its session, where it is a page.
    """

    connection: ServerConnection
    session: str
    count: int
    heard_ns: int


class WsClients:
    """One client at a time delivers into the mailbox; all methods run in the server's loop.

    device_profile: as `bridge_protocol.profile` makes it; None where the device is not one for
    the page. channel: given to the packets of programs, which send one binary message a packet.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        gate: TokenGate,
        device_profile: Mapping[str, Any] | None,
        channel: str,
    ) -> None:
        self._mailbox = mailbox
        self._gate = gate
        self._profile = device_profile
        self._channels = tuple(device_profile["channels"]) if device_profile else ()
        self._channel = channel
        self._seat: _Seat | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.inbox = BridgeInbox()
        self.refused = 0

    def admission(self, request: Request, address: str) -> tuple[HTTPStatus, str] | None:
        """Judges who asks for a WebSocket; programs show their token here, the page later."""
        if self._gate.bars(address):
            return HTTPStatus.TOO_MANY_REQUESTS, "too many wrong tokens; wait a minute\n"
        if not request.path.startswith(RAW_PATH):
            return None
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        if not self._gate.admits(given, address):
            return HTTPStatus.UNAUTHORIZED, "this needs the header Authorization: Bearer TOKEN\n"
        return None

    def delivers(self, connection: ServerConnection) -> bool:
        """Whether it is the one that delivers."""
        return self._seat is not None and self._seat.connection is connection

    async def raw(self, connection: ServerConnection) -> None:
        """A program that sends a device's bytes, one binary message a packet."""

        async def send(data: bytes) -> None:
            await connection.send(data)

        if not await self._sit(connection, ""):
            return
        try:
            self._mailbox.put([DeviceChange(True, "")])
            self._mailbox.arrived(_sender(send))
            async for message in connection:
                if isinstance(message, bytes):
                    if not await self._room(connection):
                        return
                    self._mailbox.put([Packet(message, time.monotonic_ns(), self._channel)])
            self._end(connection, "its program closed the connection")
        finally:
            self._stand_up(connection)

    async def page(self, connection: ServerConnection) -> None:
        """A bridge page, from its hello to its end."""
        hello = await self._hello(connection)
        if hello is None or not await self._sit(connection, hello.session, hello.connection):
            return
        try:
            await self._converse(connection, hello)
        except BridgeProtocolError as error:
            await connection.close(MALFORMED, str(error)[:120])
        finally:
            self._stand_up(connection)

    async def _hello(self, connection: ServerConnection) -> Hello | None:
        address = str(connection.remote_address[0]) if connection.remote_address else ""
        try:
            first = await asyncio.wait_for(connection.recv(), HELLO_S)
            hello = parse_hello(first if isinstance(first, str) else "")
        except ConnectionClosed:
            return None
        except TimeoutError:  # a slow network, or nobody
            self._gate.count_wrong(address)
            await connection.close(AGAIN, "no hello came")
            return None
        except BridgeProtocolError as error:
            self._gate.count_wrong(address)
            await connection.close(MALFORMED, str(error)[:120])
            return None
        # A lone surrogate, which JSON may hold, is part of no token.
        if self._gate.admits(hello.token.encode(errors="surrogatepass"), address):
            return hello
        await connection.close(WRONG_TOKEN, "wrong token")
        return None

    async def _converse(self, connection: ServerConnection, hello: Hello) -> None:
        async def send(data: bytes) -> None:
            await connection.send(write(data))

        if self.inbox.begin(hello):
            self._mailbox.put([DeviceChange(False, "another page took over")])
            self._mailbox.put([DeviceChange(True, "")] if hello.device else [])
        await connection.send(welcome(self._profile or {}, self.inbox.next_number))
        self._mailbox.arrived(_sender(send))
        async for message in connection:
            arrived_ns = time.monotonic_ns()
            if isinstance(message, str):
                if is_bye(message):
                    self._end(connection, "its page was closed")
                return
            batch = decode_batch(message, self._channels)
            if not await self._room(connection):
                return
            self._mailbox.put(self.inbox.take(batch, arrived_ns))
            # A page that is gone may have said goodbye before: what it sent is read to the end.
            with contextlib.suppress(ConnectionClosed):
                await connection.send(ack(self.inbox.next_number))

    async def _sit(self, connection: ServerConnection, session: str, count: int = 0) -> bool:
        """Take the seat if it is free, one's own, or that of someone silent."""
        old, now_ns = self._seat, time.monotonic_ns()
        is_own = old is not None and bool(session) and old.session == session
        if old is not None and not is_own and now_ns - old.heard_ns < SILENT_NS:
            self.refused += 1
            await connection.close(BUSY, "another phone or program is connected")
            return False
        if old is not None and is_own and count < old.count:  # it was slow on its way
            await connection.close(AGAIN, "a newer connection of this page is here")
            return False
        self._seat = _Seat(connection, session, count, now_ns)
        if old is not None:
            self._send_away(old)
        return True

    def _send_away(self, old: _Seat) -> None:
        """Closing takes a while where nobody answers any more; nobody waits for it."""
        if not self._seat or old.session != self._seat.session:
            self._mailbox.put([DeviceChange(False, "it was silent and another came")])
        task = asyncio.ensure_future(old.connection.close(REPLACED, "another one took over"))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _heard(self, connection: ServerConnection) -> bool:
        """Whether it still has the seat; if so, it is not silent."""
        if self._seat is None or not self.delivers(connection):
            return False
        self._seat.heard_ns = time.monotonic_ns()
        return True

    def _end(self, connection: ServerConnection, words: str) -> None:
        if self._heard(connection):
            self._mailbox.put([DeviceChange(False, words)])

    def _stand_up(self, connection: ServerConnection) -> None:
        if self._heard(connection):
            self._seat = None
            self._mailbox.left()

    async def _room(self, connection: ServerConnection) -> bool:
        """Hold a client back that is faster than the reader; whether it may deliver then.

        It is not silent meanwhile, unless its connection is gone: then it gives way to another.
        """
        while self.delivers(connection):
            if self._mailbox.is_shut:
                await connection.close(CloseCode.GOING_AWAY, "the source was closed")
                return False
            if connection.state is State.OPEN:
                self._heard(connection)
            if self._mailbox.has_room():
                return True
            await asyncio.sleep(ROOM_POLL_S)
        return False


def _sender(send: Callable[[bytes], Any]) -> Send:
    """Sends from another thread, in this loop, and waits until it is done."""
    loop = asyncio.get_running_loop()

    def send_and_wait(data: bytes) -> None:
        sending = send(data)
        try:
            asyncio.run_coroutine_threadsafe(sending, loop).result(WRITE_S)
        except (ConnectionClosed, TimeoutError) as error:
            raise NotInReachError(f"the client takes no commands: {error}") from error
        except RuntimeError as error:  # the loop has ended meanwhile
            sending.close()
            raise NotInReachError("the client is gone") from error

    return send_and_wait
