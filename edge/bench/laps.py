"""Timing of calls from outside: objects stand in for those of the runtime and time their methods.

What is measured stays as it is; only a measuring run has the stand-ins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.clock import Clock

__all__ = ["Laps", "Timed", "timer_us"]

NS_PER_US = 1000
TIMER_CALLS = 2000


class Laps:
    """Durations of calls by stage, and the sum since it was last asked, in nanoseconds."""

    def __init__(self, clock: Clock) -> None:
        self.keep = True
        """Whether laps are kept; turned off while everything warms up."""
        self._now_ns = clock.monotonic_ns
        self._taken_ns: dict[str, list[int]] = {}
        self._sum_ns = 0

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, each of its runs a lap of the stage. Stages must not contain each other."""
        taken, now_ns = self._taken_ns.setdefault(stage, []), self._now_ns

        def lap(*arguments: Any, **named: Any) -> Any:
            began_ns = now_ns()
            try:
                return call(*arguments, **named)
            finally:
                lasted_ns = now_ns() - began_ns
                self._sum_ns += lasted_ns
                if self.keep:
                    taken.append(lasted_ns)

        return lap

    def note(self, stage: str, lasted_ns: int) -> None:
        """A lap that was measured elsewhere."""
        if self.keep:
            self._taken_ns.setdefault(stage, []).append(lasted_ns)

    def sum_ns(self) -> int:
        """What the timed calls took together since the last call of this."""
        total, self._sum_ns = self._sum_ns, 0
        return total

    def us(self, stage: str) -> NDArray[np.float64]:
        """The laps of a stage in microseconds, in order."""
        return np.array(self._taken_ns.get(stage, []), np.float64) / NS_PER_US


class Timed:
    """Stands in for `target`: some of its methods are laps of a stage, all else is its own."""

    def __init__(self, target: Any, laps: Laps, stage: str, *methods: str) -> None:
        self._target = target
        for method in methods:
            setattr(self, method, laps.timed(stage, getattr(target, method)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def timer_us(clock: Clock) -> float:
    """What timing adds to a call, by itself: the median of laps of a call that does nothing."""
    laps = Laps(clock)
    nothing = laps.timed("nothing", lambda: None)
    for _ in range(TIMER_CALLS):
        nothing()
    return round(float(np.median(laps.us("nothing"))), 3)
