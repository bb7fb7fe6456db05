"""What the timeline remembers of frames: those that came early, and the gaps already told."""

from __future__ import annotations

from bisect import insort
from collections import deque

from firmware_bridge.position import Arrival

__all__ = ["GapMemory", "ReorderWindow"]

GAPS_REMEMBERED = 64


class ReorderWindow:
    """Frames that came before their turn, by start."""

    def __init__(self) -> None:
        self._waiting: list[Arrival] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def samples(self) -> int:
        """Samples that wait, a lead."""
        return sum(arrival.samples for arrival in self._waiting)

    def add(self, arrival: Arrival) -> bool:
        """Let it wait; False where a waiting frame already covers it."""
        if any(w.start <= arrival.start and arrival.stop <= w.stop for w in self._waiting):
            return False
        insort(self._waiting, arrival, key=lambda a: a.start)
        return True

    def pop(self) -> Arrival:
        """Take out the earliest."""
        return self._waiting.pop(0)

    def pop_due(self, expected: int) -> Arrival | None:
        """Take out the earliest, if it does not start behind the sample expected next."""
        waiting = self._waiting
        return waiting.pop(0) if waiting and waiting[0].start <= expected else None


class GapMemory:
    """The latest gaps, so that a late frame can be told from a duplicate."""

    def __init__(self) -> None:
        self._gaps: deque[tuple[int, int]] = deque(maxlen=GAPS_REMEMBERED)

    def add(self, start: int, stop: int) -> None:
        """Remember samples `start` to `stop` as never delivered."""
        self._gaps.append((start, stop))

    def overlap(self, start: int, stop: int) -> int:
        """How many of the samples `start` to `stop` lie in a remembered gap."""
        return sum(max(0, min(stop, b) - max(start, a)) for a, b in self._gaps)
