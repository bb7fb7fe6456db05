"""FHIR R4: a Bundle of Observations with the ECG as SampledData.

Without a time asked for, one strip around the onset of each alert, and the alert itself derived
from it; else the time asked for, a minute an Observation. A sample that is missing is `E`, as R4
has it. Nothing here has been looked at by a clinician: every status is `preliminary`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.alarm.codes import CODES
from edge.clock import rfc3339
from edge.export.fhir_terms import (
    ECG,
    NAMESPACE,
    Resource,
    codings,
    ecg_lead,
    mdc,
    observation,
)
from edge.export.marks import Mark
from edge.export.parts import Part
from edge.export.scale import digital, offset_scale
from edge.record import RecordingError

__all__ = ["write_fhir"]

BEFORE_S, AFTER_S = 10.0, 20.0
SPAN_S = 60.0


def write_fhir(parts: list[Part], file: BinaryIO) -> None:
    """Write all parts as one Bundle of type `collection`.

    Raises RecordingError where there is no alert and no time was asked for.
    """
    newest_ns = max(part.start_utc_ns + _ns(part, part.length) for part in parts)
    head = {"resourceType": "Bundle", "type": "collection", "timestamp": rfc3339(newest_ns)}
    file.write(msgspec.json.encode(head)[:-1] + b',"entry":[')
    separator = b""
    for resource in (each for part in parts for each in _resources(part)):
        entry = {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}
        file.write(separator + msgspec.json.encode(entry))
        separator = b",\n"
    if not separator:
        raise RecordingError(
            "no alert in the recording, and so nothing for FHIR: say from when to when (--from, "
            "--until) the ECG is wanted"
        )
    file.write(b"]}\n")


def _resources(part: Part) -> Iterator[Resource]:
    request = part.request
    if request.from_ns is None and request.to_ns is None:
        starts = [mark for mark in part.marks if _is_start(mark)]
        spans = [_around(part, mark) for mark in starts]
        for strip, (_, number) in _strips(part, spans):
            yield strip
            yield _alert(part, starts[number], strip)
    else:
        step = max(1, round(SPAN_S * part.format.rate_hz))
        spans = [(at, min(at + step, part.length)) for at in range(0, part.length, step)]
        for strip, _ in _strips(part, spans):
            yield strip


def _is_start(mark: Mark) -> bool:
    return mark.kind == "alert" and mark.text.split()[2:3] == ["start"]


def _around(part: Part, mark: Mark) -> tuple[int, int]:
    rate_hz = part.format.rate_hz
    first = max(0, mark.position - round(BEFORE_S * rate_hz))
    return first, min(part.length, mark.position + round(AFTER_S * rate_hz))


def _strips(part: Part, spans: list[tuple[int, int]]) -> Iterator[tuple[Resource, tuple[int, int]]]:
    """Observations of the spans, which must be in order, each with its first sample and its number.

    One reading serves them all; what is held is what the spans still need. A span without any
    sample gives none.
    """
    frame = max(1, round(part.format.rate_hz))
    frames = part.frames(frame)
    held: list[tuple[int, NDArray[np.float32]]] = []
    following = next(frames, None)
    for number, (first, stop) in enumerate(spans):
        while following is not None and following[0] < stop:
            held.append(following)
            following = next(frames, None)
        held = [each for each in held if each[0] + frame > first]
        samples = np.full((stop - first, len(part.format.leads)), np.nan, np.float32)
        for at, values in held:
            begin, end = max(at, first), min(at + frame, stop)
            if begin < end:
                samples[begin - first : end - first] = values[begin - at : end - at]
        if not np.isnan(samples).all():
            yield _strip(part, first, samples), (first, number)


def _strip(part: Part, first: int, samples: NDArray[np.float32]) -> Resource:
    """An ECG as an Observation."""
    leads = range(samples.shape[1])
    begun_ns = part.start_utc_ns + _ns(part, first)
    return _observation(
        part,
        f"strip {begun_ns}",
        {"coding": [mdc(ECG)], "text": "ECG"},
        {
            "effectivePeriod": {
                "start": rfc3339(begun_ns),
                "end": rfc3339(begun_ns + _ns(part, len(samples))),
            },
            "component": [_lead(part, lead, samples[:, lead]) for lead in leads],
        },
    )


def _lead(part: Part, lead: int, samples: NDArray[np.float32]) -> Resource:
    name = part.format.leads[lead]
    known = samples[~np.isnan(samples)]
    low_uv, high_uv = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    scale = offset_scale(low_uv, high_uv)
    numbers = digital(samples[:, None], [scale])[:, 0].tolist()
    missing = np.isnan(samples).tolist()
    data = [None if lost else number for number, lost in zip(numbers, missing, strict=True)]
    return ecg_lead(name, part.format.rate_hz, scale.centre_uv, scale.step_uv, data)


def _alert(part: Part, mark: Mark, strip: Resource) -> Resource:
    """The alert that was raised, derived from its strip."""
    _, kind, _, priority = mark.text.split()[:4]
    coding = codings(CODES.get(kind, {}))
    code = {"coding": coding} if coding else {}
    onset_ns = part.start_utc_ns + _ns(part, mark.position)
    return _observation(
        part,
        f"alert {onset_ns} {kind}",
        {**code, "text": kind},
        {
            "effectiveDateTime": rfc3339(onset_ns),
            "valueString": f"alarm condition, {priority} priority",
            "derivedFrom": [{"reference": f"urn:uuid:{strip['id']}"}],
        },
    )


def _observation(part: Part, name: str, code: Resource, rest: Resource) -> Resource:
    patient, device = part.request.recording.patient, part.request.recording.device
    id_ = uuid.uuid5(NAMESPACE, f"{patient} {device} {name}")
    return observation(str(id_), code, (patient, device), rest)


def _ns(part: Part, samples: int) -> int:
    return round(samples / part.format.rate_hz * 1e9)
