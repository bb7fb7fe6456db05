"""Messages, topics and schemas."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import schemas
from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.messages import (
    AlertMessage,
    AvailabilityMessage,
    LeadState,
    MessageContext,
    SampleCounts,
    StateMessage,
    StatusMessage,
    Topics,
    active_alerts,
    alert_message,
    encode,
)

TIME = "2026-01-31T12:00:00.250Z"
HOSTILE_IDS = [
    *("", " ", "a b", "a/b", "/", "//", "a/", "/a", "+", "#", "a+", "a#", "+/+", "#/a", "$SYS"),
    *("$share/g/a", "..", "../x", "a.b", "é", "ß", "患者", "a\n", "\na", "a\r\n", "a\tb", "a\0b"),
    *("\0", "\x7f", "\u200b", "a\u202eb", "\ufeffa", "a'b", 'a"b', "a;b", "a|b", "a%2Fb", "%23"),
    *("a,b", "a:b", "a@b", "a=b", "a?b", "a*b", "{a}", "[a]", "<a>", "\\", "a\\b", "~", "a" * 33),
    *("a" * 65_536, "\ud800", "１２", "a-b ", " a"),
]


def alert(**changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "id": "5f1d-7",
        "kind": AlarmKind.ASYSTOLE,
        "type": AlarmType.PHYSIOLOGICAL,
        "priority": Priority.HIGH,
        "phase": Phase.START,
        "onset_ns": 1_000_000_000,
        "time_ns": 5_250_000_000,
        "evidence": {"pause_s": 4.25, "beats": 0, "rule": "no QRS"},
    }
    return Alert(**{**fields, **changes})


def context(**changes: Any) -> MessageContext:
    fields: dict[str, Any] = {
        "patient": "bed-3",
        "device": "patch-17",
        "bundle": "tcn-s",
        "utc_ns": lambda stream_ns: 1_769_860_795_000_000_000 + stream_ns,
        "device_time_ns": lambda stream_ns: 77 + stream_ns,
        "codes": {AlarmKind.ASYSTOLE: {"mdc": 199_684, "snomed_ct": "397829000"}},
    }
    return MessageContext(**{**fields, **changes})


def state(**changes: Any) -> StateMessage:
    fields: dict[str, Any] = {
        "patient": "bed-3",
        "device": "patch-17",
        "bundle": "tcn-s",
        "time": TIME,
        "link": "streaming",
    }
    return StateMessage(**{**fields, **changes})


def valid(name: str, message: msgspec.Struct) -> dict[str, Any]:
    """The message as subscribers decode it, checked against its published schema."""
    decoded: dict[str, Any] = json.loads(encode(message))
    schema = json.loads((schemas.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(decoded)
    return decoded


def test_an_alert_has_exactly_the_promised_fields() -> None:
    decoded = valid("alert", alert_message(alert(), 3, context()))
    assert decoded == {
        "id": "5f1d-7",
        "seq": 3,
        "phase": "start",
        "kind": "asystole",
        "type": "physiological",
        "priority": "high",
        "onset": "2026-01-31T11:59:56.000Z",
        "time": "2026-01-31T12:00:00.250Z",
        "device_time_ns": 1_000_000_077,
        "patient": "bed-3",
        "device": "patch-17",
        "bundle": "tcn-s",
        "evidence": {"pause_s": 4.25, "beats": 0, "rule": "no QRS"},
        "codes": {"mdc": 199_684, "snomed_ct": "397829000"},
        "state": "active",
        "inactivation": "enabled",
        "acknowledged_by": "",
        "reminder": 0,
        "bundle_sha256": "",
    }


@given(
    st.sampled_from(list(AlarmKind)),
    st.sampled_from(list(Phase)),
    st.integers(0, 10**17),
    st.dictionaries(st.text(max_size=8), st.floats() | st.integers() | st.text(max_size=8)),
)
def test_every_alert_holds_to_the_schema(
    kind: AlarmKind, phase: Phase, stream_ns: int, evidence: dict[str, float | int | str]
) -> None:
    made = alert(kind=kind, phase=phase, time_ns=stream_ns, evidence=evidence)
    valid("alert", alert_message(made, 1, context()))


def test_evidence_of_numpy_and_of_no_number_becomes_plain_json() -> None:
    evidence = {"a": np.float32(0.5), "b": np.int64(3), "c": float("nan"), "d": np.inf}
    decoded = valid("alert", alert_message(alert(evidence=evidence), 1, context()))
    assert decoded["evidence"] == {"a": 0.5, "b": 3, "c": None, "d": None}


def test_a_device_without_a_clock_and_a_kind_without_codes() -> None:
    plain = MessageContext("p", "d", "", lambda stream_ns: stream_ns)
    decoded = valid("alert", alert_message(alert(), 1, plain))
    assert decoded["device_time_ns"] is None
    assert decoded["codes"] == {}


def test_messages_round_trip() -> None:
    message = alert_message(alert(), 9, context())
    assert msgspec.json.decode(encode(message), type=AlertMessage) == message


def test_active_alerts_leaves_out_what_ended_and_sorts_by_urgency() -> None:
    steps = [
        (Phase.START, Priority.LOW),
        (Phase.END, Priority.HIGH),
        (Phase.UPDATE, Priority.HIGH),
        (Phase.START, Priority.MEDIUM),
    ]
    newest = [
        alert_message(alert(phase=phase, priority=priority), seq, context())
        for seq, (phase, priority) in enumerate(steps, start=1)
    ]
    decoded = valid("active", active_alerts("bed-3", TIME, newest))
    assert [each["seq"] for each in decoded["alerts"]] == [3, 4, 1]


def test_state_status_and_availability_hold_to_their_schemas() -> None:
    full = state(
        heart_rate_bpm=71.5,
        rmssd_ms=33.0,
        rhythm="af",
        rhythm_probability={"af": 0.9, "normal": 0.1},
        quality=0.75,
        leads=[LeadState(name="I", quality=0.75, lead_off=False)],
        battery_percent=88,
        samples=SampleCounts(received=250, delivered=250, span=250),
        drift_ppm=-12.5,
        active=[AlarmKind.AF],
    )
    assert valid("state", full)["samples"]["received"] == 250
    assert valid("state", state())["heart_rate_bpm"] is None
    valid("status", StatusMessage(state="offline", since=TIME, version="0.1.0"))
    valid("availability", AvailabilityMessage(state="online", patient="bed-3", time=TIME))


@pytest.mark.parametrize(
    "changes",
    [{"battery_percent": 101}, {"quality": 1.5}, {"patient": "a/b"}, {"time": "noon"}, {"link": 1}],
)
def test_the_schema_refuses_what_is_out_of_range(changes: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        valid("state", state(**changes))


@pytest.mark.parametrize("name", schemas.MESSAGES)
def test_schema_files_are_current(name: str) -> None:
    written = (schemas.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == schemas.text(name), "run python -m edge.schemas"


@pytest.mark.parametrize("name", schemas.MESSAGES)
def test_schemas_are_valid_and_describe_their_message(name: str) -> None:
    schema = schemas.generate(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    described = [part for part in schema["$defs"].values() if part.get("type") == "object"]
    assert all("description" in part for part in described)


def test_writing_schemas_gives_one_file_a_message(tmp_path: Any) -> None:
    assert sorted(path.stem for path in schemas.write(tmp_path)) == sorted(schemas.MESSAGES)


def test_topics_are_where_the_documentation_says() -> None:
    topics = Topics("ward/3/edge")
    assert topics.status == "ward/3/edge/status"
    assert topics.alert("p_1") == "ward/3/edge/p_1/alert"
    assert topics.active("p_1") == "ward/3/edge/p_1/alert/active"
    assert topics.state("p_1") == "ward/3/edge/p_1/state"
    assert topics.availability("p_1") == "ward/3/edge/p_1/availability"


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
def test_no_hostile_id_becomes_a_topic(hostile: str) -> None:
    topics = Topics()
    for topic in (topics.alert, topics.active, topics.state, topics.availability):
        with pytest.raises(ValueError, match="patient id"):
            topic(hostile)
    with pytest.raises(ValueError, match="patient id"):
        alert_message(alert(), 1, context(patient=hostile))


@pytest.mark.parametrize("hostile", [each for each in HOSTILE_IDS if each != "a/b"])
def test_no_hostile_base_becomes_a_topic(hostile: str) -> None:
    for base in (hostile, f"edge/{hostile}"):
        with pytest.raises(ValueError, match="base topic"):
            Topics(base)


def test_a_base_of_too_many_parts_is_refused() -> None:
    Topics("/".join(["a"] * 8))
    with pytest.raises(ValueError, match="base topic"):
        Topics("/".join(["a"] * 9))
