"""The directory of all recordings: a folder a patient, a file a piece; and room for new ones."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.clock import rfc3339
from edge.errors import StorageError
from edge.record.piece import Piece, is_running
from edge.record_settings import MB, RecordSettings
from firmware_bridge.stream import NS_PER_S

__all__ = ["SUFFIX", "Shelf", "pieces_of"]

SUFFIX = ".edgerec"
_NAME = re.compile(r"([0-9]{8,})-[0-9TZ]+" + re.escape(SUFFIX))
_NS_PER_DAY = 86_400 * NS_PER_S

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A piece on the disk, as far as its name and its size tell."""

    path: Path
    size: int
    written_ns: int


class Shelf:
    """Makes pieces in a directory, and room for them within the budget.

    Raises StorageError where the directory cannot be written.
    """

    def __init__(self, settings: RecordSettings) -> None:
        self._settings = settings
        self._root = settings.path()
        self._last: dict[str, int] = {}
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            probe = self._root / f".write-test-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StorageError(
                f"{self._root}: recordings cannot be written there: {error.strerror}; "
                "name another directory (--record DIR, or `directory` in [record])"
            ) from None

    @property
    def root(self) -> Path:
        """The directory."""
        return self._root

    def begin(self, patient: str, utc_ns: int, now_ns: int) -> tuple[int, Piece]:
        """The next piece of a patient, and its number. Raises OSError.

        utc_ns: host's clock, for the name; now_ns: host monotonic time.
        """
        folder = self._root / patient
        folder.mkdir(exist_ok=True)
        numbers = [number_of(path) for path in pieces_of(folder)]
        sequence = max([*numbers, self._last.get(patient, 0)]) + 1
        begun = rfc3339(utc_ns)[:19].replace("-", "").replace(":", "")
        while True:
            with contextlib.suppress(FileExistsError):
                piece = Piece(folder / f"{sequence:08d}-{begun}Z{SUFFIX}", now_ns)
                self._last[patient] = sequence
                return sequence, piece
            sequence += 1

    def has_room(self) -> bool:
        """Whether the disk has more than the reserve left. Raises OSError."""
        room = os.statvfs(self._root)
        return room.f_bavail * room.f_frsize > self._settings.reserve_mb * MB

    def tidy(self, utc_ns: int) -> int:
        """Delete closed pieces, the oldest first, until age and budget are kept to, and one more
        piece fits.

        Returns how many. A piece that some process still writes is never deleted.
        """
        stored = {folder: self._stored(folder) for folder in self._folders()}
        excess = sum(each.size for pieces in stored.values() for each in pieces)
        excess += self._settings.piece_bytes - self._settings.budget_mb * MB
        deleted = 0
        while (oldest := self._oldest(stored)) is not None:
            if excess <= 0 and not self._is_old(oldest, utc_ns):
                break
            stored[oldest.path.parent].pop(0)
            if self._delete(oldest.path):
                excess -= oldest.size
                deleted += 1
        return deleted

    def _folders(self) -> list[Path]:
        with contextlib.suppress(OSError):
            return [each for each in self._root.iterdir() if each.is_dir()]
        return []

    def _stored(self, folder: Path) -> list[_Stored]:
        """In order; what is still written counts as large as it may become."""
        stored = list(_sized(pieces_of(folder)))
        if stored and is_running(stored[-1].path):
            size = max(stored[-1].size, self._settings.piece_bytes)
            stored[-1] = replace(stored[-1], size=size)
        return stored

    def _oldest(self, stored: dict[Path, list[_Stored]]) -> _Stored | None:
        """By number within a patient, by the time of its last byte among patients."""
        first = [pieces[0] for pieces in stored.values() if pieces]
        return min(first, key=lambda each: each.written_ns, default=None)

    def _is_old(self, piece: _Stored, utc_ns: int) -> bool:
        days = self._settings.keep_days
        return days > 0 and utc_ns - piece.written_ns > days * _NS_PER_DAY

    def _delete(self, path: Path) -> bool:
        try:
            if is_running(path):
                return False
            path.unlink()
        except OSError as error:
            log.warning("recording: %s cannot be deleted: %s", path, error.strerror)
            return False
        log.info("recording: deleted %s to make room", path)
        return True


def pieces_of(folder: Path) -> list[Path]:
    """The pieces in a folder, in the order in which they were begun. Raises OSError."""
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=number_of)


def number_of(path: Path) -> int:
    """Of a piece, from its name."""
    matched = _NAME.fullmatch(path.name)
    return int(matched[1]) if matched else 0


def _sized(paths: list[Path]) -> Iterator[_Stored]:
    for path in paths:
        with contextlib.suppress(OSError):  # deleted meanwhile
            status = path.stat()
            yield _Stored(path, status.st_size, status.st_mtime_ns)
