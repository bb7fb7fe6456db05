"""Annotations of a recording as exports write them: a place on the file's sample grid, and a word.

Rhythms bear the names of the WFDB annotation guide: `(N`, `(AFIB`, `(VT`, `(VF`, `(NOISE`; and
`(OTHER` and `(UNKNOWN`, which it does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from edge.record.notes import (
    AlertNote,
    BeatNote,
    LabelNote,
    Note,
    QualityNote,
    RhythmNote,
    TechnicalNote,
)
from firmware_bridge.stream import NS_PER_S

__all__ = ["RHYTHMS", "Mark", "MarkKind", "Marker"]

MarkKind = Literal["beat", "rhythm", "quality", "alert", "technical", "gap"]

RHYTHMS: dict[str | None, str] = {
    "normal": "(N",
    "af": "(AFIB",
    "vt": "(VT",
    "vf": "(VF",
    "noise": "(NOISE",
    "other": "(OTHER",
    None: "(UNKNOWN",
}
TEXT_MAX = 100


@dataclass(frozen=True, slots=True)
class Mark:
    """One annotation.

    position: sample on the grid of the file; length: samples that it spans, 0 for a moment.
    text: of a beat its AAMI class, `U` where none is known. leads: bit k set means that lead k
    has it; of a beat, the lead in which it was found.
    """

    position: int
    kind: MarkKind
    text: str
    length: int = 0
    leads: int = 0
    confidence: float | None = None


@dataclass(slots=True)
class Marker:
    """Makes marks of notes; one for each run.

    place: part and sample of a stream time, None where no part has it. marks: of each part.
    leads: names of the leads of a part. conditions: by id of the alarm, whether its condition is
    on.
    """

    place: Callable[[int], tuple[int, int] | None]
    marks: list[list[Mark]]
    leads: Callable[[int], tuple[str, ...]]
    beats: dict[int, tuple[int, int]] = field(default_factory=dict)
    conditions: dict[str, bool] = field(default_factory=dict)
    rhythm: str = ""
    troubled: tuple[int, ...] = ()

    def add(self, note: Note) -> None:
        """Place what the note says."""
        match note:
            case BeatNote():
                self._beat(note)
            case LabelNote():
                self._label(note)
            case RhythmNote():
                text = RHYTHMS.get(note.label, "(OTHER")
                if text != self.rhythm:
                    self.rhythm = text
                    self._put(note.time_ns, Mark(0, "rhythm", text))
            case QualityNote():
                self._quality(note)
            case AlertNote():
                self._alert(note)
            case TechnicalNote():
                text = f"{note.word} {note.reason}".strip()
                self._put(note.time_ns, Mark(0, "technical", text[:TEXT_MAX]))

    def _alert(self, note: AlertNote) -> None:
        """Of a latched alarm its condition is told, which ends before it and may start again."""
        was_on = self.conditions.get(note.id)
        self.conditions[note.id] = not note.is_over
        if note.is_over and was_on is False:
            return
        word = "end" if note.is_over else "start" if was_on is False else note.phase
        at_ns = note.onset_ns if note.phase == "start" else note.time_ns
        text = f"alert {note.kind} {word} {note.priority}"
        self._put(at_ns, Mark(0, "alert", text[:TEXT_MAX]))

    def _beat(self, note: BeatNote) -> None:
        mark = Mark(0, "beat", note.label, leads=1 << note.lead, confidence=note.confidence)
        placed = self._put(note.time_ns, mark)
        if placed:
            self.beats[note.time_ns] = placed

    def _label(self, note: LabelNote) -> None:
        """The class of a beat that was told before."""
        if note.time_ns not in self.beats:
            return
        part, number = self.beats.pop(note.time_ns)
        told = self.marks[part][number]
        self.marks[part][number] = replace(told, text=note.label, confidence=note.confidence)

    def _quality(self, note: QualityNote) -> None:
        """Said where it changes, at the beginning of the second that it judges."""
        if note.flags == self.troubled:
            return
        began_ns, was_clean = note.time_ns - NS_PER_S, not any(self.troubled)
        self.troubled = note.flags
        placed = self.place(began_ns)
        if placed is None or (was_clean and not any(note.flags)):
            return
        names = self.leads(placed[0])
        words = [
            f"{names[lead]} {'+'.join(note.of_lead(lead))}"
            for lead, flags in enumerate(note.flags[: len(names)])
            if flags
        ]
        bits = sum(1 << lead for lead, flags in enumerate(note.flags) if flags)
        text = f"quality {', '.join(words) or 'good'}"
        self._put(began_ns, Mark(0, "quality", text[:TEXT_MAX], leads=bits))

    def _put(self, time_ns: int, mark: Mark) -> tuple[int, int] | None:
        placed = self.place(time_ns)
        if placed is None:
            return None
        part, position = placed
        self.marks[part].append(replace(mark, position=position))
        return part, len(self.marks[part]) - 1
