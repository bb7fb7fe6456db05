"""The vocabulary of the outbox."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OUTBOX_FILE = "outbox.sqlite"
"""Name of the outbox in the storage directory."""

TELEMETRY_RANK = 3
"""Priority rank of what is not an alarm; alarms have 0 (high) to 2 (low)."""

STRIP_PHASE = "strip"
"""In place of an alert's phase: the strip of the alert, which is kept once delivered."""

DeliveryState = Literal["pending", "delivered", "evicted"]
Key = tuple[str, str, str, int]
"""(patient, id, phase, seq): names one message."""


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """What must reach the broker. Its key names it: it is stored only once.

    seq: from `Outbox.next_seq(patient)`. rank: 0 is the most urgent.
    properties: MQTT 5 user properties.
    """

    patient: str
    id: str
    phase: str
    seq: int
    rank: int
    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> Key:
        """What names it."""
        return self.patient, self.id, self.phase, self.seq


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A message that waits. raised_ns: monotonic time of its `put`, None where that was before
    this process began.
    """

    message: OutboundMessage
    raised_ns: int | None


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """One line of the alert log. raised_utc_ns: when it was put, as the host's clock said."""

    message: OutboundMessage
    state: DeliveryState
    raised_utc_ns: int


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """Bounds. Rows and payload bytes that may wait; delivered rows kept as the alert log; payload
    bytes of delivered strips kept beside it; messages held in memory while the disk refuses them;
    size of the file, which is taken from the disk in advance.
    """

    pending_rows: int = 100_000
    pending_bytes: int = 64 << 20
    log_rows: int = 20_000
    strip_bytes: int = 16 << 20
    held: int = 256
    file_bytes: int = 128 << 20


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """raised = delivered + evicted + pending, since the store was made.

    held: those of `pending` that the disk refused and that only memory holds.
    failures: operations that the disk refused since this process began.
    """

    raised: int
    delivered: int
    evicted: int
    pending: int
    held: int
    failures: int


@dataclass(frozen=True, slots=True)
class OutboxHealth:
    """How the store fares.

    fault: why the disk refuses now, empty where it does not.
    file_bytes: taken from the disk so far; reserved: whether that is all it will ever need.
    evicted_by_rank: since this process began, most urgent first, telemetry last.
    quarantined: where a damaged store was moved to, which is worth a technical alarm; rescued:
    messages brought over from it.
    """

    fault: str
    file_bytes: int
    reserved: bool
    evicted_by_rank: tuple[int, int, int, int]
    quarantined: Path | None
    rescued: int
