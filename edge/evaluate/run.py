"""`edge evaluate` as a function: recordings through the streaming path, judged, summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from edge.commit import commit
from edge.evaluate.alarms import alarm_rows, alarms_summary
from edge.evaluate.beats import beats_row, beats_summary
from edge.evaluate.cinc import cinc_row, cinc_summary
from edge.evaluate.figures import Row, rounded
from edge.evaluate.folder import cinc_labels, is_cinc
from edge.evaluate.job import Job, chosen
from edge.evaluate.listen import CHUNK
from edge.evaluate.parallel import each
from edge.evaluate.peers import peer_beats
from edge.evaluate.pushed import Pushed, pushed_signal
from edge.evaluate.qrs import qrs_row, qrs_summary
from edge.evaluate.reference import Reference, read_reference
from edge.evaluate.report import bundle_facts, machine
from edge.evaluate.rhythm import rhythm_row, rhythm_summary
from firmware_bridge.errors import SourceError
from firmware_bridge.records import read_record

__all__ = ["Job", "evaluate"]

NEEDS_BEATS = frozenset({"qrs", "beats"})
NEEDS_RHYTHM = frozenset({"rhythm"})


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
    names, left_out = chosen(job, records)
    rows: list[Row] = []
    on_record(0, len(names))
    for done, found in enumerate(each(partial(judged, job), names, jobs), start=1):
        rows += found
        on_record(done, len(names))
    summary = _summary(job, rows)
    return {
        "task": job.task,
        "folder": job.folder_name,
        "records": rounded(rows),
        **rounded(summary),
        "left_out": list(left_out),
        "signal": _pushed(job),
        **facts,
    }


def judged(job: Job, name: str) -> list[Row]:
    """The rows of one record, each with remarks where its signal has defects."""
    path = job.folder / name
    record = read_record(path)
    if is_cinc(job.folder):
        signal = pushed_signal(job, record, None)
        rows = [cinc_row(name, cinc_labels(job.folder)[name], signal.heard(job.bundle))]
    else:
        reference = read_reference(path, record.rate_hz, len(record.digital))
        _check(job, path, reference)
        signal = pushed_signal(job, record, reference)
        rows = _rows(job, name, reference, signal)
    return [{**row, "remarks": signal.remarks} for row in rows] if signal.remarks else rows


def _rows(job: Job, name: str, reference: Reference, signal: Pushed) -> list[Row]:
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


def _check(job: Job, path: Path, reference: Reference) -> None:
    if job.task in NEEDS_BEATS and not len(reference.beats):
        raise SourceError(f"{path}.atr: no beats are annotated; `evaluate {job.task}` needs them")
    if job.task in NEEDS_RHYTHM and not (reference.rhythms or reference.fibrillation):
        raise SourceError(f"{path}.atr: no rhythm is annotated; `evaluate rhythm` needs it")


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
    mix = job.noise
    noise = mix and {
        "record": mix.path.name,
        "snr_db": mix.snr_db,
        "method": mix.method,
        "from": mix.start,
    }
    return {"lead": job.lead, "chunk_samples": CHUNK, "noise": noise}
