"""What experts say of a recording: WFDB annotations as beats and spans of rhythms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.evaluate.ec57 import AAMI_CLASS, fibrillation_intervals
from edge.evaluate.spans import merged
from firmware_bridge.errors import SourceError
from firmware_bridge.records.record import require

__all__ = ["ANNOTATOR", "FIBRILLATION", "Reference", "Rhythmic", "read_reference", "spans_of"]

ANNOTATOR = "atr"
FIBRILLATION = frozenset({"VFL", "VF", "VFIB"})
"""Rhythm labels of ventricular flutter and fibrillation."""

RHYTHM_SYMBOL = "+"


@dataclass(frozen=True, slots=True)
class Rhythmic:
    """One rhythm, by the label of WFDB without its parenthesis (`AFIB`), from sample to sample."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The annotations of one recording. Times are sample indices at `rate_hz`.

    beats: int64, ascending. classes: AAMI letter a beat. fibrillation: spans between
    annotations `[` and `]`, and those whose rhythm label says flutter or fibrillation.
    length: samples in the recording.
    """

    rate_hz: float
    length: int
    beats: NDArray[np.int64]
    classes: tuple[str, ...]
    fibrillation: tuple[tuple[int, int], ...]
    rhythms: tuple[Rhythmic, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.length / self.rate_hz

    def spans(self, *labels: str) -> list[tuple[int, int]]:
        """Where the rhythm is one of these."""
        return [(r.start, r.stop) for r in self.rhythms if r.label in labels]


def read_reference(path: Path, rate_hz: float, length: int) -> Reference:
    """The annotations `path.atr` of a recording of `length` samples.

    Raises SourceError where they are missing, damaged, or the package wfdb is.
    """
    file = path.with_name(f"{path.name}.{ANNOTATOR}")
    wfdb = require("wfdb", file)
    if not file.is_file():
        raise SourceError(f"{file}: no reference annotations there; fetch them with the recording")
    try:
        raw = wfdb.rdann(str(path), ANNOTATOR)
    except Exception as error:  # the parser raises whatever a damaged file makes it stumble over
        raise SourceError(f"{file}: not readable as WFDB annotations: {error}") from error
    return _reference(raw, rate_hz, length)


def spans_of(rhythm_at: Sequence[tuple[int, str]], length: int) -> tuple[Rhythmic, ...]:
    """Rhythm changes (sample, label) as spans; the last one ends with the recording."""
    edges = [*rhythm_at, (length, "")]
    return tuple(
        Rhythmic(label, start, stop)
        for (start, label), (stop, _) in pairwise(edges)
        if stop > start
    )


def _reference(raw: Any, rate_hz: float, length: int) -> Reference:
    samples = [int(sample) for sample in raw.sample]
    symbols = list(raw.symbol)
    notes = [str(note).strip("\0 ") for note in raw.aux_note]
    beats = [
        (sample, AAMI_CLASS[symbol])
        for sample, symbol in zip(samples, symbols, strict=True)
        if symbol in AAMI_CLASS
    ]
    changes = [
        (sample, note[1:])
        for sample, symbol, note in zip(samples, symbols, notes, strict=True)
        if symbol == RHYTHM_SYMBOL and note.startswith("(")
    ]
    rhythms = spans_of(changes, length)
    marked = fibrillation_intervals(samples, symbols, length)
    labelled = [(r.start, r.stop) for r in rhythms if r.label in FIBRILLATION]
    return Reference(
        rate_hz=rate_hz,
        length=length,
        beats=np.array([sample for sample, _ in beats], np.int64),
        classes=tuple(label for _, label in beats),
        fibrillation=tuple((int(a), int(b)) for a, b in merged([*marked, *labelled])),
        rhythms=rhythms,
    )
