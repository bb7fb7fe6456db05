"""One open store: its operations, each of which is one transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.clock import Clock
from edge.outbox.alert_log import history
from edge.outbox.damage import judged, no_room, sync_folder
from edge.outbox.messages import (
    TELEMETRY_RANK,
    Key,
    LoggedMessage,
    OutboundMessage,
    OutboxLimits,
)
from edge.outbox.reserve import PAGE_DATA_BYTES, STEP_PAGES, Reserve
from edge.outbox.rows import StoredRow
from edge.outbox.schema import (
    DELIVERED,
    EVICTED,
    PENDING,
    open_for_reading,
    open_for_writing,
)
from edge.outbox.table import MessageTable, Settled

SPARE_PAGES = 24
"""Free pages beyond a message's own: the trees above it may split, and a delivery must find
room as well."""
FORGOTTEN_AT_ONCE = 16
STRIP_BYTES_AT_ONCE = 256 << 10
STRIPS_TRIMMED = 8
"""Strips in the log make room by so large a part of what they may take, as they are found by a
search of the log."""
ROW_BYTES = 512
"""Of a row beside its payload, at most, with all its index entries."""


class Store:
    """One open outbox file. Methods raise sqlite3.Error and then have changed nothing.

    Raises DamagedStoreError where the file cannot be trusted, sqlite3.Error or OSError where
    it cannot be opened.
    """

    def __init__(self, path: Path, limits: OutboxLimits, clock: Clock) -> None:
        self._limits = limits
        self.evicted_by_rank = [0] * (TELEMETRY_RANK + 1)
        """Messages evicted since the file was opened, most urgent first."""
        # Stays open until the end: closing it would release the locks that SQLite holds.
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._open: list[sqlite3.Connection] = []
        try:
            self._db = open_for_writing(path, limits.file_bytes, clock)
            self._open = [self._db]
            self._open += _keepers(path, self._db)
            self._begin(path)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self.close()
            raise judged(error) from None
        except BaseException:
            self.close()
            raise

    def _begin(self, path: Path) -> None:
        wal = path.with_name(path.name + "-wal")
        self._reserve = Reserve(self._db, self._fd, wal, self._limits.file_bytes)
        sync_folder(path.parent)
        self._table = MessageTable(self._db)
        self.pending_rows, self.pending_bytes = self._table.waiting()
        self._logged = self._table.logged()
        self._strip_bytes = self._table.strip_bytes()
        if self._reserve.free_pages < STEP_PAGES:
            self.reserve_more()

    def close(self) -> None:
        """Release the file. The log stays, so that its room does."""
        for db in self._open:
            db.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def insert(
        self, message: OutboundMessage, raised_utc_ns: int, snapshot: bytes | None = None
    ) -> bool:
        """Store a message, and with it the patient's snapshot; true once they are on disk.

        A message stored before keeps its place and state. Beyond the limits the least urgent
        go, oldest first; they may include this one.
        """
        if self._table.row_of(message.key) is None and not self._make_room(message, snapshot):
            return self._refuse(message)
        with self._transaction():
            added = self._table.add(StoredRow(message, PENDING, raised_utc_ns))
            if snapshot is not None:
                self._table.save(message.patient, snapshot)
            rows = self.pending_rows + added
            size = self.pending_bytes + added * len(message.payload)
            evicted = self._evict_beyond(rows, size)
        self.pending_rows, self.pending_bytes = rows, size
        self._left(evicted, for_room=True)
        return True

    def adopt(self, rows: Sequence[StoredRow]) -> int:
        """Take over rows of another store, in their order; returns how many were new.

        Raises the error of a full disk where the file has no room for them.
        """
        size = sum(len(each.message.payload) + ROW_BYTES for each in rows)
        if not self._room(SPARE_PAGES + len(rows) + size // PAGE_DATA_BYTES):
            raise no_room()
        with self._transaction():
            new = [each for each in rows if self._table.add(each)]
            for state in (DELIVERED, EVICTED):
                self._table.count(state, sum(each.state == state for each in new))
        waiting = [each.message for each in new if each.state == PENDING]
        self.pending_rows += len(waiting)
        self.pending_bytes += sum(len(each.payload) for each in waiting)
        log = [each.message for each in new if each.state != PENDING]
        strips = [len(each.payload) for each in log if each.rank >= TELEMETRY_RANK]
        self._logged += len(log) - len(strips)
        self._strip_bytes += sum(strips)
        return len(new)

    def pending(self, limit: int, without: Sequence[str] = ()) -> list[OutboundMessage]:
        """Messages that wait, most urgent first, oldest first among equals; not of topics in
        `without`.

        A row whose checksum does not hold is evicted, so that it cannot block the others.
        """
        messages, damaged = self._table.pending(limit, without)
        if not damaged:
            return messages
        self._evict(damaged)
        return self.pending(limit, without)

    def delivered(self, keys: Iterable[Key]) -> int:
        """Mark messages as delivered; returns how many of them waited until now."""
        with self._transaction():
            rows = [row for key in keys if (row := self._table.row_of(key)) is not None]
            settled = self._settle(rows, DELIVERED, keep_strips=True)
        self._left(settled)
        return len(settled)

    def give_up(self, keys: Iterable[Key]) -> int:
        """Mark messages as evicted that the broker will not have; returns how many waited."""
        with self._transaction():
            rows = [row for key in keys if (row := self._table.row_of(key)) is not None]
            settled = self._settle(rows, EVICTED, keep_strips=True)
        self._left(settled)
        return len(settled)

    def counters(self) -> tuple[int, int, int]:
        """Messages ever raised, delivered and evicted."""
        return self._table.totals()

    def sequences(self) -> dict[str, int]:
        """Highest `seq` stored, by patient."""
        return self._table.sequences()

    def save_snapshot(self, patient: str, data: bytes) -> bool:
        """Replace the patient's snapshot; true once it is on disk."""
        return self.remember(patient, 0, data)

    def remember(self, patient: str, seq: int, snapshot: bytes | None) -> bool:
        """Note a patient's sequence number, unless a higher one is known, and the snapshot,
        unless None.
        """
        self._room(SPARE_PAGES + len(snapshot or b"") // PAGE_DATA_BYTES)
        with self._transaction():
            self._table.number(patient, seq)
            if snapshot is not None:
                self._table.save(patient, snapshot)
        return True

    def remember_numbers(self, numbers: Mapping[str, int]) -> bool:
        """Note the sequence numbers of many at once, unless higher ones are known."""
        self._room(SPARE_PAGES + len(numbers) * ROW_BYTES // PAGE_DATA_BYTES)
        with self._transaction():
            self._table.number_all(numbers)
        return True

    def load_snapshot(self, patient: str) -> bytes | None:
        """The patient's newest snapshot, None where there is none that holds."""
        return self._table.load(patient)

    def history(self, limit: int, since_utc_ns: int) -> list[LoggedMessage]:
        """The newest alerts, oldest first."""
        return history(self._db, limit, since_utc_ns)

    def reserve_more(self) -> bool:
        """One step towards the file's final size; False where there is nothing to do, or no
        room on the disk.
        """
        return self._reserve.release() if self._reserve.complete else self._reserve.grow()

    @property
    def extent(self) -> tuple[int, bool]:
        """Bytes taken from the disk for the table, and whether that is all it needs."""
        reserve = self._reserve
        return reserve.file_bytes, reserve.complete and reserve.log_reserved

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _make_room(self, message: OutboundMessage, snapshot: bytes | None) -> bool:
        """Room in the file for a message; False where all that waits is more urgent.

        While the disk still owes the file a part of its room, only the less urgent go: others
        of its kind stay, and the message itself is left to memory.
        """
        size = len(message.payload) + len(snapshot or b"") + ROW_BYTES
        pages = SPARE_PAGES + 1 + size // PAGE_DATA_BYTES
        while not self._room(pages, strips_only=message.rank >= TELEMETRY_RANK):
            owed = not self._reserve.complete
            victim = self._table.victim(message.rank + owed)
            if victim is None and owed:
                raise no_room()
            if victim is None:
                return False
            self._evict([victim])
        return True

    def _room(self, pages: int, strips_only: bool = False) -> bool:
        """So many free pages: from the reserve, else by leaving the oldest out of the log."""
        while (free := self._reserve.free_pages) < pages:
            if self._reserve.release() or self._reserve.grow(free + STEP_PAGES):
                continue
            if not self._forget(strips_only):
                return False
        return True

    def _forget(self, strips_only: bool) -> bool:
        """Leave some of the oldest out of the log, strips first; False where there is nothing."""
        with self._transaction():
            freed = self._table.forget_strips(STRIP_BYTES_AT_ONCE) if self._strip_bytes else 0
            gone = 0 if freed or strips_only else self._table.forget(FORGOTTEN_AT_ONCE)
        self._strip_bytes = max(0, self._strip_bytes - freed) if freed else 0
        self._logged = max(0, self._logged - gone)
        return bool(freed or gone)

    def _refuse(self, message: OutboundMessage) -> bool:
        """The file is full of what is more urgent: the message is evicted at once."""
        with self._transaction():
            self._table.count(PENDING, 1)
            self._table.count(EVICTED, 1)
            self._table.number(message.patient, message.seq)
        self.evicted_by_rank[min(message.rank, TELEMETRY_RANK)] += 1
        return True

    def _evict_beyond(self, rows: int, size: int) -> list[Settled]:
        """Evict within a transaction until the limits hold."""
        evicted: list[Settled] = []
        while rows > self._limits.pending_rows or size > self._limits.pending_bytes:
            victim = self._table.victim()
            settled = self._settle([victim], EVICTED) if victim is not None else []
            if not settled:
                break
            evicted += settled
            rows -= 1
            size -= settled[0].size_bytes
        return evicted

    def _evict(self, rows: Sequence[int]) -> None:
        with self._transaction():
            evicted = self._settle(rows, EVICTED)
        self._left(evicted, for_room=True)

    def _settle(self, rows: Iterable[int], state: int, keep_strips: bool = False) -> list[Settled]:
        """Give rows their last state within a transaction, and keep the log within its bound."""
        found = (self._table.settle(row, state, keep_strips) for row in rows)
        settled = [each for each in found if each is not None]
        added = sum(each.rank < TELEMETRY_RANK for each in settled)
        if self._logged + added > self._limits.log_rows:
            self._table.trim(self._limits.log_rows)
        strips = sum(map(_kept_strip, settled))
        if self._strip_bytes + strips > self._limits.strip_bytes:
            self._table.forget_strips(self._strip_bytes + strips - self._strip_bytes_trimmed)
        return settled

    @property
    def _strip_bytes_trimmed(self) -> int:
        return self._limits.strip_bytes - self._limits.strip_bytes // STRIPS_TRIMMED

    def _left(self, settled: Iterable[Settled], for_room: bool = False) -> None:
        """Note, after the commit, messages that wait no more."""
        for each in settled:
            self.pending_rows -= 1
            self.pending_bytes -= each.size_bytes
            if each.rank < TELEMETRY_RANK:
                self._logged = min(self._logged + 1, self._limits.log_rows)
            self._strip_bytes += _kept_strip(each)
            if for_room:
                self.evicted_by_rank[min(max(each.rank, 0), TELEMETRY_RANK)] += 1
        if self._strip_bytes > self._limits.strip_bytes:
            self._strip_bytes = self._strip_bytes_trimmed


def _kept_strip(settled: Settled) -> int:
    """Payload bytes where it is a strip that the log keeps."""
    return settled.size_bytes if settled.kept and settled.rank >= TELEMETRY_RANK else 0


def _keepers(path: Path, writer: sqlite3.Connection) -> list[sqlite3.Connection]:
    """A reader that is closed after the writer, so that the log is not deleted and its room lost.

    Empty where the writer has the store for itself.
    """
    if writer.execute("PRAGMA locking_mode").fetchone()[0] != "normal":
        return []
    db = open_for_reading(path)
    try:
        db.execute("SELECT count(*) FROM counter").fetchone()
    except sqlite3.Error:
        db.close()
        return []
    return [db]


__all__ = ["Store"]
