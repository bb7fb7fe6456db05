"""The tables, and how a file of them is opened and verified.

Write-ahead log with `synchronous=FULL`: a commit that returned survives a power cut, which
`NORMAL` does not promise.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge.clock import Clock
from edge.outbox.damage import DamagedStoreError, OtherVersionError, primary_code
from edge.outbox.messages import DeliveryState
from edge.outbox.rows import as_text

SYNCHRONOUS = "FULL"
PAGE_BYTES = 4096
CHECKPOINT_PAGES = 128
"""Pages in the log after which they move to the table. Small, so that the log keeps within
what is reserved for it."""
SCHEMA_VERSION = 1
MOST_VERSIONS = 1000
"""A number beyond is no version, but damage."""
VERIFY_NS = 2_000_000_000
"""How long a verification may take, in nanoseconds: a slow card must not keep an alarm waiting.
What it did not get to is found when it is used."""
STATES: tuple[DeliveryState, ...] = ("pending", "delivered", "evicted")
PENDING, DELIVERED, EVICTED = range(3)
MESSAGE = "patient, id, phase, seq, rank, topic, payload, qos, properties"

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
CREATE TABLE reserve (row INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
PRAGMA user_version = {SCHEMA_VERSION};
"""


def open_for_writing(path: Path, file_bytes: int, clock: Clock) -> sqlite3.Connection:
    """The store, verified, and made where the file is empty.

    file_bytes: the file never grows beyond it. Raises DamagedStoreError where the file cannot
    be trusted, sqlite3.Error or UnicodeDecodeError where it cannot be opened.
    """
    try:
        return _opened(path, file_bytes, clock, "NORMAL")
    except sqlite3.OperationalError as error:
        if primary_code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise
        # A full disk has no room for the index of the log that processes share; alone, SQLite
        # keeps that in memory.
        return _opened(path, file_bytes, clock, "EXCLUSIVE")


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A second reader of a store that another process may be using. Raises sqlite3.Error.

    Closed last, it leaves the log in place, as it may not write.
    """
    address = f"{path.resolve().as_uri()}?mode=ro"
    db = sqlite3.connect(address, uri=True, timeout=5.0, check_same_thread=False)
    db.text_factory = as_text
    return db


def _opened(path: Path, file_bytes: int, clock: Clock, locking: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    db.text_factory = as_text
    try:
        for setting in (
            f"locking_mode = {locking}",
            "journal_mode = WAL",
            f"synchronous = {SYNCHRONOUS}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            "secure_delete = FAST",
            f"max_page_count = {max(file_bytes // PAGE_BYTES, 64)}",
        ):
            db.execute(f"PRAGMA {setting}").fetchall()
        if db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        _verify(db, clock)
        # After a failed fsync the kernel may hold as clean what the disk never got. What the
        # log holds is therefore written again, elsewhere, before anything is added to it.
        db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    except BaseException:
        db.close()
        raise
    return db


def _verify(db: sqlite3.Connection, clock: Clock) -> None:
    verdict = _integrity(db, clock.monotonic_ns() + VERIFY_NS, clock)
    if verdict != "ok":
        raise DamagedStoreError(verdict)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        if 0 < version <= MOST_VERSIONS:
            raise OtherVersionError(version, SCHEMA_VERSION)
        raise DamagedStoreError(f"no outbox: version {version}")
    db.execute(f"SELECT row, {MESSAGE}, crc, state, raised_utc_ns FROM message LIMIT 0")
    db.execute("SELECT id, seq, snapshot FROM patient LIMIT 0")
    db.execute("SELECT row, filler FROM reserve LIMIT 0")
    if db.execute("SELECT count(*) FROM counter").fetchone()[0] != len(STATES):
        raise DamagedStoreError("counters are missing")
    db.execute("UPDATE counter SET value = value")


def _integrity(db: sqlite3.Connection, deadline_ns: int, clock: Clock) -> str:
    db.set_progress_handler(lambda: clock.monotonic_ns() > deadline_ns, 10_000)
    try:
        return str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        return "ok"
    finally:
        db.set_progress_handler(None, 0)


__all__ = [
    "DELIVERED",
    "EVICTED",
    "MESSAGE",
    "PAGE_BYTES",
    "PENDING",
    "SCHEMA_VERSION",
    "STATES",
    "open_for_reading",
    "open_for_writing",
]
