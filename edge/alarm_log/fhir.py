"""Alarm conditions as FHIR R4: one Bundle, an Observation a condition, and one a strip.

R4 has no resource for an alarm of a device; R6 drafts `DeviceAlert`. `Flag` and `DetectedIssue` are
for what a person is to bear in mind and for conflicts of treatment, so an Observation carries the
condition, with what ISO/IEEE 11073 says of an alarm as its components. Nothing here has been looked
at by a clinician: every status is `preliminary`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import numpy as np

from edge.alarm_log.condition import AlarmCondition
from edge.clock import rfc3339
from edge.export.fhir_terms import (
    ECG,
    NAMESPACE,
    UCUM,
    Resource,
    codings,
    ecg_lead,
    mdc,
    observation,
)
from edge.export.scale import MISSING
from edge.messages import StripMessage
from edge.strips.codec import decode_numbers
from edge.strips.words import UNITS, kind_words, moment

__all__ = ["alarm_bundle"]

ALARM_STATE, INACTIVATION, PRIORITY, ALERT_TYPE = 68482, 68483, 68484, 68485
"""MDC_ATTR_ALARM_STATE, MDC_ATTR_ALARM_INACTIVATION_STATE, MDC_ATTR_ALARM_PRIORITY,
MDC_ATTR_ALERT_TYPE of ISO/IEEE 11073-10101."""


def alarm_bundle(
    found: Iterable[AlarmCondition],
    strips: Mapping[str, Sequence[StripMessage]],
    now_utc_ns: int,
) -> Resource:
    """The Bundle of type `collection`. strips: by id of the alert, where there are any."""
    entries: list[Resource] = []
    for condition in found:
        evidence = [_strip(each) for each in strips.get(condition.newest.id, ())]
        entries += [_entry(each) for each in evidence]
        entries.append(_entry(_alarm(condition, evidence)))
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": rfc3339(now_utc_ns),
        "entry": entries,
    }


def _entry(resource: Resource) -> Resource:
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}


def _alarm(condition: AlarmCondition, strips: Sequence[Resource]) -> Resource:
    first, newest = condition.began, condition.newest
    period = {"start": first.onset} | ({"end": condition.ended} if condition.ended else {})
    coding = codings(newest.codes)
    rest: Resource = {
        "identifier": [{"value": newest.id}],
        "effectivePeriod": period,
        "issued": first.time,
        "valueCodeableConcept": {"text": f"alarm {condition.presence}"},
        "component": _components(condition),
    }
    if strips:
        rest["derivedFrom"] = [{"reference": f"urn:uuid:{each['id']}"} for each in strips]
    if condition.acknowledged:
        rest["note"] = [{"text": f"acknowledged by {condition.acknowledged_by or 'unknown'}"}]
    code = {"coding": coding} if coding else {}
    return observation(
        _id("alarm", newest.id),
        {**code, "text": kind_words(newest.kind)},
        (newest.patient, newest.device),
        rest,
    )


def _components(condition: AlarmCondition) -> list[Resource]:
    newest = condition.newest
    told = [
        (PRIORITY, "alarm priority", condition.priority.value),
        (ALERT_TYPE, "alarm type", newest.type.value),
        (ALARM_STATE, "alarm state", newest.state.value),
        (INACTIVATION, "alarm inactivation state", newest.inactivation.value),
    ]
    components: list[Resource] = [
        {"code": {"coding": [mdc(code)], "text": words}, "valueString": value}
        for code, words, value in told
    ]
    if newest.bundle:
        bundle = f"{newest.bundle} {newest.bundle_sha256}".strip()
        components.append({"code": {"text": "bundle"}, "valueString": bundle})
    evidence = condition.began.evidence.items()
    return [*components, *(_fact(name, value) for name, value in evidence if value is not None)]


def _fact(name: str, value: float | int | str) -> Resource:
    code = {"text": name}
    if isinstance(value, str):
        return {"code": code, "valueString": value}
    unit = next((each.strip() for end, each in UNITS.items() if name.endswith(end)), "")
    coded = {"unit": unit, "system": UCUM, "code": unit.replace("µ", "u")} if unit else {}
    return {"code": code, "valueQuantity": {"value": value, **coded}}


def _strip(strip: StripMessage) -> Resource:
    numbers = decode_numbers(strip)
    length = timedelta(seconds=len(next(iter(numbers.values()))) / strip.rate_hz)
    end = (moment(strip, 0.0) + length).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    leads = [
        ecg_lead(
            name,
            strip.rate_hz,
            strip.offset_uv.get(name, 0.0),
            strip.scale_uv,
            [None if each == MISSING else each for each in np.asarray(values).tolist()],
        )
        for name, values in numbers.items()
    ]
    return observation(
        _id("strip", f"{strip.id} {strip.recurrence}"),
        {"coding": [mdc(ECG)], "text": "ECG"},
        (strip.patient, strip.device),
        {"effectivePeriod": {"start": strip.start, "end": end}, "component": leads},
    )


def _id(what: str, alert_id: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{what} {alert_id}"))
