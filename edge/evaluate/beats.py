"""Beat classification by EC57: confusion of AAMI classes, VEB and SVEB, and their runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.evaluate.ec57 import CLASSES, BeatTable, compare_beats
from edge.evaluate.figures import Row, average
from edge.evaluate.listen import Heard
from edge.evaluate.qrs import score_fields
from edge.evaluate.reference import Reference
from edge.evaluate.runs import Beats, Kind, compare_runs, sum_runs
from edge.evaluate.spans import Span, merged

__all__ = ["beats_row", "beats_summary"]

UNLABELLED = "Q"
"""EC57's class for a beat that the test does not classify."""

MISSED = "missed"
EXTRA = "extra"
KINDS: tuple[Kind, ...] = ("veb", "sveb")
ATRIAL = ("AFIB", "AFL", "AF")
"""Rhythm labels that `rxr` takes for atrial fibrillation."""


def beats_row(record: str, reference: Reference, heard: Heard) -> Row:
    """One record. unlabelled: beats that no class came for, counted as Q."""
    said = [label if label in CLASSES else UNLABELLED for label in heard.classes]
    table = compare_beats(
        reference.beats,
        heard.beats,
        reference.rate_hz,
        reference_classes=reference.classes,
        test_classes=said,
        fibrillation=reference.fibrillation,
    )
    unlabelled = sum(label not in CLASSES for label in heard.classes)
    return {
        "record": record,
        **_scores(table),
        "confusion": _named(table),
        "runs": _runs(reference, heard, said),
        "unlabelled": unlabelled,
    }


def beats_summary(rows: Sequence[Row]) -> Row:
    """All beats together; figures of the average are means of the records that have them."""
    table = BeatTable(np.zeros((len(CLASSES) + 1, len(CLASSES) + 1), np.int64))
    for row in rows:
        table += _table(row["confusion"])
    averages = {
        kind: {key: average(row[kind][key] for row in rows) for key in ("se", "ppv", "fpr")}
        for kind in KINDS
    }
    runs = {
        kind: {
            name: score.fields for name, score in sum_runs(r["runs"][kind] for r in rows).items()
        }
        for kind in KINDS
    }
    return {"confusion": _named(table), "gross": _scores(table), "average": averages, "runs": runs}


def _runs(reference: Reference, heard: Heard, said: Sequence[str]) -> Row:
    """Runs by kind and class. The test's fibrillation is its alarms, as in `rhythm`."""
    known = Beats(
        reference.beats.tolist(),
        reference.classes,
        reference.fibrillation,
        _samples(reference.spans(*ATRIAL), 1.0),
    )
    alarms = {
        kind: _samples([a.span for a in heard.alarms if a.kind == kind], reference.rate_hz)
        for kind in ("vf", "af")
    }
    told = Beats(heard.beats.tolist(), said, alarms["vf"], alarms["af"])
    return {
        kind: {
            name: score.fields
            for name, score in compare_runs(known, told, reference.rate_hz, kind).items()
        }
        for kind in KINDS
    }


def _samples(spans: Sequence[Span], rate_hz: float) -> list[tuple[int, int]]:
    return [(round(a * rate_hz), round(b * rate_hz)) for a, b in merged(spans)]


def _scores(table: BeatTable) -> Row:
    return {
        "veb": {**score_fields(table.veb), "fpr": table.veb_false_positive_rate},
        "sveb": {**score_fields(table.sveb), "fpr": table.sveb_false_positive_rate},
    }


def _named(table: BeatTable) -> dict[str, dict[str, int]]:
    """Reference class, or `extra`, to test class, or `missed`, to beats."""
    counts = table.counts.tolist()
    return {
        row: dict(zip((*CLASSES, MISSED), values, strict=True))
        for row, values in zip((*CLASSES, EXTRA), counts, strict=True)
    }


def _table(confusion: dict[str, dict[str, int]]) -> BeatTable:
    rows = [[confusion[row][column] for column in (*CLASSES, MISSED)] for row in (*CLASSES, EXTRA)]
    return BeatTable(np.array(rows, np.int64))
