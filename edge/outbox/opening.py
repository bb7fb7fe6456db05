"""Opening a store: its lock, and what happens where it is found damaged."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.errors import StorageError
from edge.outbox.damage import DamagedStoreError, quarantine, sync_folder
from edge.outbox.messages import OutboxLimits
from edge.outbox.rescue import rescue
from edge.outbox.rows import StoredRow
from edge.outbox.store import Store

RESCUE_NS = 2_500_000_000
"""How long reading a damaged store may keep a fresh one from starting, in nanoseconds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A store ready for use. quarantined: where a damaged one went; rows: what is to be taken
    over of it, those that wait first.
    """

    store: Store
    quarantined: Path | None = None
    rows: Sequence[StoredRow] = ()


def open_store(path: Path, limits: OutboxLimits, clock: Clock, damaged: bool = False) -> Opened:
    """The store at this path, a fresh one where that is damaged.

    damaged: a store in use was found so. Raises sqlite3.Error or OSError where neither can be
    had.
    """
    try:
        if damaged:
            raise DamagedStoreError("a later operation found it so")
        return Opened(Store(path, limits, clock))
    except DamagedStoreError as error:
        aside = quarantine(path, clock.utc_ns())
        store = Store(path, limits, clock)
        deadline_ns = clock.monotonic_ns() + RESCUE_NS
        found = rescue(aside, lambda: clock.monotonic_ns() > deadline_ns)
        for name, patient in found.patients.items():
            store.remember(name, patient.seq, patient.snapshot)
        _log.error(
            "outbox %s is damaged (%s): moved to %s, %d messages of it are brought over",
            *(path, error, aside, len(found.messages)),
        )
        return Opened(store, aside, found.ordered())


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


__all__ = ["Opened", "lock", "open_store", "refused"]
