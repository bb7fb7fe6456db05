"""Recording beside the monitoring: the engine hands over, a thread of its own writes.

The engine's part is to keep references; once a second they go into a bounded queue. A disk that
is too slow or full costs samples of the recording, counted and seen as gaps in it, and nothing
of the monitoring.
"""

from __future__ import annotations

import logging
import queue
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from edge.clock import Clock
from edge.messages import StateMessage
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Step
from edge.record.notes import TechnicalNote
from edge.record.shelf import Shelf
from edge.record.track import Happening, Track
from edge.record.volume import Volume
from edge.record_settings import RecordSettings
from edge.worker import QueueWorker
from firmware_bridge.stream import Chunk

__all__ = ["Recorder", "RecordingCounts"]

HAND_OVER_NS = 800_000_000
"""A process that is killed loses what was not handed over and written yet: with a packet's length
and the writing less than a second."""
HAPPENINGS_MAX = 512
"""Handed over earlier where so many have gathered: sources may be faster than real time."""
WAITING = 64
"""Batches that may wait for the disk: most of a minute of a card that is busy with itself."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """bytes: written. unrecorded: samples a lead, of all patients, that found no place."""

    bytes: int = 0
    unrecorded: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """What happened to all patients since the batch before. dropped: samples lost before it."""

    happenings: Sequence[Happening]
    now_ns: int
    utc_ns: int
    dropped: int


class Recorder(QueueWorker[_Batch]):
    """Records every patient of a run. An `Observer` of the runtime; it never raises there."""

    def __init__(self, settings: RecordSettings, clock: Clock) -> None:
        """Raises StorageError where the directory cannot be written."""
        super().__init__("recorder", WAITING)
        self._settings = settings
        self._clock = clock
        self._shelf = Shelf(settings)
        self._run_id = uuid.uuid4().hex
        self._software = f"edge {version('edge')}"
        self._gathered: list[Happening] = []
        self._due_ns = clock.monotonic_ns()
        self._dropped = self._dropped_before = 0
        self._refused = 0
        self._tracks: dict[str, tuple[Track, Volume]] = {}

    @property
    def counts(self) -> RecordingCounts:
        """So far."""
        written = sum(volume.written for _, volume in self._tracks.values())
        unrecorded = self._refused + self._dropped_before + self._dropped
        return RecordingCounts(written, unrecorded)

    def close(self, timeout_s: float) -> None:
        """Write what waits, for so long at most, and complete the files; once."""
        if not self._closing.is_set():
            self._hand_over()
        super().close(timeout_s)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Keep what the pipeline brought forth."""
        self._gathered.append(Happening(monitor, step, monitor.pipeline.anchor))
        if self._is_due or len(self._gathered) >= HAPPENINGS_MAX:
            self._hand_over()

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """Keep what became of the link."""
        note = TechnicalNote(monitor.now_ns, f"link_{report.word}", report.reason)
        self._gathered.append(Happening(monitor, None, monitor.pipeline.anchor, note))

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """Hand over also where nothing comes any more."""
        if self._gathered and self._is_due:
            self._hand_over()

    @property
    def _is_due(self) -> bool:
        """By the engine's clock: what a replay says of its packets' arrival may run ahead of it."""
        return self._clock.monotonic_ns() >= self._due_ns

    def _hand_over(self) -> None:
        happenings, self._gathered = self._gathered, []
        now_ns = self._clock.monotonic_ns()
        self._due_ns = now_ns + HAND_OVER_NS
        batch = _Batch(happenings, now_ns, self._clock.utc_ns(), self._dropped)
        try:
            self._queue.put_nowait(batch)
            self._dropped_before += self._dropped
            self._dropped = 0
        except queue.Full:
            if not self._dropped:
                log.warning("recording: the disk is too slow; what it cannot take is left out")
            self._dropped += _samples(happenings)

    def _handle(self, batch: _Batch) -> None:
        by_patient: dict[str, list[Happening]] = {}
        for each in batch.happenings:
            by_patient.setdefault(each.monitor.patient.id, []).append(each)
        for patient, happenings in by_patient.items():
            try:
                self._write(patient, happenings, batch)
            except Exception:  # a defect of ours ends a batch, not the recording
                log.exception("recording of %s", patient)
                self._refused += _samples(happenings)

    def _complete(self) -> None:
        for _, volume in self._tracks.values():
            volume.close()

    def _write(self, patient: str, happenings: list[Happening], batch: _Batch) -> None:
        monitor = happenings[0].monitor
        track, volume = self._tracks.get(patient) or self._begin(patient, monitor.device)
        refused = volume.refused
        if volume.needs_piece(batch.now_ns):
            header = volume.begin_new(batch.now_ns, batch.utc_ns, self._software)
            if header is not None:
                track.begin(header)
        for reason in (refused, batch.dropped and "the disk is too slow"):
            if reason:
                at_ns = happenings[0].anchor.stream_ns if happenings[0].anchor else 0
                note = TechnicalNote(at_ns, "unrecorded", str(reason))
                happenings.insert(0, Happening(monitor, None, None, note))
        data = track.take(happenings, batch.now_ns, batch.utc_ns)
        if data and not volume.append(data, batch.now_ns):
            self._refused += _samples(happenings)

    def _begin(self, patient: str, device: str) -> tuple[Track, Volume]:
        volume = Volume(self._settings, self._shelf, patient, device, self._run_id)
        self._tracks[patient] = Track(), volume
        return self._tracks[patient]


def _samples(happenings: Iterable[Happening]) -> int:
    """Samples a lead in them."""
    steps = (each.step for each in happenings if each.step)
    return sum(
        len(event.samples_uv) for step in steps for event in step.events if isinstance(event, Chunk)
    )
