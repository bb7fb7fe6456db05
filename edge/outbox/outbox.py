"""The outbox: what is put here is on disk before `put` returns, and stays until delivered.

    raised = delivered + evicted + pending

A disk that refuses never raises into the caller: the message waits in a bounded memory queue,
is offered to the publisher from there, and is stored as soon as the disk takes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from edge.clock import Clock, SystemClock
from edge.errors import StorageError
from edge.outbox.messages import (
    Key,
    LoggedMessage,
    OutboundMessage,
    OutboxCounts,
    OutboxLimits,
    PendingMessage,
)
from edge.outbox.store import (
    DamagedStoreError,
    Store,
    StoreError,
    history,
    is_damage,
    must_reopen,
    quarantine,
    read_only,
)

T = TypeVar("T")
MAX_TIMED = 4096
"""Messages whose time of `put` is remembered, for the latency figures."""
REOPEN_NS = 1_000_000_000
"""A store that cannot be opened is tried again after this long, in nanoseconds."""

_log = logging.getLogger(__name__)


class Outbox:
    """Messages that wait for the broker, the alert log, and the alarm snapshots.

    Any thread may call any method. One process at a time holds the file.

    path: the SQLite file; a missing folder is made with mode 0700.
    Raises StorageError where the file cannot be made, read, or is held by another process.
    """

    def __init__(
        self, path: Path, limits: OutboxLimits | None = None, clock: Clock | None = None
    ) -> None:
        self.path = path
        self.quarantined: Path | None = None
        """Where a damaged store was moved to, which is worth a technical alarm."""
        self._limits = limits or OutboxLimits()
        self._clock = clock or SystemClock()
        self._mutex = threading.Lock()
        self._listener: Callable[[], None] = lambda: None
        self._held: dict[Key, OutboundMessage] = {}
        self._held_delivered = self._held_evicted = 0
        self._raised_ns: dict[Key, int] = {}
        self._failures = 0
        self._damaged = False
        self._said = ""
        self._reopen_ns = 0
        self._store: Store | None = None
        self._lock_fd = _lock(path)
        try:
            self._store = self._open()
            self._sequence = self._store.sequences()
            self._totals = self._store.counters()
        except (StoreError, OSError) as error:
            self.close()
            raise StorageError(_refused(path, error)) from None

    def on_put(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each `put`, from the thread that put."""
        self._listener = listener

    def next_seq(self, patient: str) -> int:
        """The next number for one of the patient's messages; survives restarts once put."""
        with self._mutex:
            self._sequence[patient] = self._sequence.get(patient, 0) + 1
            return self._sequence[patient]

    def put(self, message: OutboundMessage, snapshot: bytes | None = None) -> bool:
        """Take a message, and with it the state of the patient's alarms.

        True: both are on disk. False: the disk refused, and the message waits in memory (the
        snapshot does not; the next one replaces it). Putting the same message again is harmless.
        """
        raised_ns = self._clock.monotonic_ns()
        with self._mutex:
            self._store_held()
            stored = not self._held and self._insert(message, snapshot)
            if not stored:
                self._hold(message)
            self._remember(message.key, raised_ns)
        self._listener()
        return stored

    def pending(self, limit: int) -> list[PendingMessage]:
        """Messages that wait, most urgent first, oldest first among equals."""
        with self._mutex:
            stored = self._try(lambda store: store.pending(limit)) or []
            found = sorted([*stored, *self._held.values()], key=lambda each: each.rank)[:limit]
            return [PendingMessage(each, self._raised_ns.get(each.key)) for each in found]

    def delivered(self, keys: Iterable[Key]) -> bool:
        """The broker has acknowledged these. False where the disk refused to note it: they
        stay pending, and are sent again later.
        """
        with self._mutex:
            stored = []
            for key in keys:
                self._raised_ns.pop(key, None)
                if self._held.pop(key, None):
                    self._held_delivered += 1
                else:
                    stored.append(key)
            return not stored or self._try(lambda store: store.delivered(stored)) is not None

    def retry(self) -> None:
        """Offer the disk again what it refused; the publisher calls this once a second."""
        with self._mutex:
            self._store_held()

    @property
    def counts(self) -> OutboxCounts:
        """What became of all messages."""
        with self._mutex:
            totals = self._try(lambda store: (store.counters(), store.pending_rows))
            if totals:
                self._totals = totals[0]
            raised, delivered, evicted = self._totals
            held = len(self._held)
            waiting = totals[1] if totals else raised - delivered - evicted
            return OutboxCounts(
                raised + held + self._held_delivered + self._held_evicted,
                delivered + self._held_delivered,
                evicted + self._held_evicted,
                waiting + held,
                held,
                self._failures,
            )

    def history(self, limit: int = 1000, since_utc_ns: int = 0) -> list[LoggedMessage]:
        """The newest alerts, oldest first, delivered or not."""
        with self._mutex:
            return self._try(lambda store: store.history(limit, since_utc_ns)) or []

    def save_snapshot(self, patient: str, data: bytes) -> bool:
        """Keep the state of the patient's alarms; False where the disk refused."""
        with self._mutex:
            return bool(self._try(lambda store: store.save_snapshot(patient, data)))

    def load_snapshot(self, patient: str) -> bytes | None:
        """The newest snapshot of the patient's alarms, None where there is none."""
        with self._mutex:
            return self._try(lambda store: store.load_snapshot(patient))

    def close(self) -> None:
        """Store what memory holds if the disk takes it, and release the file."""
        with self._mutex:
            if self._store is not None:
                self._store_held()
            if self._store is not None:
                self._store.close()
                self._store = None
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1

    def _open(self) -> Store:
        try:
            if self._damaged:
                raise DamagedStoreError("a later operation found it so")
            return Store(self.path, self._limits)
        except DamagedStoreError as error:
            aside = self.quarantined = quarantine(self.path)
            self._damaged = False
            _log.error("outbox %s is damaged (%s): moved to %s", self.path, error, aside)
            return Store(self.path, self._limits)

    def _try(self, operation: Callable[[Store], T]) -> T | None:
        """The operation's result, None where the disk refused it, which is counted."""
        now_ns = self._clock.monotonic_ns()
        if self._lock_fd < 0 or (self._store is None and now_ns < self._reopen_ns):
            return None
        try:
            if self._store is None:
                self._reopen_ns = now_ns + REOPEN_NS
                self._store = self._open()
            return operation(self._store)
        except (StoreError, OSError, UnicodeDecodeError) as error:
            self._failures += 1
            self._say(_refused(self.path, error))
            self._damaged = self._damaged or is_damage(error)
            if not isinstance(error, StoreError) or must_reopen(error):
                self._abandon()
            return None

    def _say(self, text: str) -> None:
        """Log a refusal once, not at every attempt."""
        if text != self._said:
            self._said = text
            _log.error("%s", text)

    def _abandon(self) -> None:
        if self._store is not None:
            with contextlib.suppress(StoreError):
                self._store.close()
            self._store = None

    def _insert(self, message: OutboundMessage, snapshot: bytes | None = None) -> bool:
        utc_ns = self._clock.utc_ns()
        return bool(self._try(lambda store: store.insert(message, utc_ns, snapshot)))

    def _store_held(self) -> None:
        for key, message in list(self._held.items()):
            if not self._insert(message):
                return
            del self._held[key]
        self._said = ""

    def _hold(self, message: OutboundMessage) -> None:
        self._held[message.key] = message
        if len(self._held) > self._limits.held:
            least = max(self._held.values(), key=lambda each: each.rank)
            del self._held[least.key]
            self._held_evicted += 1

    def _remember(self, key: Key, raised_ns: int) -> None:
        self._raised_ns[key] = raised_ns
        if len(self._raised_ns) > MAX_TIMED:
            del self._raised_ns[next(iter(self._raised_ns))]


def read_history(path: Path, limit: int = 1000, since_utc_ns: int = 0) -> list[LoggedMessage]:
    """The newest alerts of an outbox, oldest first, even while another process uses it.

    Raises StorageError where there is none or it cannot be read.
    """
    if not path.is_file():
        raise StorageError(
            f"alert log: {path} does not exist; `edge run` keeps one where a broker is configured"
        )
    try:
        with closing(read_only(path)) as db:
            return history(db, limit, since_utc_ns)
    except StoreError as error:
        raise StorageError(f"alert log {path} cannot be read: {error}") from None


def _lock(path: Path) -> int:
    """Hold the outbox for this process; the kernel releases it however the process ends."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(_refused(path, error)) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise StorageError(
            f"outbox {path} is in use by another edge process: stop that one, or give this one "
            "another storage directory"
        ) from None
    return fd


def _refused(path: Path, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (
        f"outbox {path}: {reason}; the folder must be writable and have free space "
        "(storage.directory in the configuration)"
    )
