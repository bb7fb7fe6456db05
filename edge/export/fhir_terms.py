"""FHIR R4 words that exports share: code systems, leads, an ECG as SampledData."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CATEGORY",
    "ECG",
    "NAMESPACE",
    "UCUM",
    "Resource",
    "codings",
    "ecg_lead",
    "mdc",
    "observation",
]

MDC = "urn:oid:2.16.840.1.113883.6.24"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ECG = 131328
"""MDC_ECG_ELEC_POTL; a lead's code is this and its number in ISO/IEEE 11073-10101."""
LEADS = {"I": 1, "II": 2, "III": 61, "AVR": 62, "AVL": 63, "AVF": 64}
LEADS |= {f"V{k}": 2 + k for k in range(1, 7)}
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
NAMESPACE = uuid.UUID("6d3bd6ce-8f0e-5a4b-9f0e-6a0a7f3c1f5e")
"""Of the ids made here: the same data export to the same ids."""

Resource = dict[str, Any]


def mdc(code: int) -> Resource:
    """A Coding of ISO/IEEE 11073-10101."""
    return {"system": MDC, "code": str(code)}


def codings(codes: Mapping[str, str | int]) -> list[Resource]:
    """What an alarm condition is called, by code system (`mdc`, `snomed_ct`)."""
    coding = [mdc(int(codes["mdc"]))] if "mdc" in codes else []
    if "snomed_ct" in codes:
        coding.append({"system": SNOMED, "code": str(codes["snomed_ct"])})
    return coding


def ecg_lead(
    name: str, rate_hz: float, origin_uv: float, step_uv: float, numbers: Sequence[int | None]
) -> Resource:
    """A lead as a component: microvolts are `origin_uv` and `step_uv` times the number; None is
    a sample that is missing, `E` in R4."""
    number = LEADS.get(name.upper().removeprefix("ECG ").strip())
    code = {"coding": [mdc(ECG + number)]} if number else {}
    return {
        "code": {**code, "text": name},
        "valueSampledData": {
            "origin": {"value": origin_uv, "unit": "uV", "system": UCUM, "code": "uV"},
            "period": round(1000 / rate_hz, 9),
            "factor": step_uv,
            "dimensions": 1,
            "data": " ".join("E" if each is None else str(each) for each in numbers),
        },
    }


def observation(id_: str, code: Resource, whose: tuple[str, str], rest: Resource) -> Resource:
    """An Observation that nobody has looked at. whose: patient and device."""
    patient, device = whose
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "preliminary",
        "category": [{"coding": [{"system": CATEGORY, "code": "procedure"}]}],
        "code": code,
        "subject": {"identifier": {"value": patient}},
        "device": {"display": device or "unknown"},
        **rest,
    }
