"""Opening a store: its lock, and what happens where it is found damaged."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.errors import StorageError
from edge.outbox.damage import (
    DamagedStoreError,
    OtherVersionError,
    finish_quarantine,
    quarantine,
    rescue_owed,
    sync_folder,
)
from edge.outbox.messages import OutboxLimits
from edge.outbox.rescue import rescue
from edge.outbox.rows import StoredRow
from edge.outbox.store import Store
from edge.outbox.wreckage import remember

RESCUE_NS = 2_500_000_000
"""How long reading a damaged store may keep a fresh one from starting, in nanoseconds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A store ready for use. owed: damaged stores whose messages it is to take over, newest
    first; rows: those messages, of each store those that wait first; unread: damaged stores that
    are still to be read to their end.
    """

    store: Store
    owed: Sequence[Path] = ()
    rows: Sequence[StoredRow] = ()
    unread: Sequence[Path] = ()


def open_store(
    path: Path, limits: OutboxLimits, clock: Clock, known: Collection[Path] = ()
) -> Opened:
    """The store at this path, a fresh one where that is damaged, and what damaged ones owe it.

    known: damaged stores that were read before; they are read again if this one is damaged too.
    Raises sqlite3.Error or OSError where no store can be had; what is owed stays owed then.
    """
    finish_quarantine(path)
    try:
        store = Store(path, limits, clock)
    except DamagedStoreError as error:
        _set_aside(path, clock, error)
        known = ()
        store = Store(path, limits, clock)
    try:
        owed = [each for each in rescue_owed(path) if each not in known]
        return _with_rescued(store, owed, clock)
    except BaseException:
        store.close()
        raise


def set_aside(path: Path, clock: Clock, reason: str) -> Path:
    """Move a damaged store out of the way; returns its new name. Raises OSError."""
    aside = quarantine(path, clock.utc_ns())
    _log.error("outbox %s is damaged (%s): moved to %s", path, reason, aside)
    return aside


def _set_aside(path: Path, clock: Clock, error: DamagedStoreError) -> None:
    if not isinstance(error, OtherVersionError):
        set_aside(path, clock, str(error))
        return
    aside = quarantine(path, clock.utc_ns(), error.version)
    _log.warning(
        "outbox %s is of another version of edge (%s): moved to %s; what waits in it is taken over"
        " where it can be read. To go back to that version, stop this one and give the file its"
        " old name",
        *(path, error, aside.name),
    )


def _with_rescued(store: Store, owed: Iterable[Path], clock: Clock) -> Opened:
    """Numbers and snapshots of damaged stores are in the fresh one when this returns, as far as
    the time suffices.
    """
    deadline_ns = clock.monotonic_ns() + RESCUE_NS
    read: list[Path] = []
    unread: list[Path] = []
    rows: list[StoredRow] = []
    for aside in owed:
        if clock.monotonic_ns() > deadline_ns:
            unread.append(aside)
            continue
        found = rescue(aside, lambda: clock.monotonic_ns() > deadline_ns)
        remember(store, found)
        (unread if found.cut_short else read).append(aside)
        rows += found.ordered()
        rest = "; the rest is read meanwhile" if found.cut_short else ""
        number = len(found.messages)
        _log.error("outbox: %d messages of %s are to be taken over%s", number, aside, rest)
    return Opened(store, read, rows, unread)


def lock(path: Path) -> int:
    """Hold the outbox for this process; the kernel releases it however the process ends.

    Returns a file descriptor to close. Raises StorageError.
    """
    try:
        _make_folder(path.parent)
        fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(refused(path, error)) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise StorageError(
            f"outbox {path} is in use by another edge process: stop that one, or give this one "
            "another storage directory"
        ) from None
    return fd


def refused(path: Path, error: Exception) -> str:
    """A refusal of the disk, in words."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (
        f"outbox {path}: {reason}; the folder must be writable and have free space "
        "(storage.directory in the configuration)"
    )


def _make_folder(folder: Path) -> None:
    """Make missing folders, private ones, in a way that survives a power cut."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


__all__ = ["Opened", "lock", "open_store", "refused", "set_aside"]
