"""Streaming inference for wearable biosignals: samples to alerts.

The names below are the programming interface; they load on first use, so that importing the
package stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.alarm.limits import AlarmLimits
    from edge.alert import AlarmKind, Alert, Phase, Priority
    from edge.api import Session, watch
    from edge.events import Beat, BeatClass, BeatLabel, Quality, Rhythm

_HOMES = {
    "AlarmKind": "edge.alert",
    "AlarmLimits": "edge.alarm.limits",
    "Alert": "edge.alert",
    "Beat": "edge.events",
    "BeatClass": "edge.events",
    "BeatLabel": "edge.events",
    "Phase": "edge.alert",
    "Priority": "edge.alert",
    "Quality": "edge.events",
    "Rhythm": "edge.events",
    "Session": "edge.api",
    "watch": "edge.api",
}

__all__ = [
    "AlarmKind",
    "AlarmLimits",
    "Alert",
    "Beat",
    "BeatClass",
    "BeatLabel",
    "Phase",
    "Priority",
    "Quality",
    "Rhythm",
    "Session",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
