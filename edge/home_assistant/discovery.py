"""One message by which Home Assistant knows a patient's device and all its entities. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from edge.home_assistant.entities import (
    Entity,
    alarms,
    buttons,
    last_strip,
    link,
    vital_signs,
)
from edge.home_assistant.settings import HomeAssistantSettings
from edge.messages import Topics, checked_id

__all__ = ["Extras", "Watched", "discovery", "discovery_topic"]

MAX_TEXT = 64


@dataclass(frozen=True, slots=True)
class Watched:
    """A patient and the device on that patient, as the state messages name them."""

    patient: str
    device: str


@dataclass(frozen=True, slots=True)
class Extras:
    """What only some services have. verbs: that a button may send. picture: strips as pictures."""

    verbs: tuple[str, ...] = ()
    picture: bool = False


def discovery_topic(patient: str, base: str, settings: HomeAssistantSettings) -> str:
    """`<prefix>/device/[<node>/]edge-<patient>-<8 hex digits of base>/config`.

    Two services of different base on one broker can so watch patients of the same id.
    """
    mark = hashlib.sha256(base.encode()).hexdigest()[:8]
    node = f"{settings.node}/" if settings.node else ""
    return f"{settings.prefix}/device/{node}edge-{checked_id(patient)}-{mark}/config"


def discovery(
    watched: Watched, topics: Topics, version: str, extras: Extras | None = None
) -> bytes:
    """The retained message on `discovery_topic`, as JSON. version: of the software.

    Raises ValueError where the patient's id could reach another topic.
    """
    extras = extras or Extras()
    service = _available(topics.status)
    device = _available(topics.availability(watched.patient))
    # An alarm of a lost signal must show while the device is away: of what does not come from the
    # device, only the service decides.
    always = {
        **link(topics.state(watched.patient)),
        **alarms(watched.patient, topics),
        **buttons(topics.button(watched.patient), extras.verbs),
        **(last_strip(topics.image(watched.patient)) if extras.picture else {}),
    }
    components = vital_signs(topics.state(watched.patient))
    components |= {key: {**each, "avty": [service]} for key, each in always.items()}
    return msgspec.json.encode(
        {
            "dev": _device(watched, topics, version),
            "o": {"name": "edge", "sw": version},
            "avty": [service, device],
            "avty_mode": "all",
            "cmps": {
                key: {**each, "unique_id": f"edge/{topics.base}/{watched.patient}/{key}"}
                for key, each in components.items()
            },
        }
    )


def _available(topic: str) -> Entity:
    return {"topic": topic, "value_template": "{{ value_json.state }}"}


def _device(watched: Watched, topics: Topics, version: str) -> Entity:
    return {
        "ids": [f"edge/{topics.base}/{watched.patient}"],
        "name": f"ECG {watched.patient}",
        "mf": "edge",
        "mdl": _plain(watched.device) or "ECG monitor",
        "sw": version,
    }


def _plain(text: str) -> str:
    """A device's name, which comes from outside, without what cannot be shown."""
    return "".join(each if each.isprintable() else "?" for each in text)[:MAX_TEXT]
