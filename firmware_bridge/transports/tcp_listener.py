"""A TCP port on which one client at a time delivers the bytes of a device."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time

from firmware_bridge.errors import NotInReachError
from firmware_bridge.stream import NS_PER_S, Packet
from firmware_bridge.transports.sockets import (
    Endpoint,
    hang_up,
    listen,
    notice_dead_peer,
    peer_address,
)
from firmware_bridge.transports.tcp_callers import Caller
from firmware_bridge.transports.tcp_door import Door
from firmware_bridge.transports.token_gate import TokenGate

__all__ = ["READ_BYTES", "WRITE_S", "TcpListener", "greeting"]

READ_BYTES = 65_536
WRITE_S = 1.0
WAIT_S = 15.0
SILENT_NS = 3 * NS_PER_S
"""A client that said nothing for so long gives way to a new one: a phone that lost its network
comes back while its old connection still seems to stand."""
BUSY = b"EDGE busy: another client is connected and sending; try again when it has gone\n"

log = logging.getLogger(__name__)


class TcpListener:
    """Bytes of whoever connects, one client at a time; no thread of its own.

    token: what a client must send as its first line, `EDGE token`; empty: nothing is asked.
    A second client is refused in words while the first sends, and takes its place once that
    was silent for 3 s. The port stays open from the first `open` to `close`, whatever clients do.
    wait_s: how long `open` waits for a client.
    """

    def __init__(
        self, at: Endpoint, token: str = "", channel: str = "", wait_s: float = WAIT_S
    ) -> None:
        self._at = at
        self._channel = channel
        self._wait_s = wait_s
        self._gate = TokenGate(self.name, token, time.monotonic_ns)
        self._in_use = threading.Lock()
        self._closing = False
        self._door: Door | None = None
        self._client: socket.socket | None = None
        self._heard_ns = 0
        self._early = b""
        self._next: Caller | None = None
        self.refused = 0

    @property
    def name(self) -> str:
        """The address that it listens on."""
        return f"tcp://{self._at}"

    @property
    def wrong_tokens(self) -> int:
        """How many clients gave a wrong token or none, since it was made."""
        return self._gate.wrong

    @property
    def port(self) -> int:
        """The port that it listens on, chosen by the system where 0 was asked for."""
        return self._door.port if self._door else self._at.port

    def open(self) -> None:
        """Listen, and wait for a client.

        Raises SourceError where the port cannot be had, NotInReachError where nobody comes.
        """
        self.pause()
        with self._in_use:
            self._closing = False
            if self._door is None:
                self._door = Door(listen(self._at), self._gate)
                log.info("%s: listening", self.name)
            deadline_s = time.monotonic() + self._wait_s
            while not self._adopt():
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or self._closing:
                    raise NotInReachError(f"{self.name}: nobody has connected yet{self._hint()}")
                self._attend(left_s)

    def read(self, timeout_s: float) -> Packet | None:
        """What the client sent; NotInReachError once it is gone or gave way to another."""
        with self._in_use:
            if self._client is None or self._door is None or self._closing:
                raise NotInReachError(f"{self.name} is closed; open it before reading")
            if self._early:
                data, self._early = self._early, b""
                return Packet(data, self._heard_ns, self._channel)
            has_sent = self._attend(timeout_s)
            if self._closing:
                raise NotInReachError(f"{self.name} was closed while reading")
            if has_sent:
                return self._receive(self._client)
            if self._next is not None:
                raise NotInReachError(f"{self.name}: its client was silent; another came")
            return None

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        client = self._client
        if client is None:
            raise NotInReachError(f"{self.name} has no client to write to")
        try:
            client.sendall(data)
        except OSError as error:
            raise NotInReachError(f"{self.name}: its client takes no bytes: {error}") from error

    def pause(self) -> None:
        """Hang up on the client and go on listening; who calls now is served by the next `open`."""
        with self._in_use:
            self._drop_client()

    def close(self) -> None:
        """Hang up and stop listening; a `read` or `open` in another thread ends at once."""
        self._closing = True
        door = self._door
        if door is not None:
            door.wake()
        with self._in_use:
            self._drop_client()
            if self._next is not None:
                hang_up(self._next.link)
                self._next = None
            if self._door is not None:
                self._door.close()
                self._door = None

    def _attend(self, timeout_s: float) -> bool:
        """Wait for anything and see to those who call; whether the client has sent something."""
        assert self._door is not None
        has_sent, admitted = self._door.attend(self._client, timeout_s)
        for caller in admitted:
            self._seat(caller)
        return has_sent

    def _seat(self, caller: Caller) -> None:
        is_free = self._client is None or time.monotonic_ns() - self._heard_ns >= SILENT_NS
        if is_free and self._next is None:
            self._next = caller
            return
        self.refused += 1
        with contextlib.suppress(OSError):
            caller.link.send(BUSY)
        hang_up(caller.link)

    def _adopt(self) -> bool:
        """Take the next caller as the client, if there is one."""
        caller, self._next = self._next, None
        if caller is None:
            return False
        caller.link.settimeout(WRITE_S)
        notice_dead_peer(caller.link)
        self._client, self._early = caller.link, caller.rest
        self._heard_ns = time.monotonic_ns()
        log.info("%s: a client connected from %s", self.name, peer_address(caller.link))
        return True

    def _receive(self, client: socket.socket) -> Packet | None:
        try:
            data = client.recv(READ_BYTES)
        except (TimeoutError, BlockingIOError):
            return None
        except OSError as error:
            raise NotInReachError(
                f"{self.name}: its client is gone: {error.strerror or error}"
            ) from error
        if not data:
            raise NotInReachError(f"{self.name}: its client closed the connection")
        self._heard_ns = time.monotonic_ns()
        return Packet(data, self._heard_ns, self._channel)

    def _drop_client(self) -> None:
        client, self._client, self._early = self._client, None, b""
        if client is not None:
            hang_up(client)

    def _hint(self) -> str:
        if not self._gate.wrong:
            return ""
        return f"; {self._gate.wrong} tried with a wrong token or none"


def greeting(token: str) -> bytes:
    """The first line that a client sends to a listener that asks for a token."""
    return b"EDGE " + token.encode() + b"\n"
