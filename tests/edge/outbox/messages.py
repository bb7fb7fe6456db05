"""Messages for tests of the outbox."""

from __future__ import annotations

import os
from pathlib import Path

from edge.outbox import OutboundMessage, Outbox


def message(seq: int, rank: int = 0, patient: str = "p1", size: int = 10) -> OutboundMessage:
    return OutboundMessage(
        patient=patient,
        id=f"alarm-{seq}",
        phase="start",
        seq=seq,
        rank=rank,
        topic=f"edge/{patient}/alert",
        payload=bytes(size),
        properties=(("schema", "alert"), ("note", "ünïcode")),
    )


def waiting(outbox: Outbox) -> list[int]:
    return [each.message.seq for each in outbox.pending(10_000)]


def memory_folder() -> str | None:
    """A folder in memory, where the machine has one: for tests that sync often and need no disk."""
    return "/dev/shm" if os.access(Path("/dev/shm"), os.W_OK) else None
