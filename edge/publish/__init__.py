"""From the outbox to an MQTT broker, and messages from there."""

from edge.publish.failure import ConnectFailedError, FirstConnect
from edge.publish.inbox import Incoming
from edge.publish.publisher import Publisher
from edge.publish.statistics import LatencyMs, PublishStatistics

__all__ = [
    "ConnectFailedError",
    "FirstConnect",
    "Incoming",
    "LatencyMs",
    "PublishStatistics",
    "Publisher",
]
