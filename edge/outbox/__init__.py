"""Alerts on disk until the broker has acknowledged them."""

from edge.outbox.messages import (
    TELEMETRY_RANK,
    LoggedMessage,
    OutboundMessage,
    OutboxCounts,
    OutboxLimits,
    PendingMessage,
)
from edge.outbox.outbox import Outbox, read_history

__all__ = [
    "TELEMETRY_RANK",
    "LoggedMessage",
    "OutboundMessage",
    "Outbox",
    "OutboxCounts",
    "OutboxLimits",
    "PendingMessage",
    "read_history",
]
