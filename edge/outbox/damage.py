"""Which errors mean that a store cannot be trusted, and where such a store goes."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from edge.clock import rfc3339

StoreError = sqlite3.Error
KEPT = 2
"""Damaged stores that stay: the first, which tells how it began, and the newest."""
MOST_OWED = 8
"""Damaged stores beyond these that stay until their messages are brought over."""
COMPANIONS = ("-wal", "-shm")
DAMAGED, OTHER_VERSION = ".damaged-", ".version-"
RESCUED = "-rescued"
"""Ends the name of the empty file beside a damaged store that has nothing more to give."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNREADABLE = {
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
}


class DamagedStoreError(sqlite3.DatabaseError):
    """The file is no outbox, or not whole."""


class OtherVersionError(DamagedStoreError):
    """The file is an outbox of another version. version: which."""

    def __init__(self, version: int, expected: int) -> None:
        super().__init__(f"version {version}, this software has version {expected}")
        self.version = version


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


def quarantine(path: Path, utc_ns: int, version: int | None = None) -> Path:
    """Move a store aside, with its log; returns its new name: `<name>.damaged-<UTC>`, or
    `<name>.version-<version>-<UTC>` where another version wrote it.

    Of those set aside so far and rescued only `KEPT` stay. Raises OSError where the folder
    cannot be written.
    """
    for surplus in _surplus(path):
        for suffix in ("", *COMPANIONS, RESCUED):
            _companion(surplus, suffix).unlink(missing_ok=True)
    stamp = rfc3339(utc_ns)[:19].replace("-", "").replace(":", "")
    what = DAMAGED if version is None else f"{OTHER_VERSION}{version}-"
    aside, copy = path.with_name(f"{path.name}{what}{stamp}Z"), 1
    while aside.exists() or _companion(aside, RESCUED).exists():
        copy += 1
        aside = path.with_name(f"{path.name}{what}{stamp}Z-{copy}")
    path.replace(aside)
    _move_log(path, aside)
    os.utime(aside, ns=(utc_ns, utc_ns))
    sync_folder(path.parent)
    return aside


def finish_quarantine(path: Path) -> None:
    """Move the log of a store after it, where the process ended between the two. Raises OSError."""
    owed = rescue_owed(path)
    if owed and not path.exists():
        _move_log(path, owed[0])


def rescue_owed(path: Path) -> list[Path]:
    """Damaged stores whose messages are not all brought over, newest first."""
    return [each for each in reversed(_set_aside(path)) if not _is_rescued(each)]


def is_damaged(aside: Path) -> bool:
    """Whether a store that was moved was damaged, and not of another version."""
    return OTHER_VERSION not in aside.name


def mark_rescued(aside: Path) -> bool:
    """Note that everything of a damaged store is brought over; False where the disk refused."""
    try:
        _companion(aside, RESCUED).touch(mode=0o600)
        sync_folder(aside.parent)
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a power cut. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _set_aside(path: Path) -> list[Path]:
    """Stores that were moved, oldest first."""
    names = (f"{path.name}{what}*" for what in (DAMAGED, OTHER_VERSION))
    found = (each for name in names for each in path.parent.glob(name))
    stores = [each for each in found if not each.name.endswith((*COMPANIONS, RESCUED))]
    return sorted(stores, key=lambda each: each.stat().st_mtime_ns)


def _surplus(path: Path) -> list[Path]:
    """Damaged stores that have to go before another is set aside."""
    later = _set_aside(path)[KEPT - 1 :]
    owed = [each for each in later if not _is_rescued(each)]
    return [each for each in later if _is_rescued(each)] + owed[:-MOST_OWED]


def _is_rescued(aside: Path) -> bool:
    return _companion(aside, RESCUED).exists()


def _move_log(path: Path, aside: Path) -> None:
    for suffix in COMPANIONS:
        if _companion(path, suffix).exists() and not _companion(aside, suffix).exists():
            _companion(path, suffix).replace(_companion(aside, suffix))


def _companion(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


__all__ = [
    "DamagedStoreError",
    "OtherVersionError",
    "StoreError",
    "finish_quarantine",
    "is_damage",
    "is_damaged",
    "judged",
    "mark_rescued",
    "must_reopen",
    "no_room",
    "primary_code",
    "quarantine",
    "rescue_owed",
    "sync_folder",
]
