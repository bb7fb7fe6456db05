"""Room taken in advance, step by step, and kept."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.outbox import Outbox, OutboxLimits, open_alert_log, schema
from edge.outbox.outbox import RESERVE_NS
from tests.edge.outbox.messages import message, waiting

LIMITS = OutboxLimits(file_bytes=2 << 20)


class TickingClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_ns(self) -> int:
        return self.now_ns


def test_the_file_grows_to_its_size_by_a_step_a_second_and_stays_there(path: Path) -> None:
    clock = TickingClock()
    sizes = []
    with closing(Outbox(path, LIMITS, clock)) as outbox:
        for _ in range(20):
            outbox.retry()
            outbox.retry()
            sizes.append(outbox.health.file_bytes)
            clock.now_ns += RESERVE_NS
        assert sizes == sorted(sizes)
        assert 0 < sizes[1] - sizes[0] <= 1 << 20
        assert outbox.health.reserved
        for seq in range(1, 500):
            outbox.put(message(seq, size=700))
            outbox.delivered([message(seq).key])
        assert outbox.health.file_bytes == sizes[-1] <= LIMITS.file_bytes
    assert path.stat().st_size == sizes[-1]
    assert path.stat().st_blocks * 512 >= sizes[-1]


def test_the_log_keeps_its_room_when_the_store_is_closed(path: Path) -> None:
    wal = path.with_name(path.name + "-wal")
    for _ in range(3):
        with closing(Outbox(path, LIMITS)) as outbox:
            for seq in range(1, 200):
                outbox.put(message(seq, size=700))
        assert wal.stat().st_size == 2 << 20
        with open_alert_log(path) as log:
            assert next(log.newest_first())
        assert wal.stat().st_size == 2 << 20


def test_a_store_without_room_for_the_shared_index_is_used_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Outbox(path, LIMITS)) as outbox:
        outbox.put(message(1))
    opened = schema._opened

    def refuse_to_share(*arguments: Any) -> sqlite3.Connection:
        if arguments[-1] == "NORMAL":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
            raise error
        return opened(*arguments)

    monkeypatch.setattr(schema, "_opened", refuse_to_share)
    with closing(Outbox(path, LIMITS)) as outbox:
        assert outbox.put(message(2))
        assert waiting(outbox) == [1, 2]


def test_a_message_larger_than_a_step_finds_room(path: Path) -> None:
    with closing(Outbox(path, OutboxLimits(file_bytes=4 << 20))) as outbox:
        assert outbox.put(message(1, size=1 << 20))
        assert outbox.put(message(2, size=1 << 20))
        assert waiting(outbox) == [1, 2]


def test_a_message_larger_than_the_file_is_evicted_itself(path: Path) -> None:
    with closing(Outbox(path, OutboxLimits(file_bytes=1 << 20))) as outbox:
        assert outbox.put(message(1))
        assert outbox.put(message(2, rank=1, size=2 << 20))
        assert waiting(outbox) == [1]
        assert outbox.health.evicted_by_rank == (0, 1, 0, 0)
        assert outbox.counts.raised == 2


def test_without_room_for_the_file_memory_holds_and_the_urgent_stay(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Outbox(path, LIMITS)) as outbox:

        def refuse(*_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "posix_fallocate", refuse)
        stored = [outbox.put(message(seq, size=20_000)) for seq in range(1, 41)]
        assert 5 < sum(stored) < 40
        assert waiting(outbox) == list(range(1, 41))
        monkeypatch.undo()
        outbox.retry()
        assert outbox.counts.held == 0
        assert outbox.counts.evicted == 0
    with closing(Outbox(path, LIMITS)) as again:
        assert waiting(again) == list(range(1, 41))
