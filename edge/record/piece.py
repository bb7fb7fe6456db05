"""One file of a recording while it is written: append-only, locked against deletion."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

__all__ = ["Piece", "is_running"]


class Piece:
    """A file that did not exist before.

    What `append` took is with the operating system when it returns, so that the end of this
    process costs nothing of it; `sync` puts it on the disk. All methods may raise OSError.
    """

    def __init__(self, path: Path, opened_ns: int) -> None:
        """opened_ns: host monotonic time. Raises FileExistsError where there is such a file."""
        self.path = path
        self.opened_ns = opened_ns
        self.size = 0
        self._file = path.open("xb", buffering=0)
        self._synced = 0
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sync_folder(path.parent)
        except OSError:
            self.discard()
            raise

    def append(self, data: bytes) -> None:
        """Write it all, or cut off what got written of it and raise OSError."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(self.size)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """Have the disk keep what was written since the last time."""
        if self._synced < self.size:
            os.fsync(self._file.fileno())
            self._synced = self.size

    def close(self) -> None:
        """Nothing more will come."""
        try:
            self.sync()
        finally:
            self._file.close()

    def discard(self) -> None:
        """Nothing in it is worth keeping."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


def is_running(path: Path) -> bool:
    """Whether some process writes it still; what cannot be opened is not being written."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _sync_folder(folder: Path) -> None:
    """A power cut must not lose the name of the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
