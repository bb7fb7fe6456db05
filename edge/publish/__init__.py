"""From the outbox to an MQTT broker."""

from edge.publish.failure import ConnectFailedError
from edge.publish.publisher import FirstConnect, Publisher
from edge.publish.statistics import LatencyMs, PublishStatistics

__all__ = [
    "ConnectFailedError",
    "FirstConnect",
    "LatencyMs",
    "PublishStatistics",
    "Publisher",
]
