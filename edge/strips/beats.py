"""The beats of the last seconds, with what became known of their class."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from edge.events import Beat, BeatClass, BeatLabel, Observation
from edge.messages import StripBeat

__all__ = ["RecentBeats"]

KEPT = 256
"""Beats remembered: the ring's seconds at any heart rate."""


class RecentBeats:
    """Beats by their stream time, the newest `KEPT` of them."""

    def __init__(self) -> None:
        self._labels: dict[int, BeatClass] = {}

    def observe(self, observations: Iterable[Observation]) -> None:
        """Take in beats and their classes; the rest is no concern of it."""
        for each in observations:
            if isinstance(each, Beat | BeatLabel) and self._counts(each):
                self._labels[each.time_ns] = each.label
        excess = len(self._labels) - KEPT
        for time_ns in list(islice(self._labels, max(0, excess))):
            del self._labels[time_ns]

    def within(self, start_ns: int, stop_ns: int) -> tuple[StripBeat, ...]:
        """Beats from `start_ns` to before `stop_ns`, oldest first, as offsets from the start."""
        found = sorted(each for each in self._labels if start_ns <= each < stop_ns)
        return tuple(
            StripBeat(offset_ms=round((each - start_ns) / 1e6, 1), label=self._labels[each].value)
            for each in found
        )

    def _counts(self, told: Beat | BeatLabel) -> bool:
        """A class of a beat that is forgotten, or was none, is of no use."""
        return isinstance(told, Beat) or told.time_ns in self._labels
