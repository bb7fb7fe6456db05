"""One evaluation that quantising is to be judged by, as the command line names it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import UsageError

__all__ = ["Judgement", "check_apart", "judgement_argument"]

Task = Literal["qrs", "beats", "rhythm"]
TASKS: tuple[Task, ...] = ("qrs", "beats", "rhythm")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`edge evaluate TASK DIR`. records: names or groups, separated by commas; None for all."""

    task: Task
    folder: Path
    records: str | None

    @property
    def data(self) -> str:
        """The recordings, by the folder's last part."""
        return f"{self.folder.name} {self.records}" if self.records else self.folder.name


def judgement_argument(text: str) -> Judgement:
    """From `TASK=DIR` or `TASK=DIR@A,B`."""
    name, _, where = text.partition("=")
    folder, _, records = where.partition("@")
    for task in TASKS:
        if task == name and folder:
            return Judgement(task, Path(folder), records or None)
    known = ", ".join(TASKS)
    raise argparse.ArgumentTypeError(f"{text!r} is not TASK=DIR or TASK=DIR@A,B; TASK: {known}")


def check_apart(asked: Sequence[Judgement], folder: Path, calibrated: Sequence[str]) -> None:
    """UsageError where recordings that were calibrated on are to judge the result."""
    from edge.evaluate.folder import record_names

    for each in asked:
        if each.folder.resolve() == folder.resolve():
            both = sorted(set(record_names(each.folder, each.records)).intersection(calibrated))
            if both:
                raise UsageError(
                    f"--judge {each.task}={each.folder}: {both[0]} is calibrated on as well; name"
                    " other recordings to one of the two (--records A,B; --judge TASK=DIR@A,B)"
                )
