"""What subscribers receive: the JSON messages and their topics.

One struct a message, one JSON Schema a struct (`edge/schemas/`). Numbers carry their unit in
the name, times are UTC in RFC 3339 with milliseconds, absent knowledge is null.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Annotated, Literal

import msgspec

from edge.alert import AlarmState, AlarmType, Alert, Inactivation, Phase, Priority
from edge.clock import rfc3339

PATIENT_ID = r"^[A-Za-z0-9_-]{1,32}$"
UTC_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
MAX_BASE_PARTS = 8
MAX_PART_CHARACTERS = 32
"""Of a topic, and of a patient id, as `PATIENT_ID` has it."""

_PART = re.compile(PATIENT_ID[1:-1])

PatientId = Annotated[str, msgspec.Meta(pattern=PATIENT_ID, description="Pseudonym.")]
UtcTime = Annotated[str, msgspec.Meta(pattern=UTC_TIME, description="UTC, RFC 3339.")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Kind = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z][a-z0-9_]{0,31}$",
        description="Of the alarm condition: a word of docs/alarms.md, or an installed rule's.",
    ),
]
Scalar = float | int | str | None
Presence = Literal["online", "offline"]
LinkState = Literal["connecting", "streaming", "silent", "lost", "ended"]


class AlertMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the life of one alarm condition, on `<base>/<patient>/alert`.

    id: the same on every step and every copy of one alarm condition.
    seq: counts the patient's alert messages from 1; a receiver that sees a hole missed one.
    onset, time: when the condition began and when this step was decided.
    device_time_ns: the device's own clock at onset; null where it has none.
    evidence: the numbers that decided it, units in the names.
    codes: code system (`mdc`, `snomed_ct`) to the code of this kind of alarm.
    state: `active`; `latched` where the condition is gone and nobody has acknowledged it yet;
        `inactive` at its end.
    inactivation: `acknowledged` or `audio_paused` once somebody has done that.
    acknowledged_by: who, as that person or program names itself.
    reminder: how often the alarm was repeated because nobody acknowledged it.
    bundle_sha256: of the bundle's manifest, which holds the hash of every file; empty without.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    seq: Annotated[int, msgspec.Meta(ge=1)]
    phase: Phase
    kind: Kind
    type: AlarmType
    priority: Priority
    onset: UtcTime
    time: UtcTime
    device_time_ns: int | None
    patient: PatientId
    device: str
    bundle: str
    evidence: dict[str, Scalar]
    codes: dict[str, str | int]
    state: AlarmState = AlarmState.ACTIVE
    inactivation: Inactivation = Inactivation.ENABLED
    acknowledged_by: Annotated[str, msgspec.Meta(max_length=64)] = ""
    reminder: Count = 0
    bundle_sha256: str = ""


class ActiveAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """All alarm conditions present now, most urgent first, on `<base>/<patient>/alert/active`.

    alerts: the newest message of each; empty when all is well. Retained.
    """

    patient: PatientId
    time: UtcTime
    alerts: list[AlertMessage]


class LeadState(msgspec.Struct, frozen=True, kw_only=True):
    """One lead over the last second. quality: 0 (unusable) to 1 (clean)."""

    name: str
    quality: Fraction
    lead_off: bool


class SampleCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the samples, a lead: received = delivered + duplicate + late + bad +
    pending, and span = delivered + gap. frames and bad_frames count messages of the device.
    """

    received: Count = 0
    delivered: Count = 0
    duplicate: Count = 0
    late: Count = 0
    bad: Count = 0
    pending: Count = 0
    gap: Count = 0
    span: Count = 0
    frames: Count = 0
    bad_frames: Count = 0


class StateMessage(msgspec.Struct, frozen=True, kw_only=True):
    """How the patient and the link are, once a second, on `<base>/<patient>/state`. Retained.

    rhythm: the most probable label; rhythm_probability: label to probability, 0 to 1.
    quality: mean over the leads, 0 (unusable) to 1 (clean).
    lead_off: true where any lead has no skin contact.
    drift_ppm: device clock against host clock, parts per million.
    active: kinds of the alarms that are on or latched, most urgent first.
    audio_paused: somebody has asked for silence, and it lasts.
    limits: alarm limits that people have moved since the start, by name, as they are now.
    encoder_shed: the encoder rests because the engine is behind; rules and QRS detector go on.
    late_hops: hops that the encoder has missed so, since the start.
    """

    patient: PatientId
    device: str
    bundle: str
    time: UtcTime
    link: LinkState
    heart_rate_bpm: Annotated[float, msgspec.Meta(ge=0.0)] | None = None
    rmssd_ms: Annotated[float, msgspec.Meta(ge=0.0)] | None = None
    rhythm: str | None = None
    rhythm_probability: dict[str, Fraction] = msgspec.field(default_factory=dict)
    quality: Fraction | None = None
    leads: list[LeadState] = msgspec.field(default_factory=list)
    lead_off: bool = False
    battery_percent: Percent | None = None
    samples: SampleCounts = SampleCounts()
    drift_ppm: float | None = None
    active: list[Kind] = msgspec.field(default_factory=list)
    audio_paused: bool = False
    limits: dict[str, float] = msgspec.field(default_factory=dict)
    encoder_shed: bool = False
    late_hops: Count = 0


class StripBeat(msgspec.Struct, frozen=True, kw_only=True):
    """A QRS in a strip. offset_ms: from the strip's first sample. label: AAMI class or `U`."""

    offset_ms: float
    label: str


class StripMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The signal around the start of an alarm, or the last 15 s where somebody asked, on
    `<base>/<patient>/alert/strip`. QoS 1, less urgent than any alert.

    id: of the alert that it belongs to; of its own where somebody asked. kind: of the alert;
        empty where somebody asked, and `priority` is then null.
    start: of the first sample. onset_ms, decided_ms: from there to the condition's onset, which
        may lie before the strip, and to the start of its alarm; null where somebody asked, and
        `onset_ms` of a condition that returned, too.
    samples: lead name to base64 of little-endian 16-bit integers, one a sample, the raw signal;
        times `scale_uv` plus the lead's `offset_uv` (0 where it is not named) gives microvolts,
        -32768 means that there is no sample.
    heart_rate_bpm: at the start of the alarm; null where none was known.
    recurrence: 0 for the start of the alarm; else how often the condition of a latched alarm had
        returned, which has a strip of its own each time.
    """

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    patient: PatientId
    device: str
    kind: str
    priority: Priority | None
    start: UtcTime
    onset_ms: float | None
    rate_hz: Annotated[float, msgspec.Meta(gt=0.0)]
    scale_uv: Annotated[float, msgspec.Meta(gt=0.0)]
    samples: dict[str, str]
    beats: list[StripBeat]
    heart_rate_bpm: float | None = None
    decided_ms: float | None = None
    offset_uv: dict[str, float] = msgspec.field(default_factory=dict)
    recurrence: Count = 0


class StatusMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the service runs, on `<base>/status`. Retained; `offline` is the last will.

    since: when the service began; version: of the software.
    """

    state: Presence
    since: UtcTime
    version: str


class AvailabilityMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the patient's device delivers samples, on `<base>/<patient>/availability`."""

    state: Presence
    patient: PatientId
    time: UtcTime


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics below one base, such as `edge` or `ward/3/edge`.

    Raises ValueError where the base, or an id given later, could reach another topic.
    """

    base: str = "edge"

    def __post_init__(self) -> None:
        parts = self.base.split("/")
        if len(parts) > MAX_BASE_PARTS or not all(_PART.fullmatch(part) for part in parts):
            raise ValueError(
                f"base topic {self.base!r}: expected 1 to {MAX_BASE_PARTS} parts joined by '/', "
                "each of 1 to 32 letters, digits, '_' or '-'"
            )

    @property
    def status(self) -> str:
        """Whether the service runs; retained, last will."""
        return f"{self.base}/status"

    def alert(self, patient: str) -> str:
        """Each step of each alarm condition; QoS 1, not retained."""
        return f"{self.base}/{checked_id(patient)}/alert"

    def active(self, patient: str) -> str:
        """The alarm conditions present now; retained."""
        return f"{self.base}/{checked_id(patient)}/alert/active"

    def strip(self, patient: str) -> str:
        """The signal around the start of each alarm; QoS 1, not retained."""
        return f"{self.base}/{checked_id(patient)}/alert/strip"

    def image(self, patient: str) -> str:
        """The strip of the last alert as a PNG picture; retained."""
        return f"{self.base}/{checked_id(patient)}/alert/image"

    def command(self, patient: str) -> str:
        """Where commands for a patient's monitor are heard."""
        return f"{self.base}/{checked_id(patient)}/command"

    def button(self, patient: str) -> str:
        """Where the verbs are heard that the configuration allows unsigned."""
        return f"{self.base}/{checked_id(patient)}/command/button"

    def response(self, patient: str) -> str:
        """The answer to a command, where it names no response topic of its own."""
        return f"{self.base}/{checked_id(patient)}/command/response"

    @property
    def health(self) -> str:
        """How the service fares; retained."""
        return f"{self.base}/health"

    def state(self, patient: str) -> str:
        """Once a second; retained."""
        return f"{self.base}/{checked_id(patient)}/state"

    def availability(self, patient: str) -> str:
        """Whether the device delivers; retained."""
        return f"{self.base}/{checked_id(patient)}/availability"


@dataclass(frozen=True, slots=True)
class MessageContext:
    """What an alert does not know of itself.

    utc_ns, device_time_ns: map stream time (ns) to UTC (ns since 1970) and to the device's
        clock (ns, None where it has none).
    codes: kind to code system to code.
    """

    patient: str
    device: str
    bundle: str
    utc_ns: Callable[[int], int]
    device_time_ns: Callable[[int], int | None] = lambda _: None
    codes: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict)
    bundle_sha256: str = ""


def alert_message(alert: Alert, seq: int, context: MessageContext) -> AlertMessage:
    """The message for one step of an alarm condition. seq: from `Outbox.next_seq`."""
    return AlertMessage(
        id=alert.id,
        seq=seq,
        phase=alert.phase,
        kind=alert.kind,
        type=alert.type,
        priority=alert.priority,
        onset=rfc3339(context.utc_ns(alert.onset_ns)),
        time=rfc3339(context.utc_ns(alert.time_ns)),
        device_time_ns=context.device_time_ns(alert.onset_ns),
        patient=checked_id(context.patient),
        device=context.device,
        bundle=context.bundle,
        evidence={name: _scalar(value) for name, value in alert.evidence.items()},
        codes=dict(context.codes.get(alert.kind, {})),
        state=AlarmState.INACTIVE if alert.phase is Phase.END else alert.state,
        inactivation=alert.inactivation,
        acknowledged_by=alert.acknowledged_by,
        reminder=alert.reminder,
        bundle_sha256=context.bundle_sha256,
    )


def active_alerts(patient: str, time: str, newest: Iterable[AlertMessage]) -> ActiveAlerts:
    """The list of conditions present: the newest message of each, most urgent first."""
    present = [message for message in newest if message.phase is not Phase.END]
    present.sort(key=lambda message: (message.priority.rank, message.seq))
    return ActiveAlerts(patient=checked_id(patient), time=time, alerts=present)


def checked_id(patient: str) -> str:
    """The patient id itself. Raises ValueError where it does not match `PATIENT_ID`."""
    if not _PART.fullmatch(patient):
        raise ValueError(
            f"patient id {patient!r}: expected 1 to 32 letters, digits, '_' or '-', "
            "since it becomes part of a topic"
        )
    return patient


def encode(message: msgspec.Struct) -> bytes:
    """The message as JSON in UTF-8."""
    return msgspec.json.encode(message)


def _scalar(value: object) -> Scalar:
    """A JSON scalar; numpy numbers become plain ones, what is not finite becomes null."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else None
    return None if value is None else str(value)
