"""Messages and snapshots as the tables hold them, each with a checksum of its own."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.outbox.messages import OutboundMessage

_CRC_BYTES = 4


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row of the message table. state: 0 waits, 1 delivered, 2 evicted."""

    message: OutboundMessage
    state: int
    raised_utc_ns: int


def as_text(raw: bytes) -> str:
    """Text that damage made undecodable must not stop a read; its checksum tells."""
    return raw.decode("utf-8", "replace")


def checksum(columns: Sequence[Any]) -> int:
    """CRC-32 of a message's columns: finds flipped bits that the database cannot see."""
    return zlib.crc32(repr(tuple(columns)).encode("utf-8", "replace"))


def to_columns(message: OutboundMessage) -> tuple[object, ...]:
    """The message as the table holds it."""
    return (
        message.patient,
        message.id,
        message.phase,
        message.seq,
        message.rank,
        message.topic,
        message.payload,
        message.qos,
        json.dumps(message.properties),
    )


def to_message(columns: Sequence[Any]) -> OutboundMessage:
    """The message out of columns whose checksum holds."""
    patient, id_, phase, seq, rank, topic, payload, qos, properties = columns
    pairs = tuple((name, value) for name, value in json.loads(properties))
    return OutboundMessage(patient, id_, phase, seq, rank, topic, payload, qos, pairs)


def sealed(snapshot: bytes) -> bytes:
    """A snapshot behind its CRC-32."""
    return zlib.crc32(snapshot).to_bytes(_CRC_BYTES, "big") + snapshot


def unsealed(blob: object) -> bytes | None:
    """The snapshot, None where there is none or its checksum does not hold."""
    if not isinstance(blob, bytes) or len(blob) < _CRC_BYTES:
        return None
    snapshot = blob[_CRC_BYTES:]
    return snapshot if blob == sealed(snapshot) else None


__all__ = [
    "StoredRow",
    "as_text",
    "checksum",
    "sealed",
    "to_columns",
    "to_message",
    "unsealed",
]
