"""Alerts on disk until the broker has acknowledged them."""

from edge.outbox.alert_log import AlertLog, open_alert_log
from edge.outbox.messages import (
    OUTBOX_FILE,
    STRIP_PHASE,
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
    "OUTBOX_FILE",
    "STRIP_PHASE",
    "TELEMETRY_RANK",
    "AlertLog",
    "LoggedMessage",
    "OutboundMessage",
    "Outbox",
    "OutboxCounts",
    "OutboxHealth",
    "OutboxLimits",
    "PendingMessage",
    "open_alert_log",
]
