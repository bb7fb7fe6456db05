"""What can still be read of a damaged store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.outbox.messages import Key
from edge.outbox.pages import records
from edge.outbox.rows import StoredRow, checksum, to_message, unsealed
from edge.outbox.schema import MESSAGE, PENDING, STATES, open_for_reading
from edge.outbox.wal import apply_log

Expired = Callable[[], bool]

_ROWS = f"SELECT NULL, {MESSAGE}, crc, state, raised_utc_ns FROM message NOT INDEXED ORDER BY row"
_LISTED = (
    f"SELECT NULL, {MESSAGE}, crc, {PENDING}, raised_utc_ns FROM message WHERE row IN"
    f" (SELECT row FROM message INDEXED BY waiting WHERE state = {PENDING})"
)
_PATIENTS = "SELECT id, seq, snapshot FROM patient"
_MESSAGE_COLUMNS, _PATIENT_COLUMNS = 13, 3
_ERRORS = (sqlite3.Error, UnicodeDecodeError, OSError, MemoryError)


@dataclass(slots=True)
class RescuedPatient:
    """A patient's numbers. snapshot: None where there was none that holds."""

    seq: int = 0
    snapshot: bytes | None = None


@dataclass(slots=True)
class Rescued:
    """What holds of a damaged store: messages by key, and patients.

    listed: messages that the index takes for waiting; cut_short: reading took too long.
    """

    messages: dict[Key, StoredRow] = field(default_factory=dict)
    listed: set[Key] = field(default_factory=set)
    cut_short: bool = False
    patients: dict[str, RescuedPatient] = field(default_factory=dict)

    def add_message(self, columns: list[Any], listed: bool = False) -> None:
        """Take a row of the message table whose checksum holds.

        listed: the row is known to wait; it is taken for that, whatever another copy of it
        says. Otherwise a copy that no longer waits is the newer one.
        """
        *named, crc, state, raised_utc_ns = columns[1:]
        known = isinstance(state, int) and 0 <= state < len(STATES)
        if not known or not isinstance(raised_utc_ns, int) or crc != checksum(named):
            return
        row = StoredRow(to_message(named), state, raised_utc_ns)
        key = row.message.key
        if listed:
            self.listed.add(key)
        if listed or key not in self.messages or (state != PENDING and key not in self.listed):
            self.messages[key] = row
        self.patient(row.message.patient, row.message.seq)

    def add_patient(self, columns: list[Any]) -> None:
        """Take a row of the patient table, where it looks like one."""
        name, seq, blob = columns
        if isinstance(name, str) and isinstance(seq, int) and 0 <= seq < 1 << 48:
            snapshot = unsealed(blob)
            if snapshot is not None or blob is None:
                self.patient(name, seq, snapshot)

    def patient(self, name: str, seq: int, snapshot: bytes | None = None) -> None:
        """Note a patient's sequence number, and the snapshot that goes with it."""
        found = self.patients.setdefault(name, RescuedPatient())
        if snapshot is not None and (seq >= found.seq or found.snapshot is None):
            found.snapshot = snapshot
        found.seq = max(found.seq, seq)

    def ordered(self) -> list[StoredRow]:
        """Messages that wait, then those of the log, each in the order of their numbers: pages
        lie in any order, and the wall clock may have stepped.
        """
        rows = self.messages.values()
        return sorted(rows, key=lambda each: (each.state != PENDING, each.message.seq))


def rescue(aside: Path, expired: Expired) -> Rescued:
    """Read a damaged store: as tables while that goes, else page by page. Never raises.

    expired: asked between rows; once true, reading ends.
    """
    found = Rescued()
    if not _read_tables(aside, found, expired):
        _read_pages(aside, found, expired)
    return found


def _read_tables(aside: Path, found: Rescued, expired: Expired) -> bool:
    """Whether everything could be read so, what waits first, as time may run out. A row that
    only the index takes for waiting waits: sent twice is harmless, not sent is not.
    """
    try:
        with closing(open_for_reading(aside)) as db:
            for query, take in (
                (_PATIENTS, found.add_patient),
                (_LISTED, lambda row: found.add_message(row, listed=True)),
                (_ROWS, found.add_message),
            ):
                found.cut_short |= not _take(map(list, db.execute(query)), take, expired)
    except _ERRORS:
        return False
    return True


def _read_pages(aside: Path, found: Rescued, expired: Expired) -> None:
    try:
        image = bytearray(aside.read_bytes())
        apply_log(image, aside.with_name(aside.name + "-wal"))
        whole = _take(records(image), lambda columns: _add(found, columns), expired)
        found.cut_short |= not whole
    except _ERRORS:
        return


def _add(found: Rescued, columns: list[Any]) -> None:
    if len(columns) == _MESSAGE_COLUMNS:
        found.add_message(columns)
    elif len(columns) == _PATIENT_COLUMNS:
        found.add_patient(columns)


def _take(rows: Iterable[list[Any]], take: Callable[[list[Any]], None], expired: Expired) -> bool:
    """Whether all rows could be taken in time."""
    for row in rows:
        if expired():
            return False
        take(row)
    return True


__all__ = ["Expired", "Rescued", "rescue"]
