"""The table on disk; the only user of sqlite3.

Write-ahead log with `synchronous=FULL`: a commit that returned survives a power cut, which
`NORMAL` does not promise. Each operation is one transaction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.outbox.messages import (
    TELEMETRY_RANK,
    DeliveryState,
    Key,
    LoggedMessage,
    OutboundMessage,
    OutboxLimits,
)
from edge.outbox.rows import as_text, checksum, to_columns, to_message

StoreError = sqlite3.Error
SCHEMA_VERSION = 1
STATES: tuple[DeliveryState, ...] = ("pending", "delivered", "evicted")
PENDING, DELIVERED, EVICTED = range(3)

_SCHEMA = f"""
CREATE TABLE message (
  row INTEGER PRIMARY KEY AUTOINCREMENT, patient TEXT NOT NULL, id TEXT NOT NULL,
  phase TEXT NOT NULL, seq INTEGER NOT NULL, rank INTEGER NOT NULL, topic TEXT NOT NULL,
  payload BLOB NOT NULL, qos INTEGER NOT NULL, properties TEXT NOT NULL,
  crc INTEGER NOT NULL, state INTEGER NOT NULL, raised_utc_ns INTEGER NOT NULL,
  UNIQUE (patient, id, phase, seq)) STRICT;
CREATE INDEX waiting ON message (rank, row) WHERE state = {PENDING};
CREATE INDEX logged ON message (row) WHERE state <> {PENDING};
CREATE TABLE counter (state INTEGER PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO counter VALUES ({PENDING}, 0), ({DELIVERED}, 0), ({EVICTED}, 0);
CREATE TABLE patient (id TEXT PRIMARY KEY, seq INTEGER NOT NULL DEFAULT 0, snapshot BLOB) STRICT;
PRAGMA user_version = {SCHEMA_VERSION};
"""
_MESSAGE = "patient, id, phase, seq, rank, topic, payload, qos, properties"
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class DamagedStoreError(sqlite3.DatabaseError):
    """The file is no outbox of this version, or not whole."""


class Store:
    """One open outbox file. Methods raise StoreError and then have changed nothing.

    Raises DamagedStoreError where the file cannot be trusted, StoreError or OSError where it
    cannot be opened.
    """

    def __init__(self, path: Path, limits: OutboxLimits) -> None:
        self._limits = limits
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        self._db.text_factory = as_text
        try:
            self._prepare()
            self.pending_rows, self.pending_bytes = self._waiting()
            self._log_rows = self._one(f"SELECT count(*) FROM message WHERE state <> {PENDING}")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._db.close()
            raise _judged(error) from None

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def insert(
        self, message: OutboundMessage, raised_utc_ns: int, snapshot: bytes | None = None
    ) -> bool:
        """Store a message, and with it the patient's snapshot; true once they are on disk.

        A message stored before keeps its place and state. Beyond the limits the least urgent
        go, oldest first; they may include this one.
        """
        columns = to_columns(message)
        with self._transaction():
            added = self._db.execute(
                f"INSERT OR IGNORE INTO message ({_MESSAGE}, crc, state, raised_utc_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*columns, checksum(columns), PENDING, raised_utc_ns),
            ).rowcount
            self._db.execute(
                "INSERT INTO patient (id, seq) VALUES (?, ?)"
                " ON CONFLICT (id) DO UPDATE SET seq = max(seq, excluded.seq)",
                (message.patient, message.seq),
            )
            if snapshot is not None:
                self._save(message.patient, snapshot)
            rows, size = (
                self.pending_rows + added,
                self.pending_bytes + added * len(message.payload),
            )
            self._count(PENDING, added)
            rows, size = self._evict(rows, size)
        self.pending_rows, self.pending_bytes = rows, size
        return True

    def pending(self, limit: int) -> list[OutboundMessage]:
        """Messages that wait, most urgent first, oldest first among equals.

        A row whose checksum does not hold is evicted, so that it cannot block the others.
        """
        found = self._db.execute(
            f"SELECT row, crc, {_MESSAGE} FROM message WHERE state = {PENDING}"
            " ORDER BY rank, row LIMIT ?",
            (limit,),
        ).fetchall()
        damaged = [row for row, crc, *columns in found if crc != checksum(columns)]
        if damaged:
            self._drop(damaged)
            return self.pending(limit)
        return [to_message(columns) for _, _, *columns in found]

    def delivered(self, keys: Iterable[Key]) -> int:
        """Mark messages as delivered; returns how many of them waited until now."""
        with self._transaction():
            rows = [row for key in keys if (row := self._row_of(key)) is not None]
            sizes = [size for row in rows if (size := self._settle(row, DELIVERED)) is not None]
            self._count(DELIVERED, len(sizes))
            self._trim_log(len(sizes))
        self.pending_rows -= len(sizes)
        self.pending_bytes -= sum(sizes)
        return len(sizes)

    def counters(self) -> tuple[int, int, int]:
        """Messages ever raised, delivered and evicted."""
        values = dict(self._db.execute("SELECT state, value FROM counter"))
        return values[PENDING], values[DELIVERED], values[EVICTED]

    def sequences(self) -> dict[str, int]:
        """Highest `seq` stored, by patient."""
        return dict(self._db.execute("SELECT id, seq FROM patient"))

    def save_snapshot(self, patient: str, data: bytes) -> bool:
        """Replace the patient's snapshot; true once it is on disk."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO patient (id) VALUES (?)", (patient,))
            self._save(patient, data)
        return True

    def load_snapshot(self, patient: str) -> bytes | None:
        """The patient's newest snapshot, None where there is none."""
        found = self._db.execute("SELECT snapshot FROM patient WHERE id = ?", (patient,)).fetchone()
        return found[0] if found else None

    def history(self, limit: int, since_utc_ns: int) -> list[LoggedMessage]:
        """The newest alerts, oldest first."""
        return history(self._db, limit, since_utc_ns)

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if self._one("SELECT count(*) FROM sqlite_schema") == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        verdict = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        version = self._one("PRAGMA user_version")
        if verdict != "ok" or version != SCHEMA_VERSION:
            raise DamagedStoreError(f"{verdict}, version {version}, expected {SCHEMA_VERSION}")
        self._db.execute(f"SELECT row, {_MESSAGE}, state, raised_utc_ns FROM message LIMIT 0")
        self._db.execute("SELECT id, seq, snapshot FROM patient LIMIT 0")
        if self._one("SELECT count(*) FROM counter") != len(STATES):
            raise DamagedStoreError("counters are missing")
        with self._transaction():
            self._count(PENDING, 0)

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

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    def _waiting(self) -> tuple[int, int]:
        query = f"SELECT count(*), total(length(payload)) FROM message WHERE state = {PENDING}"
        rows, size = self._db.execute(query).fetchone()
        return int(rows), int(size)

    def _row_of(self, key: Key) -> int | None:
        query = "SELECT row FROM message WHERE patient = ? AND id = ? AND phase = ? AND seq = ?"
        found = self._db.execute(query, key).fetchone()
        return found[0] if found else None

    def _save(self, patient: str, data: bytes) -> None:
        self._db.execute("UPDATE patient SET snapshot = ? WHERE id = ?", (data, patient))

    def _count(self, state: int, added: int) -> None:
        self._db.execute("UPDATE counter SET value = value + ? WHERE state = ?", (added, state))

    def _evict(self, rows: int, size: int) -> tuple[int, int]:
        evicted = 0
        while rows > self._limits.pending_rows or size > self._limits.pending_bytes:
            victim = self._db.execute(
                f"SELECT row FROM message WHERE state = {PENDING} AND rank ="
                f" (SELECT max(rank) FROM message WHERE state = {PENDING}) ORDER BY row LIMIT 1"
            ).fetchone()
            if victim is None:
                break
            size -= self._settle(victim[0], EVICTED) or 0
            rows -= 1
            evicted += 1
        if evicted:
            self._count(EVICTED, evicted)
            self._trim_log(evicted)
        return rows, size

    def _drop(self, rows: Sequence[int]) -> None:
        with self._transaction():
            sizes = [self._settle(row, EVICTED) or 0 for row in rows]
            self._count(EVICTED, len(rows))
            self._trim_log(len(rows))
        self.pending_rows -= len(sizes)
        self.pending_bytes -= sum(sizes)

    def _settle(self, row: int, state: int) -> int | None:
        """Give a waiting row its last state; its payload size, None where it did not wait."""
        found = self._db.execute(
            f"SELECT rank, length(payload) FROM message WHERE row = ? AND state = {PENDING}", (row,)
        ).fetchone()
        if found is None:
            return None
        if found[0] >= TELEMETRY_RANK:
            self._db.execute("DELETE FROM message WHERE row = ?", (row,))
        else:
            self._db.execute("UPDATE message SET state = ? WHERE row = ?", (state, row))
        return int(found[1])

    def _trim_log(self, added: int) -> None:
        self._log_rows += added
        if self._log_rows > self._limits.log_rows:
            self._db.execute(
                "DELETE FROM message WHERE row IN (SELECT row FROM message"
                f" WHERE state <> {PENDING} ORDER BY row DESC LIMIT -1 OFFSET ?)",
                (self._limits.log_rows,),
            )
            self._log_rows = self._limits.log_rows


def history(db: sqlite3.Connection, limit: int, since_utc_ns: int) -> list[LoggedMessage]:
    """The newest `limit` alerts raised since then, oldest first; telemetry left out."""
    found = db.execute(
        f"SELECT crc, {_MESSAGE}, state, raised_utc_ns FROM message"
        " WHERE rank < ? AND raised_utc_ns >= ? ORDER BY row DESC LIMIT ?",
        (TELEMETRY_RANK, since_utc_ns, limit),
    ).fetchall()
    return [
        LoggedMessage(to_message(columns), STATES[state], raised_utc_ns)
        for crc, *columns, state, raised_utc_ns in reversed(found)
        if crc == checksum(columns)
    ]


def read_only(path: Path) -> sqlite3.Connection:
    """A second reader of a store that another process may be using. Raises StoreError."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
    db.text_factory = as_text
    return db


def quarantine(path: Path) -> Path:
    """Move a damaged store aside, with its log; returns its new name.

    The first two damaged stores are kept, and the newest.
    """
    names = [path.with_name(f"{path.name}.damaged-{n}") for n in (1, 2, 3)]
    aside = next((name for name in names if not name.exists()), names[-1])
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.replace(aside.with_name(aside.name + suffix))
    return aside


def is_damage(error: Exception) -> bool:
    """Whether the error says that the file's content cannot be trusted.

    sqlite3 fails to decode its own message where that quotes damaged text.
    """
    if isinstance(error, UnicodeDecodeError):
        return True
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _DAMAGE


def must_reopen(error: sqlite3.Error) -> bool:
    """Whether the connection is not to be trusted after this error.

    A full disk leaves it sound, and closing it then could lose the shared-memory file that a
    full disk cannot hold again.
    """
    return _primary_code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)


def _judged(error: Exception) -> Exception:
    """The error, as DamagedStoreError where the content of the file is to blame.

    A file that could be opened for writing and is read-only to SQLite has a damaged header; a
    folder without write permission gives an extended code of its own.
    """
    if isinstance(error, DamagedStoreError):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    broken = code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY)
    return DamagedStoreError(str(error)) if broken or is_damage(error) else error


def _primary_code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
