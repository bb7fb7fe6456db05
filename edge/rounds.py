"""When which patient is looked at: each at a steady beat, all of them spread evenly over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firmware_bridge.stream import NS_PER_S

__all__ = ["TICK_NS", "TOLD_NS", "Due", "Rounds"]

TICK_NS = NS_PER_S // 4
"""How often each patient is looked at: so much later than its limit an alarm of silence may be."""
TICKS_OF_TOLD = 4
TOLD_NS = TICKS_OF_TOLD * TICK_NS
"""How often the observers are told of each patient."""

FEW = 8
"""Patients of whom observers are told in one step, where that makes no more steps than there may
be: fewer cost more waking up."""
STEPS_MAX = 25
"""Steps within a tick: the engine is woken up for each."""


@dataclass(frozen=True, slots=True)
class Due:
    """What one step brings. looked_at, told: numbers of patients. is_last: of a second."""

    looked_at: range
    told: range
    is_last: bool


class Rounds:
    """Goes from patient to patient, again and again. Pure.

    patients: how many. began_ns: host monotonic time from which on they are to be looked at.
    """

    def __init__(self, patients: int, began_ns: int) -> None:
        self._patients = patients
        self._steps = max(1, min(STEPS_MAX, patients // (FEW * TICKS_OF_TOLD)))
        self._every_ns = TICK_NS // self._steps
        self._step = 0
        self.due_ns = began_ns + self._every_ns
        """Host monotonic time of the next step."""

    def due(self, now_ns: int) -> Iterator[Due]:
        """The steps due by now, a tick's at most: who comes late does not come twice, and nobody
        is passed over."""
        late_ns = now_ns - self.due_ns
        if late_ns < 0:
            return
        count = min(self._steps, 1 + late_ns // self._every_ns)
        self.due_ns = max(self.due_ns + count * self._every_ns, now_ns)
        for _ in range(count):
            yield self._next()

    def _next(self) -> Due:
        steps_of_told = self._steps * TICKS_OF_TOLD
        step, self._step = self._step, (self._step + 1) % steps_of_told
        looked_at = self._share(step % self._steps, self._steps)
        return Due(looked_at, self._share(step, steps_of_told), self._step == 0)

    def _share(self, number: int, of: int) -> range:
        return range(number * self._patients // of, (number + 1) * self._patients // of)
