"""The log of alerts: what was raised, what became of it, and the strips that are left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from edge.errors import StorageError
from edge.outbox.messages import STRIP_PHASE, TELEMETRY_RANK, LoggedMessage
from edge.outbox.rows import checksum, to_message
from edge.outbox.schema import MESSAGE, STATES, open_for_reading

STRIPS_MAX = 32
"""Strips of one alert that are read, the newest."""
INTEGER_MAX = (1 << 63) - 1
"""The greatest that SQLite knows; in nanoseconds the year 2262."""


class AlertLog:
    """The log over a connection that another closes. What its checksum denies is left out."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def newest_first(self, since_utc_ns: int = 0) -> Iterator[LoggedMessage]:
        """Alerts raised since then, telemetry left out."""
        found = self._db.execute(
            f"SELECT crc, {MESSAGE}, state, raised_utc_ns FROM message"
            " WHERE rank < ? AND raised_utc_ns >= ? ORDER BY row DESC",
            (TELEMETRY_RANK, min(since_utc_ns, INTEGER_MAX)),
        )
        with closing(found):
            for crc, *columns, state, raised_utc_ns in found:
                if crc == checksum(columns):
                    yield LoggedMessage(to_message(columns), STATES[state], raised_utc_ns)

    def strip_payloads(self, alert_id: str) -> list[bytes]:
        """Payloads of the strips of an alert that are left, in the order of its recurrences."""
        found = self._db.execute(
            f"SELECT crc, {MESSAGE} FROM message"
            " WHERE patient IN (SELECT id FROM patient) AND id = ? AND phase = ?"
            " ORDER BY seq DESC LIMIT ?",
            (alert_id, STRIP_PHASE, STRIPS_MAX),
        ).fetchall()
        sound = (columns for crc, *columns in reversed(found) if crc == checksum(columns))
        return [to_message(columns).payload for columns in sound]


@contextmanager
def open_alert_log(path: Path) -> Iterator[AlertLog]:
    """The log of an outbox, to be read even while another process uses it.

    Raises StorageError where there is none or it cannot be read.
    """
    if not path.is_file():
        raise StorageError(
            f"alert log: {path} does not exist; `edge run` keeps one where a broker is configured "
            "(--mqtt URI, or [mqtt] in the configuration); [storage] directory says where"
        )
    try:
        with closing(open_for_reading(path)) as db:
            yield AlertLog(db)
    except sqlite3.Error as error:
        raise StorageError(f"alert log {path} cannot be read: {error}") from None


def history(db: sqlite3.Connection, limit: int, since_utc_ns: int) -> list[LoggedMessage]:
    """The newest `limit` alerts raised since then, oldest first; telemetry left out."""
    return list(islice(AlertLog(db).newest_first(since_utc_ns), limit))[::-1]


__all__ = ["AlertLog", "history", "open_alert_log"]
