"""The samples that a recording is heard by: the leads asked for, with noise where asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.evaluate.job import Job
from edge.evaluate.listen import Heard, listen
from edge.evaluate.noise import add_noise
from edge.evaluate.reference import Reference
from edge.evaluate.remarks import signal_remarks
from firmware_bridge.records import Record

__all__ = ["Pushed", "pushed_signal"]


@dataclass(frozen=True, slots=True, eq=False)
class Pushed:
    """What is pushed: shape (samples, leads), NaN where invalid."""

    samples_uv: NDArray[np.float32]
    rate_hz: float
    leads: tuple[str, ...]
    remarks: tuple[str, ...]

    def heard(self, bundle: str) -> Heard:
        return listen(self.samples_uv, self.rate_hz, self.leads, bundle)


def pushed_signal(job: Job, record: Record, reference: Reference | None) -> Pushed:
    """The lead or leads to hear, with noise where that is asked for."""
    clean_uv = record.samples_uv()
    heard = _columns(job.lead, record)
    leads = tuple(record.leads[k] for k in heard)
    remarks = tuple(signal_remarks(clean_uv[:, heard], leads))
    samples_uv = clean_uv
    if job.noise is not None and reference is not None:
        samples_uv = add_noise(clean_uv, reference, job.noise)
    return Pushed(samples_uv[:, heard], record.rate_hz, leads, remarks)


def _columns(lead: int | str | None, record: Record) -> list[int]:
    """Indices of the leads to hear. Raises UsageError where the record has no such lead."""
    if lead is None:
        return list(range(len(record.leads)))
    if lead in record.leads:
        return [record.leads.index(str(lead))]
    if isinstance(lead, int) and lead < len(record.leads):
        return [lead]
    there = ", ".join(f"{k} ({name})" for k, name in enumerate(record.leads))
    raise UsageError(f"--lead {lead}: record {record.name} has leads {there}")
