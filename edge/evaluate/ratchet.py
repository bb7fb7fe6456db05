"""Figures held against the best so far: none gets worse unnoticed.

Bounds tighten when asked to, and loosen only when asked to by name. A bound's tolerance takes up
what another processor's arithmetic changes; it never moves the bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import UsageError
from edge.evaluate.figures import Row
from edge.evaluate.ratchet_file import Better, Bound, Entry, Evaluation, Ratchet, load, save

__all__ = ["Gate", "Verdict", "compare", "figures_of", "open_gate", "tightened"]

SLACK = 1e-9
"""Figures are rounded to four digits; their differences are not."""

PERCENT, RATIO, DELAY_S = 0.1, 0.002, 0.2
NONE = 0.0
BEAT = 1.0
COUNTS = frozenset({"fn", "fp"})
MANY_BEATS = 0.005
"""Share of a count of beats that arithmetic may change, where that is above one beat."""

RULES: dict[str, tuple[Better, float]] = {
    **dict.fromkeys(("se", "ppv", "sp"), ("higher", PERCENT)),
    **dict.fromkeys(("episode_se", "episode_ppv"), ("higher", PERCENT)),
    **dict.fromkeys(("duration_se", "duration_ppv"), ("higher", PERCENT)),
    **dict.fromkeys(("auroc", "f1", "N", "A", "O", "mean"), ("higher", RATIO)),
    "fpr": ("lower", PERCENT),
    **dict.fromkeys(COUNTS, ("lower", BEAT)),
    "true": ("higher", NONE),
    **dict.fromkeys(("missed", "false"), ("lower", NONE)),
    **dict.fromkeys(("p50", "p90", "max"), ("lower", DELAY_S)),
}
"""Last part of a figure's name to its better direction and tolerance. Other numbers of a report
are parts of these figures, or say how much there was to judge."""

SECTIONS = ("gross", "priorities")
Said = Literal["better", "held", "worse", "new", "gone"]
FAILED = frozenset({"worse", "gone"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure. bound is None where it is new, now where the report no longer has it."""

    figure: str
    bound: Bound | None
    now: float | None
    said: Said

    @property
    def fields(self) -> Row:
        """By the names that reports use."""
        return {
            "figure": self.figure,
            "bound": self.bound and self.bound.value,
            "better": self.bound and self.bound.better,
            "tolerance": self.bound and self.bound.tolerance,
            "now": self.now,
            "verdict": self.said,
        }


@dataclass(frozen=True, slots=True)
class Gate:
    """A ratchet file opened for one evaluation."""

    path: Path
    ratchet: Ratchet
    evaluation: Evaluation
    update: bool
    loosen: bool

    def judge(self, report: Row) -> Row:
        """Verdicts on a report; with `update`, the new bounds are in the file thereafter.

        ok: nothing is worse, or worse bounds were asked for. Raises StorageError.
        """
        old, figures = self.ratchet.bounds(self.evaluation) or {}, figures_of(report)
        verdicts = compare(old, figures)
        if self.update:
            bounds = tightened(old, figures, loosen=self.loosen)
            save(self.ratchet.replacing(Entry(self.evaluation, bounds)), self.path)
        return {
            "file": str(self.path),
            "ok": self.loosen or not any(each.said in FAILED for each in verdicts),
            "updated": self.update,
            "figures": [each.fields for each in verdicts],
        }


def open_gate(
    path: Path, evaluation: Evaluation, *, update: bool = False, loosen: bool = False
) -> Gate:
    """Read the file, before the long work. Raises UsageError where it holds no such evaluation."""
    ratchet = load(path, make=update)
    if not update and ratchet.bounds(evaluation) is None:
        raise UsageError(f"--ratchet {path}: holds no bounds for {evaluation}; --update adds them")
    return Gate(path, ratchet, evaluation, update, loosen)


def figures_of(report: Row) -> dict[str, float]:
    """The figures of a report that a ratchet holds, those that have a value, by name."""
    found = (figure for name in SECTIONS for figure in _flat(report.get(name, {}), ()))
    return {name: value for name, value in found if name.rpartition(".")[2] in RULES}


def compare(bounds: Mapping[str, Bound], figures: Mapping[str, float]) -> list[Verdict]:
    """A verdict on every bound and on every figure without one."""
    held = [_verdict(name, bound, figures.get(name)) for name, bound in bounds.items()]
    new = [Verdict(name, None, now, "new") for name, now in figures.items() if name not in bounds]
    return [*held, *new]


def tightened(
    bounds: Mapping[str, Bound], figures: Mapping[str, float], *, loosen: bool = False
) -> dict[str, Bound]:
    """Bounds that the figures have just met; worse ones too where `loosen` is set.

    Tolerances stay as they are in the file.
    """
    kept: dict[str, Bound] = {}
    for name, bound in bounds.items():
        now = figures.get(name)
        if now is None:
            kept |= {} if loosen else {name: bound}
        else:
            moved = loosen or _gain(bound, now) > 0
            kept[name] = Bound(now, bound.better, bound.tolerance) if moved else bound
    return kept | {name: _first(name, now) for name, now in figures.items() if name not in bounds}


def _first(name: str, now: float) -> Bound:
    leaf = name.rpartition(".")[2]
    better, tolerance = RULES[leaf]
    return Bound(now, better, max(tolerance, MANY_BEATS * now) if leaf in COUNTS else tolerance)


def _verdict(name: str, bound: Bound, now: float | None) -> Verdict:
    if now is None:
        return Verdict(name, bound, None, "gone")
    gain = _gain(bound, now)
    if gain < -bound.tolerance - SLACK:
        return Verdict(name, bound, now, "worse")
    return Verdict(name, bound, now, "better" if gain > SLACK else "held")


def _gain(bound: Bound, now: float) -> float:
    """By how much it is better than the bound."""
    return now - bound.value if bound.better == "higher" else bound.value - now


def _flat(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(each, (*path, key))
    elif isinstance(value, int | float):
        yield ".".join(path), float(value)
