"""What damaged stores had, on its way into the fresh one."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from edge.clock import Clock
from edge.outbox.damage import mark_rescued
from edge.outbox.rescue import Rescued, rescue
from edge.outbox.rows import StoredRow
from edge.outbox.store import Store

ADOPTED_AT_ONCE = 64
CLOSE_S = 1.0

_log = logging.getLogger(__name__)


class Wreckage:
    """Rows that wait to be taken over, and a thread that reads what a start had no time for.

    To be called under the outbox's lock. rescued: messages brought over.
    owed: damaged stores that were read; until all of them is taken over, a start reads them again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: deque[StoredRow] = deque()
        self._found: deque[tuple[Path, Rescued]] = deque()
        """What the reader puts at one end, and the outbox takes from the other."""
        self._unread: list[Path] = []
        self._closing = threading.Event()
        self._reader: threading.Thread | None = None
        self.owed: list[Path] = []
        self.rescued = 0

    def add(self, owed: Sequence[Path], rows: Sequence[StoredRow], unread: Sequence[Path]) -> None:
        """Take rows of stores that were read, and read those to their end that were not."""
        self.owed = list(dict.fromkeys([*self.owed, *owed, *unread]))
        self._rows.extend(rows)
        self._unread += unread
        if unread:
            self._reader = threading.Thread(
                target=self._read, args=(tuple(unread),), name="edge-rescue", daemon=True
            )
            self._reader.start()

    def adopt(self, store: Store, for_ns: int) -> bool:
        """Take over rows for so long, those that wait first; whether numbers of patients were
        found as well. Raises sqlite3.Error where the disk refuses.
        """
        deadline_ns = self._clock.monotonic_ns() + for_ns
        heard = self._hear(store)
        while self._rows and self._clock.monotonic_ns() < deadline_ns:
            batch = list(islice(self._rows, ADOPTED_AT_ONCE))
            self.rescued += store.adopt(batch)
            for _ in batch:
                self._rows.popleft()
        if not self._rows and not self._unread:
            self.owed = [each for each in self.owed if not mark_rescued(each)]
        return heard

    def close(self) -> None:
        """Read no more; what is not taken over stays owed."""
        self._closing.set()
        if self._reader is not None:
            self._reader.join(CLOSE_S)

    def _hear(self, store: Store) -> bool:
        """Note what the reader has found meanwhile."""
        heard = False
        while self._found:
            aside, found = self._found[0]
            remember(store, found)  # may raise, and then is tried again
            self._found.popleft()
            self._rows.extend(found.ordered())
            self._unread.remove(aside)
            heard = True
        return heard

    def _read(self, unread: Sequence[Path]) -> None:
        for aside in unread:
            found = rescue(aside, self._closing.is_set)
            if self._closing.is_set():
                return
            _log.warning("outbox: %d messages of %s are read", len(found.messages), aside)
            self._found.append((aside, found))


def remember(store: Store, found: Rescued) -> None:
    """Patients' numbers and snapshots; a snapshot that is there already is newer than any that a
    damaged store has. Raises sqlite3.Error where the disk refuses.
    """
    for name, patient in found.patients.items():
        newer = store.load_snapshot(name) is not None
        store.remember(name, patient.seq, None if newer else patient.snapshot)


__all__ = ["Wreckage", "remember"]
