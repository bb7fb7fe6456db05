"""Beats of a recording as arrays."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.record.notes import BeatNote, LabelNote

__all__ = ["CLASSES", "BeatLog", "Beats"]

CLASSES = "NSVFQU"
"""AAMI classes, and U for beats that no network has judged."""
LATE_MAX = 64
"""A class is told at most so many beats after its beat."""
JOIN_TOLERANCE_MS = 50.0
"""An RR interval and the distance of its two beats may differ so much: a bridged loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Arrays of one length, in order of time.

    time_ns: UTC of the R peak. kind: index into `CLASSES`. rr_ms: interval to the beat before,
    NaN where none is known (the first beat, and the first after a gap). joined: whether that
    beat is the one before in these arrays.
    """

    time_ns: NDArray[np.int64]
    kind: NDArray[np.uint8]
    rr_ms: NDArray[np.float64]
    joined: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time_ns)

    def of(self, label: str) -> NDArray[np.bool_]:
        """Which beats have one of these classes, such as "V" or "NU"."""
        return np.isin(self.kind, [CLASSES.index(each) for each in label])

    def between(self, start_ns: int, stop_ns: int) -> Beats:
        """Those from `start_ns` until before `stop_ns`."""
        first, stop = np.searchsorted(self.time_ns, [start_ns, stop_ns])
        within = slice(int(first), int(stop))
        return Beats(
            self.time_ns[within], self.kind[within], self.rr_ms[within], self.joined[within]
        )

    def unclassified(self, which: NDArray[np.bool_]) -> Beats:
        """The same beats; what these were called is taken back."""
        kind = np.where(which, CLASSES.index("U"), self.kind).astype(np.uint8)
        return replace(self, kind=kind)

    @property
    def are_classified(self) -> bool:
        """Whether a network has named any class."""
        return bool((self.kind != CLASSES.index("U")).any())


class BeatLog:
    """Gathers beats in the order in which they were told."""

    def __init__(self) -> None:
        self._time_ns = array("q")
        self._kind = array("B")
        self._rr_ms = array("d")
        self._lead = array("B")

    def add(self, note: BeatNote, offset_ns: int) -> None:
        """A beat. offset_ns: from its stream time to UTC."""
        self._time_ns.append(note.time_ns + offset_ns)
        self._kind.append(max(CLASSES.find(note.label[:1] or "U"), 0))
        self._rr_ms.append(float("nan") if note.rr_ms is None else note.rr_ms)
        self._lead.append(min(max(note.lead, 0), 63))

    def label(self, note: LabelNote, offset_ns: int) -> None:
        """The class of a beat told before; of one that is not there, nothing."""
        kind, time_ns = CLASSES.find(note.label[:1] or "?"), note.time_ns + offset_ns
        for k in range(len(self._time_ns) - 1, max(-1, len(self._time_ns) - 1 - LATE_MAX), -1):
            if self._time_ns[k] == time_ns and kind >= 0:
                self._kind[k] = kind
                return

    def span_ns(self) -> tuple[int, int] | None:
        """UTC of the first beat and just after the last, None where there is none."""
        return (min(self._time_ns), max(self._time_ns) + 1) if self._time_ns else None

    def by_lead(self) -> NDArray[np.int64]:
        """How many beats were found in each lead."""
        return np.bincount(np.frombuffer(self._lead, np.uint8), minlength=1).astype(np.int64)

    def done(self) -> Beats:
        """As arrays, in order of time."""
        time_ns = np.array(self._time_ns, np.int64)
        order = np.argsort(time_ns, kind="stable")
        time_ns, rr_ms = time_ns[order], np.array(self._rr_ms)[order]
        since_ms = np.diff(time_ns, prepend=time_ns[:1]) / 1e6
        joined = np.isfinite(rr_ms) & (np.abs(since_ms - rr_ms) <= JOIN_TOLERANCE_MS)
        joined[:1] = False
        return Beats(time_ns, np.array(self._kind, np.uint8)[order], rr_ms, joined)
