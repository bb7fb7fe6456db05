"""`edge evaluate` as a function: recordings through the streaming path, judged, summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.evaluate.alarms import alarm_rows, alarms_summary
from edge.evaluate.beats import beats_row, beats_summary
from edge.evaluate.cinc import cinc_row, cinc_summary
from edge.evaluate.figures import Row, rounded
from edge.evaluate.folder import PACED, cinc_labels, is_cinc, record_names
from edge.evaluate.listen import CHUNK, Heard, listen
from edge.evaluate.noise import add_noise
from edge.evaluate.parallel import each
from edge.evaluate.peers import peer_beats
from edge.evaluate.qrs import qrs_row, qrs_summary
from edge.evaluate.reference import Reference, read_reference
from edge.evaluate.report import bundle_facts, commit, machine
from edge.evaluate.rhythm import rhythm_row, rhythm_summary
from firmware_bridge.errors import SourceError
from firmware_bridge.records import Record, read_record

__all__ = ["TASKS", "Job", "Task", "evaluate"]

Task = Literal["qrs", "beats", "rhythm", "alarms"]
TASKS: tuple[Task, ...] = ("qrs", "beats", "rhythm", "alarms")
NEEDS_BEATS = frozenset({"qrs", "beats"})
NEEDS_RHYTHM = frozenset({"rhythm"})


@dataclass(frozen=True, slots=True)
class Job:
    """What to judge. lead: index of the one signal to hear, None for all, as `edge run` would.

    noise: a WFDB noise record, mixed in at `snr_db`. peers: run the other QRS detectors that
    are installed too.
    """

    task: Task
    folder: Path
    bundle: str
    lead: int | None = None
    noise: Path | None = None
    snr_db: float | None = None
    peers: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Signal:
    """What is pushed: shape (samples, leads), NaN where invalid."""

    samples_uv: NDArray[np.float32]
    rate_hz: float
    leads: tuple[str, ...]

    def heard(self, bundle: str) -> Heard:
        return listen(self.samples_uv, self.rate_hz, self.leads, bundle)


def evaluate(
    job: Job,
    records: str | None = None,
    jobs: int = 1,
    on_record: Callable[[int, int], None] = lambda _done, _all: None,
) -> Row:
    """The report, as docs/evaluation.md describes it.

    records: names, or None for all; jobs: processes; on_record: told how many of how many are
    done. Raises UsageError, SourceError and ModelError.
    """
    facts = {"bundle": bundle_facts(job.bundle), "commit": commit(), "machine": machine(jobs)}
    names, left_out = _chosen(job, records)
    rows: list[Row] = []
    on_record(0, len(names))
    for done, found in enumerate(each(partial(judged, job), names, jobs), start=1):
        rows += found
        on_record(done, len(names))
    summary = _summary(job, rows)
    return {
        "task": job.task,
        "records": rounded(rows),
        **rounded(summary),
        "left_out": list(left_out),
        "signal": _pushed(job),
        **facts,
    }


def judged(job: Job, name: str) -> list[Row]:
    """The rows of one record."""
    path = job.folder / name
    record = read_record(path)
    if is_cinc(job.folder):
        heard = _signal(job, record, None).heard(job.bundle)
        return [cinc_row(name, cinc_labels(job.folder)[name], heard)]
    reference = read_reference(path, record.rate_hz, len(record.digital))
    _check(job, path, reference)
    signal = _signal(job, record, reference)
    heard = signal.heard(job.bundle)
    match job.task:
        case "qrs":
            lead_uv = signal.samples_uv[:, 0]
            peers = peer_beats(lead_uv, signal.rate_hz) if job.peers else None
            return [qrs_row(name, reference, heard, peers)]
        case "beats":
            return [beats_row(name, reference, heard)]
        case "rhythm":
            return [rhythm_row(name, reference, heard)]
        case "alarms":
            return alarm_rows(name, reference, heard)


def _signal(job: Job, record: Record, reference: Reference | None) -> _Signal:
    """The lead or leads to hear, with noise where that is asked for."""
    samples_uv, leads = record.samples_uv(), record.leads
    if job.lead is not None and job.lead >= len(leads):
        there = ", ".join(f"{k} ({lead})" for k, lead in enumerate(leads))
        raise UsageError(f"--lead {job.lead}: record {record.name} has leads {there}")
    if job.noise is not None and job.snr_db is not None and reference is not None:
        samples_uv = add_noise(samples_uv, reference, job.noise, job.snr_db)
    if job.lead is not None:
        samples_uv, leads = samples_uv[:, [job.lead]], (leads[job.lead],)
    return _Signal(samples_uv, record.rate_hz, leads)


def _check(job: Job, path: Path, reference: Reference) -> None:
    if job.task in NEEDS_BEATS and not len(reference.beats):
        raise SourceError(f"{path}.atr: no beats are annotated; `evaluate {job.task}` needs them")
    if job.task in NEEDS_RHYTHM and not (reference.rhythms or reference.fibrillation):
        raise SourceError(f"{path}.atr: no rhythm is annotated; `evaluate rhythm` needs it")


def _chosen(job: Job, records: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Records to judge, and those left out because they are paced."""
    names = record_names(job.folder, records)
    if is_cinc(job.folder):
        _check_cinc(job)
    if job.task == "beats" and records is None:
        return tuple(n for n in names if n not in PACED), tuple(n for n in names if n in PACED)
    return names, ()


def _check_cinc(job: Job) -> None:
    if job.task != "rhythm":
        raise UsageError(
            f"{job.folder}: CinC 2017 has one label a recording: only `evaluate rhythm` fits it"
        )
    if job.noise is not None:
        raise UsageError("--noise needs annotated beats; recordings of CinC 2017 have none")


def _summary(job: Job, rows: Sequence[Row]) -> Row:
    if is_cinc(job.folder):
        return cinc_summary(rows)
    summaries = {
        "qrs": qrs_summary,
        "beats": beats_summary,
        "rhythm": rhythm_summary,
        "alarms": alarms_summary,
    }
    return summaries[job.task](rows)


def _pushed(job: Job) -> Row:
    """How the samples came to be pushed."""
    noise = None if job.noise is None else {"record": job.noise.name, "snr_db": job.snr_db}
    return {"lead": job.lead, "chunk_samples": CHUNK, "noise": noise}
