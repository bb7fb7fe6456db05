"""The figures of a report as one JSON object."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from edge.clock import rfc3339
from edge.holter.alarms import Alarm
from edge.holter.ectopy import Ectopy
from edge.holter.findings import Findings
from edge.holter.pauses import LIMITS_S
from edge.holter.rates import Moment

__all__ = ["as_json"]

DIGITS = 4


def as_json(findings: Findings) -> dict[str, Any]:
    """All figures, units in the names, times in UTC; absent knowledge is null."""
    survey, rates, af = findings.survey, findings.rates, findings.fibrillation
    tree: dict[str, Any] = {
        "patient": survey.patient,
        "device": survey.device,
        "start": rfc3339(survey.start_ns),
        "end": rfc3339(survey.stop_ns),
        "coverage": asdict(findings.coverage) | {"lost_s": survey.lost_s, "runs": survey.runs},
        "heart_rate_bpm": {
            "mean": rates.mean_bpm,
            "highest": _moment(rates.highest),
            "lowest": _moment(rates.lowest),
            "fastest_minute": _moment(rates.fastest_minute),
            "slowest_minute": _moment(rates.slowest_minute),
        },
        "beats": findings.beats,
        "rhythm_s": findings.rhythm_s,
        "ventricular": _ectopy(findings.ventricular),
        "supraventricular": _ectopy(findings.supraventricular),
        "pauses": {
            "longest_rr_s": _moment(findings.pauses.longest),
            "at_least_s": {
                f"{limit:g}": n for limit, n in zip(LIMITS_S, findings.pauses.counts, strict=True)
            },
            "doubtful": findings.pauses.doubtful,
        },
        "af": {
            "source": af.source,
            "analysed_s": af.analysed_s,
            "burden_percent": af.burden_percent,
            "episodes": [{"start": rfc3339(at), "duration_s": s} for at, s in af.episodes],
        },
        "nn": {"intervals": findings.nn.intervals, "excluded": findings.nn.excluded},
        "hrv_time": asdict(findings.time_domain),
        "hrv_frequency": asdict(findings.frequency_domain),
        "hours": [asdict(each) | {"start": rfc3339(each.start_ns)} for each in findings.hours],
        "alarms": [_alarm(each) for each in survey.alarms],
        "alarms_left_out": survey.alarms_left_out,
        "technical": survey.words,
    }
    for hour in tree["hours"]:
        del hour["start_ns"]
    return dict(_plain(tree))


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "id": alarm.id,
        "kind": alarm.kind,
        "type": alarm.type,
        "priority": alarm.priority,
        "onset": rfc3339(alarm.onset_ns),
        "duration_s": alarm.duration_s,
        "ended": alarm.ended,
        "evidence": alarm.evidence,
    }


def _ectopy(found: Ectopy) -> dict[str, Any]:
    runs = {"longest": _moment(found.longest), "fastest": _moment(found.fastest)}
    return asdict(found) | runs


def _moment(moment: Moment | None) -> dict[str, Any] | None:
    if moment is None:
        return None
    return {"value": moment.value, "at": rfc3339(moment.start_ns), "length_s": moment.length_s}


def _plain(value: Any) -> Any:
    """Numbers rounded to what they can mean; those that are none are null."""
    match value:
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case float():
            return round(value, DIGITS) if math.isfinite(value) else None
        case _:
            return value
