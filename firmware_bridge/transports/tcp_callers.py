"""Those who called a listening port and have not shown their token yet."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

from firmware_bridge.transports.sockets import hang_up, peer_address
from firmware_bridge.transports.token_gate import TokenGate

__all__ = ["Caller", "Callers"]

CALLERS_MAX = 8
TOKEN_S = 5.0
LINE_BYTES_MAX = 256
PREFIX = b"EDGE "


@dataclass(eq=False, slots=True)
class Caller:
    """A connection, what it said so far, and until when it may say the rest (monotonic, s).

    rest: bytes after the token's line, which belong to the stream.
    """

    link: socket.socket
    address: str
    deadline_s: float
    rest: bytes = b""


class Callers:
    """At most 8 of them; each has 5 s and 256 bytes for its first line.

    The oldest gives way; it is let in instead where its token is there already, and counted as
    one without a token where it is not.
    """

    def __init__(self, gate: TokenGate) -> None:
        self._gate = gate
        self._waiting: list[Caller] = []
        self._passed: list[Caller] = []

    @property
    def sockets(self) -> list[socket.socket]:
        """Those to wait for."""
        return [caller.link for caller in self._waiting]

    def patience_s(self) -> float:
        """Until the first of them is out of time; 0 where one needs no token."""
        if self._gate.is_open and self._waiting:
            return 0.0
        now_s = time.monotonic()
        return max(0.0, min((c.deadline_s - now_s for c in self._waiting), default=3600.0))

    def add(self, came: socket.socket) -> None:
        """Take one in, unless its address is barred."""
        address = peer_address(came)
        if self._gate.bars(address):
            hang_up(came)
            return
        came.setblocking(False)
        if len(self._waiting) >= CALLERS_MAX:
            self._make_room()
        self._waiting.append(Caller(came, address, time.monotonic() + TOKEN_S))

    def heard(self, ready: Iterable[object]) -> list[Caller]:
        """Those that are let in now; the wrong and the late ones are hung up on."""
        heard_of = set(ready)
        admitted, self._passed = self._passed, []
        for caller in list(self._waiting):
            verdict = self._verdict(caller, caller.link in heard_of)
            if verdict is None:
                continue
            self._waiting.remove(caller)
            if verdict:
                admitted.append(caller)
            else:
                hang_up(caller.link)
        return admitted

    def close(self) -> None:
        """Hang up on all of them."""
        for caller in (*self._waiting, *self._passed):
            hang_up(caller.link)
        self._waiting.clear()
        self._passed.clear()

    def _make_room(self) -> None:
        oldest = self._waiting.pop(0)
        verdict = self._verdict(oldest, True)
        if verdict:
            self._passed.append(oldest)
            return
        if verdict is None:
            self._gate.count_wrong(oldest.address)
        hang_up(oldest.link)

    def _verdict(self, caller: Caller, has_sent: bool) -> bool | None:
        """Whether it may come in; None while it has not said enough."""
        if self._gate.is_open:
            return True
        if has_sent:
            return self._hear(caller)
        if time.monotonic() >= caller.deadline_s:
            self._gate.count_wrong(caller.address)
            return False
        return None

    def _hear(self, caller: Caller) -> bool | None:
        try:
            data = caller.link.recv(LINE_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return False
        caller.rest += data
        line, newline, rest = caller.rest.partition(b"\n")
        if newline and len(line) <= LINE_BYTES_MAX:
            caller.rest = rest
            given = line.rstrip(b"\r").removeprefix(PREFIX) if line.startswith(PREFIX) else b""
            return self._gate.admits(given, caller.address)
        if not data or len(caller.rest) > LINE_BYTES_MAX:
            self._gate.count_wrong(caller.address)
            return False
        return None
