"""AF and VF by episodes and durations, on records with rhythm annotations.

The test's episodes are the alarms of kinds `af` and `vf`, from their onset to their end.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.evaluate.episodes import EpisodeScore, compare_episodes
from edge.evaluate.figures import Row, average
from edge.evaluate.listen import Heard
from edge.evaluate.reference import Reference
from edge.evaluate.spans import Span

__all__ = ["rhythm_row", "rhythm_summary"]

KINDS = ("af", "vf")
FIGURES = ("episode_se", "episode_ppv", "duration_se", "duration_ppv")


def rhythm_row(record: str, reference: Reference, heard: Heard) -> Row:
    """One record."""
    rate_hz, end_s = reference.rate_hz, reference.duration_s
    af = compare_episodes(
        _seconds(reference.spans("AFIB"), rate_hz),
        _alarms(heard, "af"),
        end_s,
        excluded=_seconds(reference.spans("AFL"), rate_hz),
    )
    fibrillation = _seconds(reference.fibrillation, rate_hz)
    vf = compare_episodes(fibrillation, _alarms(heard, "vf"), end_s)
    return {"record": record, "af": af.fields, "vf": vf.fields}


def rhythm_summary(rows: Sequence[Row]) -> Row:
    """All records together, and the means of the records that have a figure."""
    gross = {
        kind: sum((_score(row[kind]) for row in rows), start=EpisodeScore()).fields
        for kind in KINDS
    }
    averages = {
        kind: {name: average(row[kind][name] for row in rows) for name in FIGURES} for kind in KINDS
    }
    return {"gross": gross, "average": averages}


def _score(fields: Row) -> EpisodeScore:
    return EpisodeScore(**{name: fields[name] for name in EpisodeScore.__slots__})


def _alarms(heard: Heard, kind: str) -> list[Span]:
    return [alarm.span for alarm in heard.alarms if alarm.kind == kind]


def _seconds(spans: Sequence[Span], rate_hz: float) -> list[Span]:
    return [(start / rate_hz, stop / rate_hz) for start, stop in spans]
