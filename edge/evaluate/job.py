"""What one evaluation is asked to judge, and which records that makes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import UsageError
from edge.evaluate.folder import PACED, is_cinc, record_names
from edge.evaluate.noise import NoiseMix

__all__ = ["TASKS", "Job", "Task", "chosen"]

Task = Literal["qrs", "beats", "rhythm", "alarms"]
TASKS: tuple[Task, ...] = ("qrs", "beats", "rhythm", "alarms")


@dataclass(frozen=True, slots=True)
class Job:
    """What to judge. lead: index or name of the one signal to hear, None for all, as `edge run`
    would. noise: what to mix in. peers: run the other QRS detectors that are installed too.
    """

    task: Task
    folder: Path
    bundle: str
    lead: int | str | None = None
    noise: NoiseMix | None = None
    peers: bool = False

    @property
    def folder_name(self) -> str:
        """Its last part, for reports: they say nothing of where a machine keeps its data."""
        return Path(os.path.abspath(self.folder)).name  # noqa: PTH100 (links stay as named)


def chosen(job: Job, records: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Records to judge, and those left out because they are paced.

    Raises UsageError and SourceError where the folder or the job does not fit.
    """
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
