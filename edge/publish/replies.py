"""Answers to what others sent us: a few, and only while somebody still waits for them."""

from __future__ import annotations

import threading
from collections import deque

from edge.publish.packets import Outgoing
from firmware_bridge.stream import NS_PER_S

WAITING = 32
EXPIRY_S = 30
"""Whoever asked has given up by then."""


class Replies:
    """Answers that wait for a connection, oldest first. Any thread may call any method."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[tuple[Outgoing, int]] = deque()

    def add(self, reply: Outgoing, now_ns: int) -> bool:
        """Take an answer; False where so many wait that it is dropped."""
        with self._mutex:
            if len(self._waiting) >= WAITING:
                return False
            self._waiting.append((reply, now_ns + EXPIRY_S * NS_PER_S))
            return True

    def take(self, qos1_room: int, now_ns: int) -> Outgoing | None:
        """The next answer that somebody still waits for, None where there is none or no room."""
        with self._mutex:
            while self._waiting and self._waiting[0][1] <= now_ns:
                self._waiting.popleft()
            if not self._waiting or (self._waiting[0][0].qos > 0 and qos1_room <= 0):
                return None
            return self._waiting.popleft()[0]


__all__ = ["EXPIRY_S", "WAITING", "Replies"]
