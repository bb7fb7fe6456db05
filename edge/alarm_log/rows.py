"""Conditions and messages as rows: for JSON, and with plain cells for CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import Any, TextIO

import msgspec

from edge.alarm_log.condition import AlarmCondition, LoggedStep

__all__ = ["condition_row", "step_row", "write_csv"]

CONDITION_COLUMNS = (
    "id",
    "patient",
    "device",
    "kind",
    "type",
    "priority",
    "onset",
    "start",
    "end",
    "presence",
    "acknowledged",
    "acknowledged_by",
    "delivery",
    "messages",
    "bundle",
    "evidence",
)
STEP_COLUMNS = (
    "onset",
    "time",
    "patient",
    "device",
    "priority",
    "kind",
    "phase",
    "seq",
    "state",
    "inactivation",
    "acknowledged_by",
    "delivery",
    "id",
    "bundle",
    "evidence",
)


def condition_row(condition: AlarmCondition) -> dict[str, Any]:
    """One alarm condition. start, end: when these were decided, UTC; end is null while it is on.
    evidence: of its first message. messages: how many the log has of it."""
    first, newest = condition.began, condition.newest
    return {
        "id": newest.id,
        "patient": newest.patient,
        "device": newest.device,
        "kind": newest.kind,
        "type": newest.type,
        "priority": condition.priority,
        "onset": first.onset,
        "start": first.time,
        "end": condition.ended,
        "presence": condition.presence,
        "acknowledged": condition.acknowledged,
        "acknowledged_by": condition.acknowledged_by,
        "delivery": condition.delivery,
        "messages": len(condition.steps),
        "bundle": newest.bundle,
        "evidence": first.evidence,
    }


def step_row(step: LoggedStep) -> dict[str, Any]:
    """One message as it was published, and what became of it."""
    row: dict[str, Any] = msgspec.to_builtins(step.message)
    return row | {"delivery": step.delivery}


def write_csv(rows: Sequence[dict[str, Any]], file: TextIO, messages: bool) -> None:
    """A header and one line a row. messages: the rows are messages, not conditions."""
    columns = STEP_COLUMNS if messages else CONDITION_COLUMNS
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"evidence": json.dumps(row["evidence"])})
