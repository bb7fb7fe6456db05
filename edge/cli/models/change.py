"""What quantising a bundle changes in its clinical figures: both judged on the same recordings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge.cli.models.judgement import Judgement
from edge.evaluate.figures import Row
from edge.evaluate.job import Job
from edge.evaluate.ratchet import COUNTS, RULES, figures_of
from edge.evaluate.run import evaluate

__all__ = ["Change", "changes"]

RATIOS = frozenset({"auroc", "f1", "N", "A", "O", "mean"})
"""Figures from 0 to 1; the others are percentages."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after; after is None where it no longer has a value."""

    judgement: Judgement
    figure: str
    before: float
    after: float | None

    @property
    def unit(self) -> str:
        """Of both values."""
        return "" if _leaf(self.figure) in RATIOS else "%"

    @property
    def points(self) -> float | None:
        """By how many percentage points it became better; None where it has no value now."""
        if self.after is None:
            return None
        gain = (self.after - self.before) * (100.0 if _leaf(self.figure) in RATIOS else 1.0)
        return round(gain if RULES[_leaf(self.figure)][0] == "higher" else -gain, 4)

    def is_worse(self, bound_points: float) -> bool:
        """Whether it lost its value, or more points than that."""
        return self.points is None or self.points < -bound_points

    def line(self) -> str:
        """For people."""
        name = f"{self.judgement.task:<9} {self.figure} on {self.judgement.data}"
        if self.after is None:
            return f"{name}: {self.before:g} -> no value"
        return f"{name}: {self.before:g} -> {self.after:g}, {self.points:+.2f} points"

    def fields(self) -> Row:
        """By the names that the report uses."""
        return {
            "task": self.judgement.task,
            "data": self.judgement.data,
            "figure": self.figure,
            "before": self.before,
            "after": self.after,
            "points": self.points,
        }


def changes(before: str, after: str, asked: Sequence[Judgement], jobs: int) -> Iterator[Change]:
    """Every figure of every evaluation. before, after: bundles by name or folder.

    Raises UsageError, SourceError and ModelError.
    """
    for each in asked:
        was, now = (
            _figures(evaluate(Job(each.task, each.folder, bundle), each.records, jobs))
            for bundle in (before, after)
        )
        for name, value in was.items():
            yield Change(each, name, value, now.get(name))


def _figures(report: Row) -> Mapping[str, float]:
    """Without counts: what they count is in the shares."""
    return {name: v for name, v in figures_of(report).items() if _leaf(name) not in COUNTS}


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]
