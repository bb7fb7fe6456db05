"""A disk that refuses: nothing raises, memory holds what it can."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from edge.outbox import Outbox, OutboxLimits
from edge.outbox.damage import no_room
from edge.outbox.messages import Key
from edge.outbox.store import Store
from tests.edge.outbox.messages import message, waiting


class RefusingDisk:
    """Makes every transaction of all outboxes fail as on a full disk, until `end`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        patch.setattr(Store, "_transaction", self._refuse)

    def end(self) -> None:
        self._patch.undo()

    @staticmethod
    def _refuse(_store: Store) -> AbstractContextManager[None]:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


def refuse_delivery(_store: Store, _keys: Iterable[Key]) -> int:
    raise no_room()


def test_a_disk_that_refuses_never_raises_and_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(path, OutboxLimits(held=8))
    assert outbox.put(message(1))
    disk = RefusingDisk(monkeypatch)
    assert not any(outbox.put(message(seq)) for seq in range(2, 7))
    counts = outbox.counts
    assert (counts.held, counts.failures) == (5, 5)
    assert counts.raised == counts.pending == 6
    assert waiting(outbox) == [1, 2, 3, 4, 5, 6]
    assert "full" in outbox.health.fault
    disk.end()
    outbox.retry()
    assert outbox.counts.held == 0
    assert outbox.health.fault == ""
    outbox.close()
    again = Outbox(path)
    assert waiting(again) == [1, 2, 3, 4, 5, 6]
    again.close()


def test_what_memory_holds_is_bounded_and_what_goes_is_counted_and_said(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(path, OutboxLimits(held=4))
    RefusingDisk(monkeypatch)
    for seq in range(1, 21):
        outbox.put(message(seq, rank=2 if seq % 2 else 0))
    counts = outbox.counts
    assert (counts.held, counts.evicted) == (4, 16)
    assert counts.raised == 20 == counts.delivered + counts.evicted + counts.pending
    assert waiting(outbox) == [14, 16, 18, 20]
    assert outbox.health.evicted_by_rank == (6, 0, 10, 0)
    assert "evicted 1 low" in caplog.text
    assert "evicted 1 high" in caplog.text
    outbox.close()


def test_what_memory_holds_can_be_delivered_from_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(path)
    RefusingDisk(monkeypatch)
    for seq in range(1, 7):
        outbox.put(message(seq))
    assert outbox.delivered([message(seq).key for seq in (5, 6)])
    counts = outbox.counts
    assert (counts.held, counts.delivered) == (4, 2)
    assert counts.raised == 6 == counts.delivered + counts.evicted + counts.pending
    outbox.close()


def test_a_store_that_broke_while_open_is_opened_again(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put(message(1))
    outbox._store._db.close()  # type: ignore[union-attr]
    outbox.put(message(2))
    outbox.retry()
    assert waiting(outbox) == [1, 2]
    assert outbox.counts.failures == 1
    outbox.close()


def test_a_disk_that_refuses_for_long_is_said_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(path)
    RefusingDisk(monkeypatch)
    for seq in range(1, 21):
        outbox.put(message(seq))
    assert outbox.counts.failures > 10
    assert len([record for record in caplog.records if "disk is full" in record.message]) == 1
    outbox.close()


def test_a_commit_that_failed_after_it_was_durable_is_settled_on_disk_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(path)
    real = Store._transaction

    @contextmanager
    def fail_afterwards(store: Store) -> Iterator[None]:
        with real(store):
            yield
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_transaction", fail_afterwards)
        assert not outbox.put(message(1))
    monkeypatch.setattr("edge.outbox.outbox.REOPEN_NS", 0)
    outbox._reopen_ns = 0
    assert outbox.counts.held == 1
    assert waiting(outbox) == [1]
    assert outbox.delivered([message(1).key])
    assert waiting(outbox) == []
    outbox.close()
    again = Outbox(path)
    assert waiting(again) == []
    again.close()


def test_a_fault_lasts_while_only_deliveries_fail(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(path)
    outbox.put(message(1))
    with monkeypatch.context() as patch:
        patch.setattr(Store, "delivered", refuse_delivery)
        for seq in range(2, 6):
            assert not outbox.delivered([message(1).key])
            outbox.retry()
            assert outbox.put(message(seq))
            assert "full" in outbox.health.fault
    assert len([record for record in caplog.records if "disk is full" in record.message]) == 1
    assert outbox.delivered([message(1).key])
    assert outbox.health.fault == ""
    outbox.close()
