"""Alarms against the conditions that the reference annotations show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from edge.alarm.limits import AlarmLimits
from edge.alert import AlarmKind, Priority
from edge.evaluate.conditions import Conditions, reference_conditions
from edge.evaluate.figures import Row, quantiles
from edge.evaluate.listen import AlarmSpan, Heard
from edge.evaluate.reference import Reference
from edge.evaluate.spans import Span, merged, overlaps

__all__ = ["TOLERANCE_S", "alarm_rows", "alarms_summary"]

TOLERANCE_S = 2.0
"""Annotated onsets and ends are no truer than this; a match is an overlap within it."""

HOURS_A_DAY = 24.0
S_PER_HOUR = 3600.0
VENTRICULAR = "vt_or_vf"
COUNTS = ("true", "missed", "false", "excused")


def alarm_rows(record: str, reference: Reference, heard: Heard) -> list[Row]:
    """A row a kind that the annotations can judge.

    true, missed: conditions of the reference that an alarm of the kind met, or none did.
    false: alarms that meet no condition. excused: alarms that meet one too short to ask for an
    alarm, or explained by another. delays_s: from a condition's onset to its first alert, 0
    where an alarm was on already.
    """
    conditions = reference_conditions(reference, AlarmLimits())
    rows = [
        _row(record, kind.value, found, [a for a in heard.alarms if a.kind == kind])
        for kind, found in conditions.items()
    ]
    either = [a for a in heard.alarms if a.kind in (AlarmKind.VT, AlarmKind.VF)]
    rows.append(_row(record, VENTRICULAR, _either(conditions), either))
    return [{**row, "duration_s": reference.duration_s} for row in rows]


def alarms_summary(rows: Sequence[Row]) -> Row:
    """All kinds together, each counted as itself, each by itself, and by priority.

    The row `vt_or_vf` takes either alarm for either condition; it is not in the gross figures.
    """
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    of_kind = {kind: [row for row in rows if row["kind"] == kind] for kind in kinds}
    hours = sum({row["record"]: row["duration_s"] for row in rows}.values()) / S_PER_HOUR
    own = [row for row in rows if row["kind"] != VENTRICULAR]
    return {
        "hours": hours,
        "tolerance_s": TOLERANCE_S,
        "gross": _sums(own, hours),
        "kinds": {
            kind: _sums(few, sum(row["duration_s"] for row in few) / S_PER_HOUR)
            for kind, few in of_kind.items()
        },
        "priorities": {
            priority.value: _sums([row for row in own if _priority(row["kind"]) is priority], hours)
            for priority in Priority
        },
    }


def _row(record: str, kind: str, conditions: Conditions, alarms: Sequence[AlarmSpan]) -> Row:
    required = conditions.required
    met = [[a for a in alarms if overlaps(a.span, [span], TOLERANCE_S)] for span in required]
    delays_s = [
        max(0.0, min(a.told_s for a in found) - span[0])
        for span, found in zip(required, met, strict=True)
        if found
    ]
    idle = [a for a in alarms if not overlaps(a.span, required, TOLERANCE_S)]
    excused = [a for a in idle if overlaps(a.span, conditions.excused, TOLERANCE_S)]
    return {
        "record": record,
        "kind": kind,
        "true": len(delays_s),
        "missed": len(required) - len(delays_s),
        "false": len(idle) - len(excused),
        "excused": len(excused),
        "delays_s": delays_s,
    }


def _either(conditions: dict[AlarmKind, Conditions]) -> Conditions:
    both = [conditions[kind] for kind in (AlarmKind.VT, AlarmKind.VF) if kind in conditions]
    return Conditions(
        _joined(each.required for each in both), _joined(each.excused for each in both)
    )


def _joined(groups: Iterable[tuple[Span, ...]]) -> tuple[Span, ...]:
    return tuple(merged(chain.from_iterable(groups), AlarmLimits().end_s))


def _priority(kind: str) -> Priority:
    return AlarmLimits().priority(AlarmKind(kind))


def _sums(rows: Sequence[Row], hours: float) -> Row:
    counts = {name: sum(row[name] for row in rows) for name in COUNTS}
    delays_s = [delay for row in rows for delay in row["delays_s"]]
    a_day = counts["false"] / hours * HOURS_A_DAY if hours else None
    return {**counts, "false_per_24h": a_day, "delay_s": quantiles(delays_s)}
