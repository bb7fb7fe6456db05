"""The outbox: what is put here is on disk before `put` returns, and stays until delivered.

    raised = delivered + evicted + pending

A disk that refuses never raises into the caller: the message waits in a bounded memory queue,
is offered to the publisher from there, and is stored as soon as the disk takes it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from edge.clock import Clock, SystemClock
from edge.errors import StorageError
from edge.outbox.damage import StoreError, is_damage, is_damaged, must_reopen
from edge.outbox.faults import Faults, Purpose
from edge.outbox.held import HeldMessages
from edge.outbox.messages import (
    Key,
    LoggedMessage,
    OutboundMessage,
    OutboxCounts,
    OutboxHealth,
    OutboxLimits,
    PendingMessage,
)
from edge.outbox.opening import lock, open_store, refused, set_aside
from edge.outbox.store import Store
from edge.outbox.wreckage import Wreckage

T = TypeVar("T")
MAX_TIMED = 4096
"""Messages whose time of `put` is remembered, for the latency figures."""
REOPEN_NS = 1_000_000_000
"""A store that cannot be opened is tried again after this long, in nanoseconds."""
RESERVE_NS = 1_000_000_000
"""The file grows to its final size by a step every so many nanoseconds."""
REPEAT_NS = 60_000_000_000
"""Evictions that go on are said again after this long, in nanoseconds."""
ADOPT_AT_START_NS, ADOPT_NS = 1_000_000_000, 50_000_000
"""For how long messages of a damaged store are taken over before a start, and once a second."""
RANKS = ("high", "medium", "low", "telemetry")

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
        # Of its own, for the engine asks for numbers and must not wait for the disk.
        self._numbers = threading.Lock()
        self._numbers_owed = False
        self._listener: Callable[[], None] = lambda: None
        self._held = HeldMessages(self._limits.held)
        self._raised_ns: dict[Key, int] = {}
        self._failures = 0
        self._damaged = False
        self._faults = Faults()
        self._reopen_ns = self._reserve_ns = 0
        self._evicted = self._evicted_said = (0, 0, 0, 0)
        self._evictions_said_ns = -REPEAT_NS
        self._wreckage = Wreckage(self._clock)
        self._store: Store | None = None
        self._lock_fd = lock(path)
        try:
            self._store = self._open()
            self._sequence = self._store.sequences()
            self._totals = self._store.counters()
        except (StoreError, OSError) as error:
            self.close()
            raise StorageError(refused(path, error)) from None

    def on_put(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each `put`, from the thread that put."""
        self._listener = listener

    def next_seq(self, patient: str) -> int:
        """The next number for one of the patient's messages; survives restarts once put.

        Never waits for the disk.
        """
        with self._numbers:
            self._sequence[patient] = self._sequence.get(patient, 0) + 1
            return self._sequence[patient]

    def newest_number(self, name: str) -> int:
        """The highest number that was ever spent under a name, 0 where none was."""
        with self._numbers:
            return self._sequence.get(name, 0)

    def spend(self, name: str, number: int) -> bool:
        """Note a number, below 2^48, greater than any before of this name, for good.

        True once it is on disk; False where it is not greater or the disk refuses. The name is
        of no patient: numbers of both stand in one table, and so outlive a damaged store.
        """
        with self._mutex:
            if number <= self.newest_number(name):
                return False
            if not self._try("store", lambda store: store.remember(name, number, None)):
                return False
            self._raise_numbers({name: number})
            return True

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
                self._held.hold(message)
            self._remember(message.key, raised_ns)
            self._say_evictions(raised_ns)
        self._listener()
        return stored

    def pending(self, limit: int, without: Sequence[str] = ()) -> list[PendingMessage]:
        """Messages that wait, most urgent first, oldest first among equals; not of topics in
        `without`.
        """
        with self._mutex:
            stored = self._try("read", lambda store: store.pending(limit, without)) or []
            # A commit that failed may have reached the disk: such a message is in both.
            known = {each.key for each in stored}
            held = [
                each for each in self._held if each.key not in known and each.topic not in without
            ]
            found = sorted([*stored, *held], key=lambda each: each.rank)[:limit]
            return [PendingMessage(each, self._raised_ns.get(each.key)) for each in found]

    def delivered(self, keys: Iterable[Key]) -> bool:
        """The broker has acknowledged these. False where the disk refused to note it: they
        stay pending, and are sent again later.
        """
        with self._mutex:
            settled = list(keys)
            only_held = True
            for key in settled:
                self._raised_ns.pop(key, None)
                only_held &= self._held.deliver(key)
            # Those held as well: a commit that failed may have reached the disk.
            noted = self._try("settle", lambda store: store.delivered(settled))
            return only_held or noted is not None

    def give_up(self, keys: Iterable[Key]) -> None:
        """The broker will not have these: they count as evicted."""
        if given_up := list(keys):
            with self._mutex:
                self._try("settle", lambda store: store.give_up(given_up))

    def retry(self) -> None:
        """Offer the disk again what it refused, and take the next of the room that the file
        will need; the publisher calls this once a second.
        """
        now_ns = self._clock.monotonic_ns()
        with self._mutex:
            self._store_held()
            if now_ns >= self._reserve_ns:
                self._reserve_ns = now_ns + RESERVE_NS
                self._try("reserve", lambda store: store.reserve_more())
                self._try("adopt", lambda store: self._adopt(store, ADOPT_NS))

    @property
    def counts(self) -> OutboxCounts:
        """What became of all messages."""
        with self._mutex:
            totals = self._try("read", lambda store: (store.counters(), store.pending_rows))
            if totals:
                self._totals = totals[0]
            raised, delivered, evicted = self._totals
            held = len(self._held)
            waiting = totals[1] if totals else raised - delivered - evicted
            return OutboxCounts(
                raised + held + self._held.delivered + self._held.evicted,
                delivered + self._held.delivered,
                evicted + self._held.evicted,
                waiting + held,
                held,
                self._failures,
            )

    @property
    def rescued(self) -> int:
        """Messages brought over from damaged stores."""
        return self._wreckage.rescued

    @property
    def trouble(self) -> str:
        """Why alerts may not be stored, or were not for a while; empty where all is well.

        Never waits for the disk, so the engine may ask.
        """
        return self._faults.trouble(self._clock.monotonic_ns())

    @property
    def health(self) -> OutboxHealth:
        """How the store fares."""
        with self._mutex:
            size, reserved = self._try("read", lambda store: store.extent) or (0, False)
            fault, evicted = self._faults.now, self._evictions()
            return OutboxHealth(
                *(fault, size, reserved, evicted, self.quarantined, self.rescued),
            )

    def history(self, limit: int = 1000, since_utc_ns: int = 0) -> list[LoggedMessage]:
        """The newest alerts, oldest first, delivered or not."""
        with self._mutex:
            return self._try("read", lambda store: store.history(limit, since_utc_ns)) or []

    def save_snapshot(self, patient: str, data: bytes) -> bool:
        """Keep the state of the patient's alarms; False where the disk refused."""
        with self._mutex:
            return bool(self._try("store", lambda store: store.save_snapshot(patient, data)))

    def load_snapshot(self, patient: str) -> bytes | None:
        """The newest snapshot of the patient's alarms, None where there is none."""
        with self._mutex:
            return self._try("read", lambda store: store.load_snapshot(patient))

    def close(self) -> None:
        """Store what memory holds if the disk takes it, and release the file."""
        self._wreckage.close()
        with self._mutex:
            if self._store is not None:
                self._store_held()
                self._try("adopt", lambda store: self._adopt(store, ADOPT_AT_START_NS))
            if self._store is not None:
                self._store.close()
                self._store = None
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1

    def _open(self) -> Store:
        if self._damaged and self.path.exists():
            self._wreckage.owed.clear()
            set_aside(self.path, self._clock, "a later operation found it so")
        self._damaged = False
        opened = open_store(self.path, self._limits, self._clock, self._wreckage.owed)
        asides = [*opened.owed, *opened.unread]
        self.quarantined = next(iter(asides), self.quarantined)
        if any(map(is_damaged, asides)):
            self._faults.damaged(self._clock.monotonic_ns())
        self._wreckage.add(opened.owed, opened.rows, opened.unread)
        with contextlib.suppress(StoreError):
            self._wreckage.adopt(opened.store, ADOPT_AT_START_NS)
        return opened.store

    def _adopt(self, store: Store, for_ns: int) -> None:
        """Take over messages of a damaged store for so long."""
        self._pay_numbers(store)
        if self._wreckage.adopt(store, for_ns):
            self._raise_numbers(store.sequences())

    def _raise_numbers(self, numbers: Mapping[str, int]) -> None:
        with self._numbers:
            for name, number in numbers.items():
                self._sequence[name] = max(number, self._sequence.get(name, 0))

    def _pay_numbers(self, store: Store) -> None:
        """A store begun anew learns the numbers that this run knows: what could not be rescued of
        the one before would else be given, or spent, again after a restart.
        """
        if not self._numbers_owed:
            return
        with self._numbers:
            numbers = dict(self._sequence)
        store.remember_numbers(numbers)
        self._numbers_owed = False

    def _try(self, purpose: Purpose, operation: Callable[[Store], T]) -> T | None:
        """The operation's result, None where the disk refused it, which is counted. The fault
        lasts until an operation of the same purpose succeeds.
        """
        now_ns = self._clock.monotonic_ns()
        if self._lock_fd < 0 or (self._store is None and now_ns < self._reopen_ns):
            return None
        try:
            if self._store is None:
                self._reopen_ns = now_ns + REOPEN_NS
                self._store = self._open()
                self._numbers_owed = True
                with contextlib.suppress(StoreError):  # a full disk: again within a second
                    self._pay_numbers(self._store)
            result = operation(self._store)
        except (StoreError, OSError, UnicodeDecodeError) as error:
            self._failures += 1
            self._faults.note(purpose, refused(self.path, error))
            self._damaged = self._damaged or is_damage(error)
            if not isinstance(error, StoreError) or must_reopen(error):
                self._abandon()
            return None
        self._faults.clear(purpose)
        return result

    def _abandon(self) -> None:
        if self._store is not None:
            self._evicted = self._evictions(held=False)
            with contextlib.suppress(StoreError):
                self._store.close()
            self._store = None

    def _insert(self, message: OutboundMessage, snapshot: bytes | None = None) -> bool:
        utc_ns = self._clock.utc_ns()
        return bool(self._try("store", lambda store: store.insert(message, utc_ns, snapshot)))

    def _store_held(self) -> None:
        for message in self._held:
            if not self._insert(message):
                return
            self._held.stored(message)

    def _evictions(self, held: bool = True) -> tuple[int, int, int, int]:
        stored = self._store.evicted_by_rank if self._store else (0,) * len(RANKS)
        in_memory = self._held.evicted_by_rank if held else (0,) * len(RANKS)
        high, medium, low, rest = map(sum, zip(self._evicted, stored, in_memory, strict=True))
        return high, medium, low, rest

    def _say_evictions(self, now_ns: int) -> None:
        """Log what had to go: the first of each priority at once, then once a minute."""
        evicted = self._evictions()
        new = [
            f"{count - said} {rank}"
            for rank, count, said in zip(RANKS, evicted, self._evicted_said, strict=True)
            if count > said
        ]
        first = any(
            count and not said for count, said in zip(evicted, self._evicted_said, strict=True)
        )
        if new and (first or now_ns - self._evictions_said_ns >= REPEAT_NS):
            self._evicted_said, self._evictions_said_ns = evicted, now_ns
            _log.error("outbox %s is full: evicted %s", self.path, ", ".join(new))

    def _remember(self, key: Key, raised_ns: int) -> None:
        self._raised_ns[key] = raised_ns
        if len(self._raised_ns) > MAX_TIMED:
            del self._raised_ns[next(iter(self._raised_ns))]


__all__ = ["Outbox"]
