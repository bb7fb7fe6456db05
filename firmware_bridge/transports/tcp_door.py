"""A listening socket, those who call it, and a bell that ends a wait."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time

from firmware_bridge.transports.sockets import BACKLOG
from firmware_bridge.transports.tcp_callers import Caller, Callers
from firmware_bridge.transports.token_gate import TokenGate

__all__ = ["Door"]

Selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)
"""For a few sockets and one wait epoll takes five calls, each of which gives the interpreter's lock
away and waits for it anew."""

ACCEPT_AGAIN_S = 1.0
"""After a fault of `accept` (out of file descriptors or memory), which would come again at once."""


class Door:
    """The listening socket, those who wait to be let in, and a bell that ends a wait."""

    def __init__(self, listening: socket.socket, gate: TokenGate) -> None:
        self._listening = listening
        self._callers = Callers(gate)
        self._bell, self._button = socket.socketpair()
        self._listening.setblocking(False)
        self._bell.setblocking(False)
        self._accepts_from_s = 0.0

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listening.getsockname()[1])

    def attend(self, client: socket.socket | None, timeout_s: float) -> tuple[bool, list[Caller]]:
        """Wait for bytes or callers; whether `client` has sent, and who has been let in."""
        rest_s = self._accepts_from_s - time.monotonic()
        if rest_s > 0:
            timeout_s = min(timeout_s, rest_s)
        with Selector() as waiting:
            if rest_s <= 0:
                waiting.register(self._listening, selectors.EVENT_READ)
            for each in (self._bell, *self._callers.sockets):
                waiting.register(each, selectors.EVENT_READ)
            if client is not None:
                waiting.register(client, selectors.EVENT_READ)
            patience_s = min(timeout_s, self._callers.patience_s())
            ready = {key.fileobj for key, _ in waiting.select(patience_s)}
        if self._listening in ready:
            self._let_in()
        return client in ready, self._callers.heard(ready)

    def wake(self) -> None:
        """End a wait; from any thread."""
        with contextlib.suppress(OSError):
            self._button.send(b"!")

    def close(self) -> None:
        """Close everything; callers are hung up on."""
        self._callers.close()
        for each in (self._listening, self._bell, self._button):
            each.close()

    def _let_in(self) -> None:
        for _ in range(BACKLOG):
            try:
                came, _ = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # the client that streams is not to suffer for it
                self._accepts_from_s = time.monotonic() + ACCEPT_AGAIN_S
                return
            self._callers.add(came)
