"""Messages as rows of the table, each with a checksum of its own."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

from edge.outbox.messages import OutboundMessage


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
