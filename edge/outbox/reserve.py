"""Room on the disk that is taken before it is needed, so that a full disk still takes alarms.

The file of the table grows to its final size in steps, each filled with zeros in a row of its
own and synced. Deleted rows leave their pages to the file, never to the file system; messages
use only such pages, and thus never make the file grow themselves. The log gets its room once,
by the file system's allocation, and keeps it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from edge.outbox.schema import PAGE_BYTES

STEP_PAGES = 128
"""512 KiB: what one step writes twice, to the log and to the table."""
LOG_BYTES = 2 << 20
"""Log of 128 pages to its checkpoint, 128 of a step, and as much again for other transactions."""
PAGE_DATA_BYTES = PAGE_BYTES - 4
_SLACK_PAGES = 4
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Reserve:
    """The pages of an open store that messages may use.

    fd: of the store's file, open for writing. wal: the path of its log.
    """

    def __init__(self, db: sqlite3.Connection, fd: int, wal: Path, file_bytes: int) -> None:
        self._db = db
        self._fd = fd
        self._most_pages = file_bytes // PAGE_BYTES
        self.log_reserved = _reserve(wal, LOG_BYTES)

    @property
    def file_bytes(self) -> int:
        """Size of the table's file."""
        return self._pages() * PAGE_BYTES

    @property
    def complete(self) -> bool:
        """Whether the file has its final size."""
        return self._pages() >= self._most_pages - _SLACK_PAGES

    @property
    def free_pages(self) -> int:
        """Pages that can be used now."""
        return self._one("PRAGMA freelist_count")

    def grow(self, pages: int = STEP_PAGES) -> bool:
        """Fill up to so many pages with zeros, free ones first; False where the file has its
        final size or the disk has no room.
        """
        have, free = self._pages(), self.free_pages
        pages = min(pages, self._most_pages - _SLACK_PAGES - have + free)
        added = pages - free
        if pages <= 0 or self.complete:
            return False
        try:
            if added > 0:
                os.posix_fallocate(self._fd, have * PAGE_BYTES, (added + _SLACK_PAGES) * PAGE_BYTES)
            insert = "INSERT INTO reserve (filler) VALUES (zeroblob(?))"
            self._db.execute(insert, (pages * PAGE_DATA_BYTES,))
        except OSError as error:
            if error.errno in _NO_ROOM:
                return False
            raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            return False
        return True

    def release(self) -> bool:
        """Free the pages of one step; False where all are free."""
        last = "SELECT row FROM reserve ORDER BY row DESC LIMIT 1"
        return self._db.execute(f"DELETE FROM reserve WHERE row = ({last})").rowcount > 0

    def _pages(self) -> int:
        return self._one("PRAGMA page_count")

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])


def _reserve(wal: Path, size: int) -> bool:
    """Give a log room on the disk; SQLite ends reading it at the first frame that does not hold."""
    try:
        fd = os.open(wal, os.O_RDWR)
    except OSError:
        return False
    try:
        os.posix_fallocate(fd, 0, size)
        os.fsync(fd)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


__all__ = ["PAGE_DATA_BYTES", "STEP_PAGES", "Reserve"]
