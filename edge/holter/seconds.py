"""What each second of a recording was like: its signal, and the rhythm told for it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edge.record.notes import QualityNote, RhythmNote
from firmware_bridge.stream import NS_PER_S

__all__ = ["RHYTHMS", "SecondLog", "Seconds", "Signal", "spans_of"]

RHYTHMS = ("unknown", "normal", "af", "other", "noise", "vt", "vf")
OFF, FLAT = 1, 2
"""Bits of the flags of a lead: no skin contact; no signal."""


class Signal(IntEnum):
    """Of one second: NONE, nothing recorded; UNJUDGED, recorded and its quality not told."""

    NONE = 0
    CLEAN = 1
    NOISY = 2
    LEAD_OFF = 3
    UNJUDGED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Seconds:
    """One entry a second from `start_ns` (UTC) on. signal: `Signal`; rhythm: index into `RHYTHMS`,
    0 wherever no ECG was recorded."""

    start_ns: int
    signal: NDArray[np.uint8]
    rhythm: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.signal)

    def at(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The seconds in which moments lie."""
        numbers = (time_ns - self.start_ns) // NS_PER_S
        return np.clip(numbers, 0, max(0, len(self.signal) - 1))

    def is_rhythm(self, *names: str) -> NDArray[np.bool_]:
        """Which seconds have one of these rhythms."""
        return np.isin(self.rhythm, [RHYTHMS.index(name) for name in names])

    def utc_ns(self, second: int) -> int:
        """When a second begins."""
        return self.start_ns + second * NS_PER_S


class SecondLog:
    """Gathers qualities and rhythms."""

    def __init__(self) -> None:
        self._end_ns, self._state = array("q"), array("B")
        self._since_ns, self._rhythm = array("q"), array("B")

    def begin_run(self, start_ns: int) -> None:
        """ECG of a new run begins; what its rhythm is, is not known."""
        if self._rhythm:
            self._since_ns.append(start_ns)
            self._rhythm.append(0)

    def quality(self, note: QualityNote, offset_ns: int) -> None:
        """A second is clean where any lead is, and without contact where all are.

        A lead that is flat and nothing else has contact and shows a standstill, as the alarms
        have it."""
        if any(flags in (0, FLAT) for flags in note.flags):
            state = Signal.CLEAN
        else:
            off = all(flags & OFF for flags in note.flags)
            state = Signal.LEAD_OFF if off else Signal.NOISY
        self._end_ns.append(note.time_ns + offset_ns)
        self._state.append(state)

    def rhythm(self, note: RhythmNote, offset_ns: int) -> None:
        """The rhythm from here on; a word that is not known counts as "other"."""
        label = note.label or "unknown"
        number = RHYTHMS.index(label) if label in RHYTHMS else RHYTHMS.index("other")
        if self._rhythm and self._rhythm[-1] == number:
            return
        self._since_ns.append(note.time_ns + offset_ns)
        self._rhythm.append(number)

    def done(self, start_ns: int, stop_ns: int, recorded: Iterable[tuple[int, int]]) -> Seconds:
        """The seconds from start to stop. recorded: (start, stop) of ECG, UTC."""
        count = max(1, -(-(stop_ns - start_ns) // NS_PER_S))
        signal = np.zeros(count, np.uint8)
        for first_ns, last_ns in recorded:
            begin = (first_ns - start_ns) // NS_PER_S
            signal[begin : -(-(last_ns - start_ns) // NS_PER_S)] = Signal.UNJUDGED
        middle_ns = np.array(self._end_ns, np.int64) - NS_PER_S // 2
        at = (middle_ns - start_ns) // NS_PER_S
        inside = (at >= 0) & (at < count)
        judged, states = at[inside], np.array(self._state, np.uint8)[inside]
        signal[judged] = np.where(signal[judged] == Signal.NONE, Signal.NONE, states)
        return Seconds(start_ns, signal, self._rhythms(start_ns, signal))

    def _rhythms(self, start_ns: int, signal: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rhythm = np.zeros(len(signal), np.uint8)
        edges = [(each - start_ns) // NS_PER_S for each in self._since_ns]
        for k, label in enumerate(self._rhythm):
            stop = edges[k + 1] if k + 1 < len(edges) else len(signal)
            rhythm[max(0, edges[k]) : max(0, stop)] = label
        rhythm[signal == Signal.NONE] = 0
        return rhythm


def spans_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of True as (first, one past the last)."""
    padded = np.concatenate([[False], mask, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
