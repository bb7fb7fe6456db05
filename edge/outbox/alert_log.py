"""The log of alerts: what was raised, and what became of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from edge.errors import StorageError
from edge.outbox.messages import TELEMETRY_RANK, LoggedMessage
from edge.outbox.rows import checksum, to_message
from edge.outbox.schema import MESSAGE, STATES, open_for_reading


def history(db: sqlite3.Connection, limit: int, since_utc_ns: int) -> list[LoggedMessage]:
    """The newest `limit` alerts raised since then, oldest first; telemetry left out."""
    found = db.execute(
        f"SELECT crc, {MESSAGE}, state, raised_utc_ns FROM message"
        " WHERE rank < ? AND raised_utc_ns >= ? ORDER BY row DESC LIMIT ?",
        (TELEMETRY_RANK, since_utc_ns, limit),
    ).fetchall()
    return [
        LoggedMessage(to_message(columns), STATES[state], raised_utc_ns)
        for crc, *columns, state, raised_utc_ns in reversed(found)
        if crc == checksum(columns)
    ]


def read_history(path: Path, limit: int = 1000, since_utc_ns: int = 0) -> list[LoggedMessage]:
    """The newest alerts of an outbox, oldest first, even while another process uses it.

    Raises StorageError where there is none or it cannot be read.
    """
    if not path.is_file():
        raise StorageError(
            f"alert log: {path} does not exist; `edge run` keeps one where a broker is configured"
        )
    try:
        with closing(open_for_reading(path)) as db:
            return history(db, limit, since_utc_ns)
    except sqlite3.Error as error:
        raise StorageError(f"alert log {path} cannot be read: {error}") from None


__all__ = ["history", "read_history"]
