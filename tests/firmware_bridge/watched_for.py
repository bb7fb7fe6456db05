"""A device that is out of reach is watched for: seen without measuring time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from firmware_bridge.source import Source
from firmware_bridge.watchdog import LinkTiming
from tests.patience import WAIT_S

PAUSE_MAX_S = 0.5
"""Of the two seconds in which a device that is back is to stream."""
assert LinkTiming().watch_s <= PAUSE_MAX_S


@dataclass(frozen=True, slots=True)
class CountedBackOff(LinkTiming):
    """The timing of the shipped link, and a note of each back-off."""

    noted_s: list[float] = field(default_factory=list)

    def backoff_s(self, failures: int, chance: float) -> float:
        """As the shipped link, noted."""
        self.noted_s.append(LinkTiming.backoff_s(self, failures, chance))
        return self.noted_s[-1]


def count_looks(source: Source) -> threading.Semaphore:
    """One to be had for each time that the source is opened from now on."""
    look, looks = source.transport.open, threading.Semaphore(0)
    source.transport.open = lambda: (looks.release(), look())[1]  # type: ignore[method-assign]
    return looks


def await_looks(looks: threading.Semaphore, count: int) -> None:
    """Wait for so many."""
    for _ in range(count):
        assert looks.acquire(timeout=WAIT_S)
