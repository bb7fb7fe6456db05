"""Most urgent first, and bounded: who goes when there is too much."""

from __future__ import annotations

from pathlib import Path

from edge.outbox import TELEMETRY_RANK, Outbox, OutboxLimits
from tests.edge.outbox.messages import message, waiting


def test_alarms_come_before_telemetry_and_old_before_new(path: Path) -> None:
    outbox = Outbox(path)
    for seq, rank in enumerate((TELEMETRY_RANK, 2, 0, 1, 0, TELEMETRY_RANK), start=1):
        outbox.put(message(seq, rank))
    assert waiting(outbox) == [3, 5, 4, 2, 1, 6]
    assert [each.message.seq for each in outbox.pending(2)] == [3, 5]
    outbox.close()


def test_too_many_rows_evict_the_least_urgent_oldest_first(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(pending_rows=3))
    for seq, rank in enumerate((2, 0, 2, 2, 0), start=1):
        outbox.put(message(seq, rank))
    assert waiting(outbox) == [2, 5, 4]
    assert outbox.counts.evicted == 2
    assert [(each.message.seq, each.state) for each in outbox.history()] == [
        (1, "evicted"),
        (2, "pending"),
        (3, "evicted"),
        (4, "pending"),
        (5, "pending"),
    ]
    outbox.close()


def test_too_many_bytes_evict_too(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(pending_bytes=1000))
    for seq in range(1, 6):
        outbox.put(message(seq, size=300))
    assert waiting(outbox) == [3, 4, 5]
    outbox.close()


def test_a_low_alarm_never_displaces_a_high_one(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(pending_rows=2))
    outbox.put(message(1))
    outbox.put(message(2))
    outbox.put(message(3, rank=2))
    assert waiting(outbox) == [1, 2]
    outbox.close()
