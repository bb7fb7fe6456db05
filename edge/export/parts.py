"""A recording cut into parts that fit one file each: one format, no gap longer than a day.

A part has a grid of samples at the nominal rate; each block has its place on it. Within a run of
the program that is told by the samples' own axis, from run to run by the host's clock.
Reading goes twice over the recording: once to survey it, once for the samples. Samples are never
held; annotations are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.export.marks import Mark, Marker
from edge.record import Block, Header, Lost, Notes, Recording, RecordingError
from firmware_bridge.stream import NS_PER_S, StreamFormat

__all__ = ["LIMIT_UV", "Part", "Placed", "Request", "survey", "without_noise"]

DAY_S = 86_400
LIMIT_UV = 6e6
"""Microvolts beyond which a value is no voltage of an electrode, but missing."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to export: of which recording, from when to when (UTC, ns since 1970)."""

    recording: Recording
    from_ns: int | None = None
    to_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A block in its place: sample `position` of part `part`. cause: of the gap before it."""

    part: int
    position: int
    block: Block
    cause: str = ""

    @property
    def stop(self) -> int:
        """Position one past its last sample."""
        return self.position + len(self.block.samples_uv)


@dataclass(slots=True)
class Part:
    """What goes into one file.

    length: samples a lead, gaps counted. low_uv, high_uv: extremes of each lead. marks: in
    order, gaps among them. start_utc_ns: of the first sample.
    """

    number: int
    format: StreamFormat
    start_utc_ns: int
    request: Request
    length: int = 0
    low_uv: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    high_uv: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    marks: list[Mark] = field(default_factory=list)

    @property
    def gaps(self) -> list[Mark]:
        """Those of the marks that are gaps."""
        return [mark for mark in self.marks if mark.kind == "gap"]

    def blocks(self) -> Iterator[Placed]:
        """The samples in their places."""
        for entry in _Placing().through(self.request):
            if isinstance(entry, Placed) and entry.part == self.number:
                yield entry

    def frames(self, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Position and samples, (size, leads), of each stretch of the grid that has any.

        A stretch begins at a whole multiple of `size`; NaN where a sample is missing.
        """
        at, frame = -1, self._empty(size)
        for placed in self.blocks():
            samples, position = without_noise(placed.block.samples_uv), placed.position
            while len(samples):
                if position // size != at:
                    if at >= 0:
                        yield at * size, frame
                    at, frame = position // size, self._empty(size)
                first = position % size
                taken = samples[: size - first]
                frame[first : first + len(taken)] = taken
                samples, position = samples[len(taken) :], position + len(taken)
        if at >= 0:
            yield at * size, frame

    def _empty(self, size: int) -> NDArray[np.float32]:
        return np.full((size, len(self.format.leads)), np.nan, np.float32)


def survey(request: Request) -> list[Part]:
    """The parts. Raises RecordingError where there is no sample in the time asked for."""
    parts: list[Part] = []
    marks: list[list[Mark]] = []
    placing = _Placing()
    marker = Marker(placing.place, marks, lambda number: parts[number].format.leads)
    for entry in placing.through(request):
        if isinstance(entry, Placed):
            if entry.part == len(parts):
                parts.append(_begun(entry, request))
                marks.append(parts[-1].marks)
            _extend(parts[-1], entry)
        elif isinstance(entry, Notes):
            for note in entry.notes:
                marker.add(note)
        else:
            marker = Marker(placing.place, marks, lambda number: parts[number].format.leads)
    if not parts:
        raise RecordingError(
            f"{request.recording.patient}: no samples in the recording in the time asked for"
        )
    for part in parts:
        inside = [mark for mark in part.marks if 0 <= mark.position < part.length]
        part.marks = sorted(inside, key=lambda mark: mark.position)
    return parts


def without_noise(samples_uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """The samples, NaN where a value is no voltage."""
    good = np.abs(samples_uv) <= LIMIT_UV
    return samples_uv if good.all() else np.where(good, samples_uv, np.float32(np.nan))


def _begun(placed: Placed, request: Request) -> Part:
    leads = len(placed.block.format.leads)
    part = Part(placed.part, placed.block.format, placed.block.utc_ns, request)
    part.low_uv, part.high_uv = np.full(leads, np.inf), np.full(leads, -np.inf)
    return part


def _extend(part: Part, placed: Placed) -> None:
    missing = placed.position - part.length
    if missing > 0:
        part.marks.append(Mark(part.length, "gap", f"gap {placed.cause}", length=missing))
    part.length = placed.stop
    samples = without_noise(placed.block.samples_uv)
    part.low_uv = np.fmin(part.low_uv, np.fmin.reduce(samples, initial=np.inf))
    part.high_uv = np.fmax(part.high_uv, np.fmax.reduce(samples, initial=-np.inf))


class _Placing:
    """Gives each block its part and its place there; the same on every reading."""

    def __init__(self) -> None:
        self._part = -1
        self._format: StreamFormat | None = None
        self._next = 0
        self._end_utc_ns = 0
        self._offset: int | None = None
        self._cause = "stopped"
        self._anchors: list[Placed] = []

    def through(self, request: Request) -> Iterator[Placed | Notes | Header]:
        """The recording, its blocks placed."""
        for entry in request.recording.read(request.from_ns, request.to_ns):
            match entry:
                case Block():
                    yield self._placed(entry)
                case Lost():
                    self._cause = entry.cause
                case Header():
                    self._offset, self._cause, self._anchors = None, "stopped", []
                    yield entry
                case Notes():
                    yield entry

    def place(self, time_ns: int) -> tuple[int, int] | None:
        """Part and sample of a stream time of the run that is being read."""
        before = [each for each in self._anchors if each.block.time_ns <= time_ns]
        if not before:
            return None
        anchor = before[-1]
        later_ns = time_ns - anchor.block.time_ns
        samples = round(later_ns * anchor.block.format.rate_hz / NS_PER_S)
        return anchor.part, anchor.position + samples

    def _placed(self, block: Block) -> Placed:
        is_new_run, position = self._offset is None, self._position_of(block)
        is_far = position - self._next > DAY_S * block.format.rate_hz
        if self._format != block.format or is_far:
            self._part, self._format, position = self._part + 1, block.format, 0
            is_new_run = True
        placed = Placed(self._part, position, block, self._cause)
        if is_new_run:
            self._anchors.append(placed)
        self._offset, self._next = position - block.start, placed.stop
        lasts_ns = round(len(block.samples_uv) / block.format.rate_hz * NS_PER_S)
        self._end_utc_ns = block.utc_ns + lasts_ns
        return placed

    def _position_of(self, block: Block) -> int:
        if self._offset is not None:
            return self._offset + block.start
        passed_s = max(0, block.utc_ns - self._end_utc_ns) / NS_PER_S
        return self._next + round(passed_s * block.format.rate_hz)
