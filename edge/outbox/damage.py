"""Which errors mean that a store cannot be trusted, and where such a store goes."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from edge.clock import rfc3339

StoreError = sqlite3.Error
KEPT = 2
"""Damaged stores that stay: the first, which tells how it began, and the newest."""
COMPANIONS = ("-wal", "-shm")

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNREADABLE = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}


class DamagedStoreError(sqlite3.DatabaseError):
    """The file is no outbox of this version, or not whole."""


def is_damage(error: Exception) -> bool:
    """Whether the error says that the file's content cannot be trusted.

    sqlite3 fails to decode its own message where that quotes damaged text.
    """
    if isinstance(error, UnicodeDecodeError | DamagedStoreError):
        return True
    return isinstance(error, sqlite3.Error) and primary_code(error) in _DAMAGE


def judged(error: Exception) -> Exception:
    """An error at opening, as DamagedStoreError where the content of the file is to blame.

    A file that could be opened for writing and is read-only to SQLite has a damaged header; a
    folder without write permission gives an extended code of its own. A sector that cannot be
    read will not be readable at the next attempt either.
    """
    code = getattr(error, "sqlite_errorcode", None)
    broken = code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY) or code in _UNREADABLE
    if isinstance(error, DamagedStoreError) or not (broken or is_damage(error)):
        return error
    return DamagedStoreError(str(error))


def must_reopen(error: sqlite3.Error) -> bool:
    """Whether the connection is not to be trusted after this error.

    A full disk leaves it sound, and closing it then could lose the shared-memory file that a
    full disk cannot hold again.
    """
    return primary_code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)


def no_room() -> sqlite3.OperationalError:
    """The error of a full disk, where that is found before SQLite runs into it."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def primary_code(error: sqlite3.Error) -> int:
    """The error's code without its extension."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def quarantine(path: Path, utc_ns: int) -> Path:
    """Move a damaged store aside, with its log, to `<name>.damaged-<UTC>`; returns its new name.

    Of all set aside so far only `KEPT` stay. Raises OSError where the folder cannot be written.
    """
    earlier = sorted(_set_aside(path), key=lambda each: each.stat().st_mtime_ns)
    for surplus in earlier[1 : 1 + max(0, len(earlier) + 1 - KEPT)]:
        for suffix in ("", *COMPANIONS):
            _companion(surplus, suffix).unlink(missing_ok=True)
    stamp = rfc3339(utc_ns)[:19].replace("-", "").replace(":", "")
    aside, copy = path.with_name(f"{path.name}.damaged-{stamp}Z"), 1
    while aside.exists():
        copy += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}Z-{copy}")
    path.replace(aside)
    for suffix in COMPANIONS:
        if _companion(path, suffix).exists():
            _companion(path, suffix).replace(_companion(aside, suffix))
    os.utime(aside, ns=(utc_ns, utc_ns))
    sync_folder(path.parent)
    return aside


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a power cut. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _set_aside(path: Path) -> list[Path]:
    found = path.parent.glob(f"{path.name}.damaged-*")
    return [each for each in found if not each.name.endswith(COMPANIONS)]


def _companion(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


__all__ = [
    "DamagedStoreError",
    "StoreError",
    "is_damage",
    "judged",
    "must_reopen",
    "no_room",
    "primary_code",
    "quarantine",
    "sync_folder",
]
