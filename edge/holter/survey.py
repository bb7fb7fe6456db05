"""A recording read once: what it says, as arrays that fit in memory for a month.

Samples are not kept; beats, the quality and rhythm of each second, and alarms are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.holter.alarms import Alarm, AlarmLog
from edge.holter.beats import BeatLog, Beats
from edge.holter.placing import Axis, Window, length_ns, placed
from edge.holter.seconds import SecondLog, Seconds
from edge.record import Block, Header, Lost, Notes, RecordingError
from edge.record.notes import (
    AlertNote,
    BeatNote,
    LabelNote,
    Note,
    QualityNote,
    RhythmNote,
    TechnicalNote,
)
from firmware_bridge.stream import NS_PER_S, StreamFormat

__all__ = ["DAYS_MAX", "Stretch", "Survey", "survey"]

DAYS_MAX = 31
"""Of one report: what is kept of a second costs a few bytes, for every second of the time."""
EARLY_MAX = 1000
"""Annotations that may wait for the first sample of their run to tell when they were."""
STRETCHES_MAX = 100_000
JOIN_NS = 1_000_000
"""Blocks that follow one another so closely are one stretch: rounding of their times."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """ECG without a break, from `start_ns` to `stop_ns` (UTC)."""

    start_ns: int
    stop_ns: int
    format: StreamFormat


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What a recording holds beside its samples.

    start_ns, stop_ns: of the first and after the last sample (or beat, where there is no ECG), UTC.
    stretches: of ECG, in order; empty where the device told beats only. lost_s: seconds lost in
    gaps within runs, by cause. runs: of the program. words: technical events, how often each.
    alarms_left_out: conditions beyond the number that is kept.
    """

    patient: str
    device: str
    software: str
    start_ns: int
    stop_ns: int
    beats: Beats
    seconds: Seconds
    alarms: tuple[Alarm, ...]
    alarms_left_out: int
    stretches: tuple[Stretch, ...]
    lost_s: dict[str, float]
    runs: int
    words: dict[str, int]
    lead_beats: NDArray[np.int64]

    @property
    def duration_s(self) -> float:
        """From beginning to end, breaks counted."""
        return (self.stop_ns - self.start_ns) / NS_PER_S

    @property
    def recorded_s(self) -> float:
        """Of ECG."""
        return sum(each.stop_ns - each.start_ns for each in self.stretches) / NS_PER_S


def survey(window: Window) -> Survey:
    """Read the window once. Raises RecordingError where nothing in it can be reported on."""
    check_length(window)
    reader = _Reader(window)
    for axis, entry in placed(window):
        match entry:
            case Block():
                reader.block(axis, entry)
            case Lost():
                cause, seconds = entry.cause, entry.length / entry.format.rate_hz
                reader.lost_s[cause] = reader.lost_s.get(cause, 0.0) + seconds
            case Header():
                reader.header(entry)
            case Notes():
                for note in entry.notes:
                    reader.note(axis, note)
    return reader.done()


def check_length(window: Window) -> None:
    """Raises RecordingError where the window spans more than a report can."""
    starts = [piece.utc_ns for piece in window.recording.pieces]
    first_ns = max(min(starts), window.from_ns or min(starts))
    last_ns = min(max(starts), window.to_ns or max(starts))
    days = (last_ns - first_ns) / NS_PER_S / 86_400
    if days > DAYS_MAX:
        raise RecordingError(
            f"{window.recording.patient}: the recording spans {days:.0f} days and a report at "
            f"most {DAYS_MAX}: say which with --from and --until"
        )


class _Reader:
    """Takes entries in order."""

    def __init__(self, window: Window) -> None:
        self.lost_s: dict[str, float] = {}
        self._window = window
        self._headers: list[Header] = []
        self._runs = 0
        self._is_new = False
        self._beats = BeatLog()
        self._seconds = SecondLog()
        self._alarms = AlarmLog()
        self._words: dict[str, int] = {}
        self._stretches: list[Stretch] = []
        self._early: list[Note] = []

    def header(self, header: Header) -> None:
        """A run begins."""
        self._runs += 1
        self._headers = [header]
        self._early.clear()
        self._alarms.begin_run()
        self._is_new = True

    def block(self, axis: Axis, block: Block) -> None:
        """ECG; its samples are left alone."""
        start_ns = axis.utc_ns(block.time_ns) or 0
        stop_ns = start_ns + length_ns(block)
        if self._is_new:
            self._seconds.begin_run(start_ns)
            self._is_new = False
        last = self._stretches[-1] if self._stretches else None
        joins = last is not None and abs(start_ns - last.stop_ns) <= JOIN_NS
        if last is not None and (
            (joins and last.format == block.format) or len(self._stretches) >= STRETCHES_MAX
        ):
            self._stretches[-1] = Stretch(last.start_ns, stop_ns, last.format)
        else:
            self._stretches.append(Stretch(start_ns, stop_ns, block.format))
        self._release(axis)

    def note(self, axis: Axis, note: Note) -> None:
        """An annotation; one from before its run's time is known waits for that."""
        self._release(axis)
        offset_ns = axis.offset_ns
        if offset_ns is None:
            if len(self._early) < EARLY_MAX:
                self._early.append(note)
        elif self._window.holds(note.time_ns + offset_ns):
            self._take(note, offset_ns)
            if isinstance(note, BeatNote):
                axis.reach(note.time_ns + offset_ns)

    def _release(self, axis: Axis) -> None:
        early, self._early = self._early, []
        for note in early:
            self.note(axis, note)

    def _take(self, note: Note, offset_ns: int) -> None:
        match note:
            case BeatNote():
                self._beats.add(note, offset_ns)
            case LabelNote():
                self._beats.label(note, offset_ns)
            case QualityNote():
                self._seconds.quality(note, offset_ns)
            case RhythmNote():
                self._seconds.rhythm(note, offset_ns)
            case AlertNote():
                self._alarms.add(note, offset_ns)
            case TechnicalNote():
                self._words[note.word[:40]] = self._words.get(note.word[:40], 0) + 1

    def done(self) -> Survey:
        """All of it. Raises RecordingError where there is neither ECG nor a beat."""
        start_ns, stop_ns = self._span()
        header = self._headers[-1]
        seconds = self._seconds.done(
            start_ns, stop_ns, [(each.start_ns, each.stop_ns) for each in self._stretches]
        )
        return Survey(
            self._window.recording.patient,
            header.device,
            header.software,
            start_ns,
            stop_ns,
            self._beats.done(),
            seconds,
            self._alarms.done(stop_ns),
            self._alarms.left_out,
            tuple(self._stretches),
            self.lost_s,
            self._runs,
            self._words,
            self._beats.by_lead(),
        )

    def _span(self) -> tuple[int, int]:
        heard = self._beats.span_ns()
        ends = [heard] if heard else []
        if self._stretches:
            ends.append((self._stretches[0].start_ns, self._stretches[-1].stop_ns))
        if not ends or not self._headers:
            raise RecordingError(
                f"{self._window.recording.patient}: neither samples nor beats in the recording in "
                "the time asked for, and so nothing to report"
            )
        start_ns, stop_ns = min(a for a, _ in ends), max(b for _, b in ends)
        if stop_ns - start_ns > (DAYS_MAX + 1) * 86_400 * NS_PER_S:
            raise RecordingError(
                f"{self._window.recording.patient}: the recording spans more than {DAYS_MAX} days: "
                "say which with --from and --until"
            )
        return start_ns, stop_ns
