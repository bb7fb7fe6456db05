"""Recordings read back: samples, gaps and annotations in order, as far as the files are whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import EdgeError, Exit
from edge.record.content import (
    VERSION,
    Axis,
    Block,
    Header,
    Lost,
    axis_of,
    block_of,
    format_id,
    header_of,
    lost_of,
    notes_of,
    utc_of_samples,
)
from edge.record.framed import Kind, Raw, raw_records
from edge.record.notes import Notes
from edge.record.shelf import SUFFIX, pieces_of

__all__ = ["Entry", "Recording", "RecordingError", "open_recording"]

Entry = Header | Block | Lost | Notes
"""A `Header` stands at the beginning of each run: stream time and indices begin anew there."""


class RecordingError(EdgeError):
    """A recording that is not there or cannot be read."""

    exit_code = Exit.SOURCE


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """One file. utc_ns: of its first sample, by the host's clock."""

    path: Path
    header: Header
    utc_ns: int


@dataclass(frozen=True, slots=True)
class Recording:
    """The pieces of one patient's recording, in order."""

    patient: str
    pieces: tuple[StoredPiece, ...]

    @property
    def device(self) -> str:
        """The device of the newest piece."""
        return self.pieces[-1].header.device

    @property
    def start_utc_ns(self) -> int:
        """When it began, by the host's clock."""
        return self.pieces[0].utc_ns

    def read(self, from_ns: int | None = None, to_ns: int | None = None) -> Iterator[Entry]:
        """What was recorded, in order.

        from_ns, to_ns: UTC in nanoseconds since 1970, of the first sample and the one after the
        last; annotations come in the batches in which they were written, so that some may lie
        outside. Raises RecordingError where a file cannot be read.
        """
        reader = _Reader()
        for number, piece in enumerate(self.pieces):
            if to_ns is not None and piece.utc_ns >= to_ns:
                continue
            following = self.pieces[number + 1 :][:1]
            if from_ns is not None and following and following[0].utc_ns <= from_ns:
                continue
            for entry in reader.piece(piece.path, piece.header):
                yield from _within(entry, from_ns, to_ns)


def open_recording(path: Path, patient: str | None = None) -> Recording:
    """A recording by its directory, its patient's folder in it, or one of its files.

    Raises RecordingError where there is none, or several and `patient` does not say which.
    """
    try:
        paths = [path] if path.is_file() else pieces_of(_folder(path, patient))
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from None
    pieces = [piece for each in paths if (piece := _stored(each)) is not None]
    if not pieces:
        raise RecordingError(
            f"{path}: no recording: give a directory that `edge run --record` wrote, or a "
            f"{SUFFIX} file of it"
        )
    return Recording(pieces[0].header.patient, tuple(pieces))


def _folder(path: Path, patient: str | None) -> Path:
    """The one folder with pieces: the path itself, or the patient's below it."""
    if not patient and pieces_of(path):
        return path
    found = sorted(each for each in path.iterdir() if each.is_dir() and pieces_of(each))
    chosen = [each for each in found if patient in (None, each.name)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(each.name for each in found) or "none"
    if patient:
        raise RecordingError(f"{path}: no recording of {patient!r}; there are: {names}")
    if found:
        raise RecordingError(f"{path}: recordings of several patients: {names}; say --patient ID")
    return path


def _stored(path: Path) -> StoredPiece | None:
    """What the file is of, by its first records that are whole; None where it has no header,
    which is repeated, so that one damaged costs nothing."""
    header, utc_ns = None, None
    for raw in _records(path):
        if raw.kind == Kind.HEADER and header is None:
            header = _checked(path, header_of(raw.payload))
        elif raw.kind == Kind.SAMPLES and utc_ns is None:
            utc_ns = utc_of_samples(raw.payload)
        if header is not None and utc_ns is not None:
            break
    return StoredPiece(path, header, utc_ns or header.utc_ns) if header else None


def _checked(path: Path, header: Header | None) -> Header | None:
    if header is not None and header.edge_recording != VERSION:
        version = header.edge_recording
        raise RecordingError(
            f"{path}: recording of version {version}; this release reads {VERSION}"
        )
    return header


def _records(path: Path) -> Iterator[Raw]:
    try:
        with path.open("rb") as file:
            yield from raw_records(file)
    except FileNotFoundError:
        return  # deleted meanwhile, to make room
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from None


@dataclass(slots=True)
class _Reader:
    """Where reading stands: within a run, indices only grow."""

    run: str = ""
    axes: dict[int, Axis] = field(default_factory=dict)
    expected: int | None = None
    damaged: bool = False

    def piece(self, path: Path, header: Header) -> Iterator[Entry]:
        if header.run != self.run:
            self.run, self.axes, self.expected, self.damaged = header.run, {}, None, False
            yield header
        for raw in _records(path):
            self.damaged |= raw.skipped > 0
            match raw.kind:
                case Kind.FORMAT:
                    self._take_format(raw.payload)
                case Kind.SAMPLES:
                    yield from self._samples(raw.payload)
                case Kind.GAP:
                    yield from self._gap(raw.payload)
                case Kind.NOTES:
                    notes = notes_of(raw.payload)
                    if notes:
                        yield notes

    def _take_format(self, payload: bytes) -> None:
        axis = axis_of(payload)
        if axis:
            self.axes[axis.id] = axis

    def _samples(self, payload: bytes) -> Iterator[Entry]:
        axis = self.axes.get(format_id(payload))
        block = block_of(payload, axis) if axis else None
        if axis is None or block is None:
            self.damaged = True
        elif self.expected is None or block.start >= self.expected:
            yield from self._missing(axis, block.start)
            self.expected = block.stop
            yield block

    def _gap(self, payload: bytes) -> Iterator[Entry]:
        axis = self.axes.get(format_id(payload))
        lost = lost_of(payload, axis) if axis else None
        if axis is None or lost is None:
            self.damaged = True
        elif self.expected is None or lost.start >= self.expected:
            yield from self._missing(axis, lost.start)
            self.expected = lost.start + lost.length
            yield lost

    def _missing(self, axis: Axis, start: int) -> Iterator[Lost]:
        """What lies between the samples before and these, and nobody said why."""
        before, cause = self.expected, "damaged" if self.damaged else "unrecorded"
        self.damaged = False
        if before is not None and before < start:
            yield Lost(axis.format, before, start - before, axis.time_ns(before), cause)


def _within(entry: Entry, from_ns: int | None, to_ns: int | None) -> Iterator[Entry]:
    """The entry, of a block the samples between the two times."""
    if not isinstance(entry, Block):
        yield entry
        return
    rate_hz, count = entry.format.rate_hz, len(entry.samples_uv)
    first = 0 if from_ns is None else _samples_before(from_ns - entry.utc_ns, rate_hz)
    stop = count if to_ns is None else _samples_before(to_ns - entry.utc_ns, rate_hz)
    first, stop = min(max(first, 0), count), min(max(stop, 0), count)
    if first < stop:
        yield entry if (first, stop) == (0, count) else entry.part(first, stop)


def _samples_before(length_ns: int, rate_hz: float) -> int:
    """Samples that are taken in that time, the first at its beginning."""
    return -int(-length_ns * rate_hz // 1_000_000_000)
