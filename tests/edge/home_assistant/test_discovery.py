"""What Home Assistant is told: the format holds, and every template fits our messages."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.commands.settings import UnsignedVerb
from edge.config import check
from edge.errors import ConfigError
from edge.home_assistant.discovery import Extras, Watched, discovery, discovery_topic
from edge.home_assistant.settings import HomeAssistantSettings
from edge.messages import (
    AlertMessage,
    AvailabilityMessage,
    MessageContext,
    SampleCounts,
    StateMessage,
    StatusMessage,
    Topics,
    active_alerts,
    alert_message,
    encode,
)
from tests.edge.home_assistant.rendering import render

jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")

SCHEMA = json.loads((Path(__file__).parent / "discovery_schema.json").read_text())
FORMAT = jsonschema.Draft202012Validator(SCHEMA)
TIME = "2026-01-31T12:00:00.250Z"
EVERYTHING = Extras(get_args(UnsignedVerb), picture=True)
OFFERED = HomeAssistantSettings(enabled=True)
IDS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=32)


def payload(device: str = "patch", patient: str = "bed-3", base: str = "edge") -> dict[str, Any]:
    message = discovery(Watched(patient, device), Topics(base), "1.2.3", EVERYTHING)
    decoded: dict[str, Any] = msgspec.json.decode(message)
    return decoded


def state(**fields: Any) -> bytes:
    return encode(
        StateMessage(
            **{
                "patient": "bed-3",
                "device": "patch",
                "bundle": "tcn-s",
                "time": TIME,
                "link": "streaming",
                **fields,
            }
        )
    )


def alert(kind: str, priority: Priority, phase: Phase = Phase.START, seq: int = 1) -> AlertMessage:
    raised = Alert(
        *(f"id-{kind}", kind, AlarmType.PHYSIOLOGICAL, priority, phase, 0, 0),
        evidence={"no_qrs_s": 5.4, "why": "</script>'\"&"},
    )
    return alert_message(raised, seq, MessageContext("bed-3", "patch", "tcn-s", lambda _: 0))


def shown(key: str, message: bytes) -> str:
    return render(payload()["cmps"][key]["value_template"], message)


def test_the_message_has_home_assistants_format() -> None:
    FORMAT.validate(payload())


def test_without_extras_nothing_can_be_pressed_and_no_picture_is_promised() -> None:
    message = msgspec.json.decode(discovery(Watched("p", "d"), Topics(), "1"))
    assert {each["p"] for each in message["cmps"].values()} == {
        *("sensor", "binary_sensor", "event")
    }


@settings(max_examples=15)
@given(IDS, st.text(max_size=100), st.lists(IDS, min_size=1, max_size=8).map("/".join))
def test_no_name_from_outside_breaks_the_format_or_becomes_a_template(
    patient: str, device: str, base: str
) -> None:
    told = payload(device, patient, base)
    FORMAT.validate(told)
    assert all(each.isprintable() for each in told["dev"]["mdl"])
    templates = [each.get("value_template") for each in told["cmps"].values()]
    plain = [each.get("value_template") for each in payload()["cmps"].values()]
    assert templates == plain


@settings(max_examples=15)
@given(IDS, IDS, IDS, IDS)
def test_two_patients_never_share_a_topic_or_an_entity(
    one: str, other: str, base: str, other_base: str
) -> None:
    topics = {
        discovery_topic(each, of, OFFERED) for each in (one, other) for of in (base, other_base)
    }
    unique = {
        entity["unique_id"]
        for each in {one, other}
        for of in {base, other_base}
        for entity in payload("", each, of)["cmps"].values()
    }
    patients = len({one, other}) * len({base, other_base})
    assert len(topics) == patients
    assert len(unique) == patients * len(payload()["cmps"])


@pytest.mark.parametrize(
    ("key", "fields", "expected"),
    [
        ("heart_rate", {"heart_rate_bpm": 71.5}, "71.5"),
        ("heart_rate", {}, "None"),
        ("rmssd", {"rmssd_ms": 32.0}, "32.0"),
        ("rmssd", {}, "None"),
        ("rhythm", {"rhythm": "af"}, "af"),
        ("rhythm", {}, "None"),
        ("signal_quality", {"quality": 0.934}, "93.0"),
        ("signal_quality", {"quality": 0.0}, "0.0"),
        ("signal_quality", {}, "None"),
        ("battery", {"battery_percent": 0}, "0"),
        ("battery", {}, "None"),
        ("lead_off", {"lead_off": True}, "ON"),
        ("lead_off", {}, "OFF"),
        ("connected", {}, "ON"),
        ("connected", {"link": "silent"}, "OFF"),
        ("link", {"link": "lost"}, "lost"),
        ("audio_paused", {"audio_paused": True}, "ON"),
        ("audio_paused", {}, "OFF"),
        ("encoder", {}, "tcn-s"),
        ("encoder", {"bundle": ""}, "none"),
        ("samples_lost", {"samples": SampleCounts(gap=40)}, "40"),
        ("clock_drift", {"drift_ppm": -3.1}, "-3.1"),
        ("clock_drift", {}, "None"),
    ],
)
def test_what_is_shown_of_a_state(key: str, fields: dict[str, Any], expected: str) -> None:
    assert shown(key, state(**fields)) == expected


def test_what_is_not_known_is_unknown_and_never_zero() -> None:
    """Home Assistant takes the text None for unknown."""
    empty = state(link="connecting", bundle="")
    unknown = {key for key in payload()["cmps"] if key not in ("alert", "last_strip")}
    unknown &= {"heart_rate", "rmssd", "rhythm", "signal_quality", "battery", "clock_drift"}
    assert {shown(key, empty) for key in unknown} == {"None"}


@pytest.mark.parametrize("links", ["connecting", "streaming", "silent", "lost", "ended"])
def test_every_word_of_the_link_is_an_option(links: str) -> None:
    assert shown("link", state(link=links)) in payload()["cmps"]["link"]["options"]


def test_the_alarm_shows_the_most_urgent_and_lists_all() -> None:
    present = [alert("af", Priority.LOW, seq=1), alert("vf", Priority.HIGH, seq=2)]
    message = encode(active_alerts("bed-3", TIME, present))
    assert shown("alarm", message) == "ON"
    assert shown("alarm_priority", message) == "high"
    assert shown("alarm_kind", message) == "vf"
    attributes = json.loads(render(payload()["cmps"]["alarm"]["json_attributes_template"], message))
    assert [each["kind"] for each in attributes["alerts"]] == ["vf", "af"]
    assert attributes["alerts"][0]["inactivation"] == "enabled"


def test_without_an_alarm_it_says_so() -> None:
    message = encode(active_alerts("bed-3", TIME, []))
    assert shown("alarm", message) == "OFF"
    assert shown("alarm_priority", message) == "none"
    assert shown("alarm_kind", message) == "none"
    template = payload()["cmps"]["alarm"]["json_attributes_template"]
    assert json.loads(render(template, message)) == {"alerts": []}


@pytest.mark.parametrize("kind", [*AlarmKind, "a_rule_of_another_package"])
@pytest.mark.parametrize("phase", Phase)
def test_every_alert_is_an_event_of_a_type_that_is_announced(kind: str, phase: Phase) -> None:
    event = json.loads(shown("alert", encode(alert(kind, Priority.HIGH, phase))))
    assert event.pop("event_type") in payload()["cmps"]["alert"]["event_types"]
    assert (event["kind"], event["priority"]) == (kind, "high")
    assert event["evidence"]["why"] == "</script>'\"&"


@pytest.mark.parametrize("priority", Priority)
def test_every_priority_is_an_option(priority: Priority) -> None:
    message = encode(active_alerts("bed-3", TIME, [alert("af", priority)]))
    assert shown("alarm_priority", message) in payload()["cmps"]["alarm_priority"]["options"]


def test_availability_says_online_and_offline_as_home_assistant_expects() -> None:
    service, device = payload()["avty"]
    status = encode(StatusMessage(state="online", since=TIME, version="1"))
    patient = encode(AvailabilityMessage(state="offline", patient="bed-3", time=TIME))
    assert render(service["value_template"], status) == "online"
    assert render(device["value_template"], patient) == "offline"


def test_a_lost_device_hides_what_it_measured_and_no_alarm() -> None:
    told = payload()
    assert [each["topic"] for each in told["avty"]] == ["edge/status", "edge/bed-3/availability"]
    assert told["avty_mode"] == "all"
    of_the_service = {key for key, each in told["cmps"].items() if each.get("avty")}
    assert of_the_service >= {"alarm", "alarm_priority", "alarm_kind", "alert", "connected"}
    assert of_the_service.isdisjoint({"heart_rate", "rhythm", "signal_quality", "lead_off"})
    for key in of_the_service:
        assert [each["topic"] for each in told["cmps"][key]["avty"]] == ["edge/status"]


def test_topics_of_alarms_are_subscribed_with_acknowledgement() -> None:
    components = payload()["cmps"]
    assert {components[key]["qos"] for key in ("alarm", "alarm_priority", "alert")} == {1}


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"prefix": "home/#"}, "prefix"),
        ({"prefix": ""}, "prefix"),
        ({"prefix": "/homeassistant"}, "prefix"),
        ({"birth_topic": "home/+/status"}, "birth_topic"),
        ({"node": "a/b"}, "node"),
        ({"node": "+"}, "node"),
        ({"button": True}, "did you mean `buttons`"),
    ],
)
def test_settings_that_reach_beyond_are_refused(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        check({"home_assistant": table})


def test_home_assistant_needs_a_broker() -> None:
    with pytest.raises(ConfigError, match=r"add an \[mqtt\] table"):
        check({"home_assistant": {"enabled": True}})


def test_buttons_need_verbs_that_may_come_unsigned() -> None:
    with pytest.raises(ConfigError, match=r"unsigned = \[.*under \[commands\]"):
        check({"home_assistant": {"buttons": True}})


def test_a_button_sends_a_verb_to_the_topic_that_hears_it() -> None:
    button = payload()["cmps"]["acknowledge"]
    assert (button["command_topic"], button["payload_press"]) == (
        Topics().button("bed-3"),
        "acknowledge",
    )


def test_a_node_is_a_level_of_its_own() -> None:
    plain = discovery_topic("bed-3", "edge", HomeAssistantSettings())
    assert plain.startswith("homeassistant/device/edge-bed-3-")
    assert plain.count("/") == 3
    within = discovery_topic("bed-3", "edge", HomeAssistantSettings(node="pi-3"))
    assert within.startswith("homeassistant/device/pi-3/edge-bed-3-")
