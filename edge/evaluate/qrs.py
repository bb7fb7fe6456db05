"""QRS detection by EC57's beat-by-beat comparison, the class left aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.evaluate.ec57 import Score, compare_beats
from edge.evaluate.figures import Row, average
from edge.evaluate.listen import Heard
from edge.evaluate.reference import Reference

__all__ = ["qrs_row", "qrs_summary", "score_fields"]


def qrs_row(
    record: str,
    reference: Reference,
    heard: Heard,
    peers: Mapping[str, NDArray[np.int64]] | None = None,
) -> Row:
    """One record: beats found (tp), missed (fn) and made up (fp).

    peers: beats that other detectors found, by name.
    """
    row = {"record": record, **_scored(reference, heard.beats)}
    if peers:
        row["peers"] = {name: _scored(reference, beats) for name, beats in peers.items()}
    return row


def qrs_summary(rows: Sequence[Row]) -> Row:
    """All beats together (gross) and the mean of the records (average); so for each peer."""
    names = {name: None for row in rows for name in row.get("peers", ())}
    peers = {name: _summed([row["peers"][name] for row in rows]) for name in names}
    return {**_summed(rows), **({"peers": peers} if peers else {})}


def _scored(reference: Reference, beats: NDArray[np.int64]) -> Row:
    table = compare_beats(
        reference.beats, beats, reference.rate_hz, fibrillation=reference.fibrillation
    )
    return score_fields(table.qrs)


def _summed(rows: Sequence[Row]) -> Row:
    sums = Score(*(sum(row[key] for row in rows) for key in ("tp", "fp", "fn")))
    return {
        "gross": score_fields(sums),
        "average": {key: average(row[key] for row in rows) for key in ("se", "ppv")},
    }


def score_fields(score: Score) -> Row:
    """Counts and percentages by the names that reports use."""
    return {
        "tp": score.tp,
        "fn": score.fn,
        "fp": score.fp,
        "se": score.se,
        "ppv": score.ppv,
    }
