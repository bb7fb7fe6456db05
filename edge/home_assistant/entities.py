"""The entities of a patient's device in Home Assistant. Pure: topics in, tables out.

Keys and values are those of Home Assistant's MQTT integration (its platforms sensor,
binary_sensor, event, image and button). Templates name fields of our own messages and nothing
that a device or a user chose, so no name can become a template.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from edge.alert import Phase, Priority
from edge.messages import LinkState, Topics
from edge.vitals import RHYTHM_LABELS

__all__ = ["EXPIRE_S", "Entity", "alarms", "buttons", "last_strip", "link", "vital_signs"]

Entity = dict[str, Any]

EXPIRE_S = 10
"""A value out of the state message is unavailable once no state came for so long. One comes a
second; Home Assistant's advice is three periods at least, and ten ride out a slow network."""

_BUTTONS = {
    "acknowledge": ("Acknowledge alarms", "mdi:bell-check"),
    "pause_audio": ("Pause audio", "mdi:bell-sleep"),
    "ask_strip": ("Ask for a strip", "mdi:chart-line-variant"),
}
"""Verb of the button topic to name and icon."""

_RHYTHMS = [*RHYTHM_LABELS, "vt", "vf"]
_PRIORITIES = ["none", *(each.value for each in reversed(Priority))]
_DIAGNOSTIC: Entity = {"entity_category": "diagnostic"}
_MEASURED: Entity = {"state_class": "measurement"}
_BINARY: Entity = {"p": "binary_sensor"}
_HIDDEN: Entity = {"enabled_by_default": False}

_TOLD = (
    *("id", "seq", "kind", "type", "priority", "onset", "time", "evidence"),
    *("state", "inactivation", "acknowledged_by", "reminder"),
)
"""Fields of an alert message that become attributes of the event."""

_LISTED = ("id", "kind", "priority", "onset", "state", "inactivation", "acknowledged_by")
"""Fields of each present alert that become attributes of the alarm."""

_QUALITY = "{{ none if value_json.quality is none else (100 * value_json.quality) | round(0) }}"


def vital_signs(state: str) -> dict[str, Entity]:
    """What is measured on the patient. state: topic of the state message."""
    rate, rmssd = "{{ value_json.heart_rate_bpm }}", "{{ value_json.rmssd_ms }}"
    lead_off = "{{ 'ON' if value_json.lead_off else 'OFF' }}"
    battery: Entity = {"device_class": "battery", "unit_of_measurement": "%"}
    drift = "{{ value_json.drift_ppm }}"
    return {
        "heart_rate": _now(state, "Heart rate", rate, _number("bpm", "mdi:heart-pulse")),
        "rmssd": _now(state, "RMSSD", rmssd, _number("ms", "mdi:heart-settings-outline")),
        "rhythm": _now(
            state, "Rhythm", "{{ value_json.rhythm }}", _choice(_RHYTHMS, "mdi:heart-flash")
        ),
        "signal_quality": _now(state, "Signal quality", _QUALITY, _number("%", "mdi:signal")),
        "lead_off": _now(state, "Lead off", lead_off, _BINARY | {"device_class": "problem"}),
        "battery": _now(
            *(state, "Battery", "{{ value_json.battery_percent }}"),
            battery | _MEASURED | _DIAGNOSTIC,
        ),
        "clock_drift": _now(
            *(state, "Clock drift", drift),
            _number("ppm", "mdi:clock-outline") | _DIAGNOSTIC | _HIDDEN,
        ),
    }


def link(state: str) -> dict[str, Entity]:
    """How the service hears the device. state: topic of the state message."""
    streams = "{{ 'ON' if value_json.link == 'streaming' else 'OFF' }}"
    encoder = "{{ value_json.bundle or 'none' }}"
    lost = {"state_class": "total_increasing", "icon": "mdi:timeline-remove-outline"}
    return {
        "connected": _now(state, "Connected", streams, _BINARY | {"device_class": "connectivity"}),
        "link": _now(
            *(state, "Link", "{{ value_json.link }}"),
            _choice([*get_args(LinkState)], "mdi:lan-connect") | _DIAGNOSTIC,
        ),
        "encoder": _now(state, "Encoder", encoder, _DIAGNOSTIC | {"icon": "mdi:brain"}),
        "samples_lost": _now(
            state, "Samples lost", "{{ value_json.samples.gap }}", lost | _DIAGNOSTIC | _HIDDEN
        ),
    }


def alarms(patient: str, topics: Topics) -> dict[str, Entity]:
    """What is present, and what happens."""
    active = topics.active(patient)
    present = "{{ 'ON' if value_json.alerts else 'OFF' }}"
    listed = {"json_attributes_topic": active, "json_attributes_template": _list_of_alerts()}
    event = {"p": "event", "event_types": [each.value for each in Phase], "icon": "mdi:bell-alert"}
    return {
        "alarm": _told(active, "Alarm", present, _BINARY | {"device_class": "problem"} | listed),
        "alarm_priority": _told(
            *(active, "Alarm priority", _of_the_most_urgent("priority")),
            _choice(_PRIORITIES, "mdi:alarm-light"),
        ),
        "alarm_kind": _told(
            active, "Alarm kind", _of_the_most_urgent("kind"), {"icon": "mdi:alarm-light-outline"}
        ),
        "alert": _told(topics.alert(patient), "Alert", _event(), event),
        "audio_paused": _now(
            *(topics.state(patient), "Audio paused"),
            "{{ 'ON' if value_json.audio_paused else 'OFF' }}",
            _BINARY | {"icon": "mdi:bell-sleep-outline"},
        ),
    }


def last_strip(topic: str) -> dict[str, Entity]:
    """The newest strip as a picture. topic: of the picture."""
    return {
        "last_strip": {
            "p": "image",
            "name": "Last strip",
            "icon": "mdi:chart-line",
            "image_topic": topic,
            "content_type": "image/png",
        }
    }


def buttons(topic: str, verbs: Iterable[str]) -> dict[str, Entity]:
    """What can be pressed. topic: where it is heard. verbs: what is heard there."""
    return {
        verb: {
            "p": "button",
            "name": _BUTTONS[verb][0],
            "icon": _BUTTONS[verb][1],
            "command_topic": topic,
            "payload_press": verb,
            "qos": 1,
        }
        for verb in verbs
    }


def _now(topic: str, name: str, template: str, more: Entity) -> Entity:
    """Out of the state message: worth nothing once that ceases to come."""
    return {**_entity(topic, name, template), "expire_after": EXPIRE_S, **more}


def _told(topic: str, name: str, template: str, more: Entity) -> Entity:
    """Out of a message that comes at changes, hence with acknowledgement and without expiry."""
    return {**_entity(topic, name, template), "qos": 1, **more}


def _entity(topic: str, name: str, template: str) -> Entity:
    return {"p": "sensor", "name": name, "state_topic": topic, "value_template": template}


def _number(unit: str, icon: str) -> Entity:
    return {
        **_MEASURED,
        "unit_of_measurement": unit,
        "suggested_display_precision": 0,
        "icon": icon,
    }


def _choice(options: list[str], icon: str) -> Entity:
    return {"device_class": "enum", "options": options, "icon": icon}


def _of_the_most_urgent(field: str) -> str:
    """The list of present alerts has the most urgent first."""
    return "{{ value_json.alerts[0]." + field + " if value_json.alerts else 'none' }}"


def _list_of_alerts() -> str:
    fields = ", ".join(f"'{name}': each.{name}" for name in _LISTED)
    return (
        "{% set found = namespace(alerts=[]) %}"
        "{% for each in value_json.alerts %}"
        "{% set found.alerts = found.alerts + [{" + fields + "}] %}"
        "{% endfor %}{{ {'alerts': found.alerts} | tojson }}"
    )


def _event() -> str:
    """Home Assistant wants an object with `event_type`; the rest becomes attributes."""
    fields = ", ".join(f"'{name}': value_json.{name}" for name in _TOLD)
    return "{{ {'event_type': value_json.phase, " + fields + "} | tojson }}"
