"""Memory, CPU time and energy once a second, from a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from edge.bench.cost import cpu_s
from edge.bench.energy import Meter
from edge.bench.memory import resident_mb
from edge.clock import Clock
from firmware_bridge.stream import NS_PER_S

__all__ = ["Reading", "Sampler"]

PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """At one moment: nanoseconds on the monotonic clock, CPU seconds so far, joules so far."""

    at_ns: int
    cpu_s: float
    memory_mb: float | None
    joules: float | None


class Sampler:
    """Takes a reading on entry, each second, and on exit. Context manager."""

    def __init__(self, clock: Clock, meter: Meter | None, period_s: float = PERIOD_S) -> None:
        self._clock = clock
        self._meter = meter
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-sampler", daemon=True)
        self.readings: list[Reading] = []

    def __enter__(self) -> Self:
        self._take()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._take()

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            self._take()

    def _take(self) -> None:
        """A counter that fails for once is left out of this reading."""
        try:
            joules = self._meter.joules() if self._meter else None
        except (OSError, ValueError):
            joules = None
        self.readings.append(Reading(self._clock.monotonic_ns(), cpu_s(), resident_mb(), joules))


def seconds_between(first: Reading, last: Reading) -> float:
    """From one reading to another."""
    return (last.at_ns - first.at_ns) / NS_PER_S
