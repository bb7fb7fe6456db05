"""Where alerts go: the protocol of a sink, and the sink that publishes over MQTT.

A package adds a sink by an entry point in the group `edge.sinks` that names a factory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

from edge.errors import ConfigError
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    StateMessage,
    StripMessage,
    Topics,
    encode,
)
from edge.outbox import STRIP_PHASE, TELEMETRY_RANK, OutboundMessage, Outbox
from edge.publish import Publisher

STATE_EXPIRY_S = 60
GROUP = "edge.sinks"


class Sink(Protocol):
    """Takes messages. Called from one thread; must not block for long and must not raise."""

    def alert(self, message: AlertMessage) -> None:
        """One step of an alarm condition."""

    def active(self, message: ActiveAlerts) -> None:
        """The alarm conditions present, after each change."""

    def state(self, message: StateMessage) -> None:
        """Once a second."""

    def availability(self, message: AvailabilityMessage) -> None:
        """The device began or ceased to deliver."""

    def close(self) -> None:
        """Nothing more will come."""


@runtime_checkable
class StripSink(Protocol):
    """A sink that takes the strips of alerts as well; a sink need not."""

    def strip(self, message: StripMessage) -> None:
        """The signal around the start of an alarm, some seconds after its alert."""


@runtime_checkable
class KeepingSink(Protocol):
    """A sink that keeps the state of the alarms for the next start; a sink need not."""

    def alert_kept(self, message: AlertMessage, snapshot: bytes) -> None:
        """One step of an alarm condition, and in one with it the state of the patient's alarms."""

    def keep(self, patient: str, snapshot: bytes) -> None:
        """The state of the patient's alarms, now and then."""


class MqttSink:
    """Alerts through the outbox, everything else as retained values.

    `alert` returns once the alert is on disk. The outbox stays open on `close`: its owner
    closes it.
    """

    def __init__(
        self, outbox: Outbox, publisher: Publisher, topics: Topics, flush_s: float = 1.0
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._topics = topics
        self._flush_s = flush_s

    def alert(self, message: AlertMessage) -> None:
        """Store the alert, and wake the publisher."""
        self._outbox.put(outbound(message, self._topics))

    def alert_kept(self, message: AlertMessage, snapshot: bytes) -> None:
        """Store the alert and the state of the alarms at once, and wake the publisher."""
        self._outbox.put(outbound(message, self._topics), snapshot)

    def keep(self, patient: str, snapshot: bytes) -> None:
        """Store the state of the alarms."""
        self._outbox.save_snapshot(patient, snapshot)

    def active(self, message: ActiveAlerts) -> None:
        """Publish the list of conditions present."""
        self._publisher.retain(self._topics.active(message.patient), encode(message), qos=1)

    def state(self, message: StateMessage) -> None:
        """Publish the state; the broker drops it when it is a minute old."""
        topic = self._topics.state(message.patient)
        self._publisher.retain(topic, encode(message), qos=0, expiry_s=STATE_EXPIRY_S)

    def availability(self, message: AvailabilityMessage) -> None:
        """Publish whether the device delivers."""
        self._publisher.retain(self._topics.availability(message.patient), encode(message), qos=1)

    def strip(self, message: StripMessage) -> None:
        """Store the strip, and wake the publisher; alerts go first."""
        self._outbox.put(outbound_strip(message, self._topics))

    def close(self) -> None:
        """Send what is pending for a short while and disconnect."""
        self._publisher.stop(self._flush_s)


def outbound(message: AlertMessage, topics: Topics) -> OutboundMessage:
    """An alert as the outbox keeps it."""
    return OutboundMessage(
        patient=message.patient,
        id=message.id,
        phase=message.phase.value,
        seq=message.seq,
        rank=message.priority.rank,
        topic=topics.alert(message.patient),
        payload=encode(message),
        properties=(("schema", "alert"),),
    )


def outbound_strip(message: StripMessage, topics: Topics) -> OutboundMessage:
    """A strip as the outbox keeps it: the first to go where room is short."""
    return OutboundMessage(
        patient=message.patient,
        id=message.id,
        phase=STRIP_PHASE,
        seq=message.recurrence,
        rank=TELEMETRY_RANK,
        topic=topics.strip(message.patient),
        payload=encode(message),
        properties=(("schema", "strip"),),
    )


def load_sink(name: str, options: Mapping[str, Any]) -> Sink:
    """A sink that another package provides. Raises ConfigError where there is none."""
    factory: Callable[..., Sink] = find_sink(name).load()
    return factory(**options)


def find_sink(name: str) -> EntryPoint:
    """Where a sink of another package comes from. Raises ConfigError where there is none."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none installed"
        raise ConfigError(f"sink {name!r} is unknown; known: {known}")
    return found[name]


__all__ = [
    "GROUP",
    "MqttSink",
    "Sink",
    "StripSink",
    "find_sink",
    "load_sink",
    "outbound",
    "outbound_strip",
]
