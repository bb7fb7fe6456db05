"""One patient's recording: steps of the pipeline in, bytes for the disk out. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.events import Rhythm
from edge.monitor import Monitor
from edge.pipeline import Anchor, Step
from edge.record.content import (
    Axis,
    format_record,
    gap_record,
    notes_record,
    samples_records,
)
from edge.record.notes import Note, Notes, RhythmNote, TechnicalNote, alert_note, observed_note
from edge.vitals import Vitals
from firmware_bridge.stream import NS_PER_S, Chunk, Gap, StreamFormat

__all__ = ["Happening", "Track"]

REMINDER_NS = 60 * NS_PER_S
"""Header, format and rhythm are said again so often: damage to the file costs no more than that."""


class Happening(NamedTuple):
    """What there is to record of one moment: a step, or a word about the link.

    anchor: ties stream time to the host's clock, None before the first sample.
    """

    monitor: Monitor
    step: Step | None
    anchor: Anchor | None
    note: TechnicalNote | None = None


class Track:
    """Turns what happens to one patient into records. Whole pieces: see `begin`."""

    def __init__(self) -> None:
        self._vitals = Vitals()
        self._header = b""
        self._offset_ns = 0
        self._rhythm: str | None = None
        self._axis: Axis | None = None
        self._said = False
        self._reminded_ns = 0
        self._first: Chunk | None = None
        self._samples: list[NDArray[np.float32]] = []
        self._next = 0
        self._records: list[bytes] = []
        self._notes: list[Note] = []

    def begin(self, header: bytes) -> None:
        """A new piece, which must be readable without those before it. header: its record."""
        self._header = header
        self._said = False

    def take(self, happenings: Iterable[Happening], now_ns: int, utc_ns: int) -> bytes:
        """The records of what happened, in order, up to now.

        now_ns, utc_ns: what the host's monotonic clock and its UTC say.
        """
        self._offset_ns = utc_ns - now_ns
        anchor = None
        for each in happenings:
            anchor = each.anchor or anchor
            if each.step:
                self._take_step(each.step, each.anchor)
            if each.note:
                self._notes.append(each.note)
        self._end_block()
        self._say_notes(anchor or Anchor(0, now_ns, None))
        data = b"".join(self._records)
        self._records.clear()
        return data

    def _take_step(self, step: Step, anchor: Anchor | None) -> None:
        for event in step.events:
            if isinstance(event, Chunk):
                if not self._continues(event):
                    self._end_block()
                    self._on_axis(event.format, event.start, step, anchor)
                    self._first = event
                self._samples.append(event.samples_uv)
                self._next = event.start + len(event.samples_uv)
            elif isinstance(event, Gap):
                self._end_block()
                axis = self._on_axis(event.format, event.start, step, anchor)
                self._records.append(gap_record(axis, event.start, event.length, event.cause))
        for observation in step.observations:
            if isinstance(observation, Rhythm):
                self._take_rhythm(observation)
            elif note := observed_note(observation):
                self._notes.append(note)
        for alert in step.alerts:
            self._notes.append(alert_note(alert))

    def _continues(self, chunk: Chunk) -> bool:
        """Whether the chunk belongs to the block that has begun."""
        first = self._first
        return (
            first is not None
            and chunk.start == self._next
            and chunk.lead_off == first.lead_off
            and chunk.battery_percent == first.battery_percent
            and (chunk.format is first.format or chunk.format == first.format)
        )

    def _take_rhythm(self, rhythm: Rhythm) -> None:
        self._vitals.observe((rhythm,))
        label = self._vitals.rhythm_label(rhythm.time_ns)
        if label != self._rhythm:
            self._rhythm = label
            self._notes.append(RhythmNote(rhythm.time_ns, label))

    def _end_block(self) -> None:
        first, axis = self._first, self._axis
        if first is None or axis is None:
            return
        utc_ns = first.host_time_ns + self._offset_ns
        self._records += samples_records(axis.id, first, utc_ns, self._samples)
        self._first = None
        self._samples.clear()

    def _on_axis(self, form: StreamFormat, start: int, step: Step, anchor: Anchor | None) -> Axis:
        """The axis of that format, said where the piece does not have it or not of late."""
        axis = self._axis
        if axis is None or axis.format != form:
            number = 0 if axis is None else (axis.id + 1) % (1 << 16)
            start_ns = _start_ns(axis, form, start, step, anchor)
            axis = self._axis = Axis(number, start, start_ns, form.rate_hz, form.leads)
            self._said = False
        time_ns = axis.time_ns(start)
        if not self._said or time_ns - self._reminded_ns >= REMINDER_NS:
            self._said, self._reminded_ns = True, time_ns
            self._records += [self._header, format_record(axis)]
            if self._rhythm is not None:
                self._notes.append(RhythmNote(time_ns, self._rhythm))
        return axis

    def _say_notes(self, anchor: Anchor) -> None:
        if not self._notes:
            return
        notes = Notes(anchor.stream_ns, anchor.host_ns + self._offset_ns, tuple(self._notes))
        self._notes.clear()
        self._records.append(notes_record(notes))


def _start_ns(
    axis: Axis | None, form: StreamFormat, start: int, step: Step, anchor: Anchor | None
) -> int:
    """Stream time of the first sample in a new format: by the format before, else by the anchor,
    which stands at the first sample of the newest chunk."""
    if axis is not None:
        return axis.time_ns(start)
    chunks = [event for event in step.events if isinstance(event, Chunk)]
    if anchor is None or not chunks or chunks[-1].format != form:
        return 0
    return anchor.stream_ns - round((chunks[-1].start - start) / form.rate_hz * NS_PER_S)
