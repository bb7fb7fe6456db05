"""Alerts on disk until the broker has acknowledged them."""

from edge.outbox.alert_log import read_history
from edge.outbox.messages import (
    TELEMETRY_RANK,
    LoggedMessage,
    OutboundMessage,
    OutboxCounts,
    OutboxHealth,
    OutboxLimits,
    PendingMessage,
)
from edge.outbox.outbox import Outbox

__all__ = [
    "TELEMETRY_RANK",
    "LoggedMessage",
    "OutboundMessage",
    "Outbox",
    "OutboxCounts",
    "OutboxHealth",
    "OutboxLimits",
    "PendingMessage",
    "read_history",
]
