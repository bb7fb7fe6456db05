"""Sign of life of a thread: it beats, whoever supervises it looks on."""

from __future__ import annotations

import math

__all__ = ["PATIENCE_S", "SLOW_DISK_S", "Pulse"]

PATIENCE_S = 10.0
"""A thread with work to do that gives no sign of life for so long hangs."""
SLOW_DISK_S = 60.0
"""The same for a thread that is about to write to a disk: flash may stall for tens of seconds."""


class Pulse:
    """Beats of one thread. Written by that thread, read by any other.

    Begins at rest: nothing is owed before the first beat.
    """

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state: tuple[int, float] = (0, math.inf)

    def beat(self, patience_s: float = PATIENCE_S) -> None:
        """Alive; the next beat follows within `patience_s`."""
        self._state = (self._state[0] + 1, patience_s)

    def rest(self) -> None:
        """Alive, and about to wait for work: nothing is owed until it comes."""
        self.beat(math.inf)

    @property
    def state(self) -> tuple[int, float]:
        """Beats so far, and how many seconds after the newest one the next is due."""
        return self._state
