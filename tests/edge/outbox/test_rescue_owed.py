"""What a damaged store owes stays owed until all of it is in the fresh one."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.errors import StorageError
from edge.outbox import Outbox
from edge.outbox.damage import no_room, quarantine
from edge.outbox.rescue import rescue
from edge.outbox.store import Store
from edge.outbox.wreckage import Wreckage
from tests.edge.outbox.messages import message, waiting
from tests.edge.outbox.test_damage import DELIVERED, WAITING, damage_header, make_store
from tests.patience import WAIT_S

LAST = DELIVERED + WAITING
EXPECTED = list(range(DELIVERED + 1, LAST + 1))

KILLED = """
import os, sys
from pathlib import Path
import edge.outbox.outbox
edge.outbox.outbox.ADOPT_AT_START_NS = 0
outbox = edge.outbox.outbox.Outbox(Path(sys.argv[1]))
assert outbox.pending(1) == []
os._exit(9)
"""


@pytest.fixture
def damaged(path: Path) -> Path:
    path.parent.mkdir(mode=0o700)
    make_store(path)
    damage_header(path)
    return path


def asides(path: Path) -> list[str]:
    found = sorted(each.name for each in path.parent.glob("*.damaged-*"))
    return [each for each in found if not each.endswith(("-wal", "-shm", "-rescued"))]


def no_disk(*_: Any) -> Any:
    raise no_room()


def no_sync(*_: Any) -> Any:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("step", ["_begin", "remember"])
def test_a_disk_that_fails_during_the_rescue_costs_nothing(
    damaged: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, step, no_disk)
        for _ in range(3):
            with pytest.raises(StorageError, match="full"):
                Outbox(damaged)
    assert len(asides(damaged)) == 1
    with closing(Outbox(damaged)) as outbox:
        assert outbox.quarantined is not None
        assert waiting(outbox) == EXPECTED
        assert outbox.next_seq("p1") == LAST + 1
        assert outbox.load_snapshot("p1") == b"state 60"


def test_a_kill_before_all_is_taken_over_costs_nothing(damaged: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(damaged)], check=False)
    assert killed.returncode == 9
    with closing(Outbox(damaged)) as outbox:
        assert waiting(outbox) == EXPECTED


def test_what_a_start_has_no_time_to_read_is_read_meanwhile(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outbox.opening.RESCUE_NS", -1)
    monkeypatch.setattr("edge.outbox.outbox.RESERVE_NS", 0)
    with closing(Outbox(damaged)) as outbox:
        assert outbox.quarantined is not None
        seq = outbox.next_seq("p1")  # 1, or the next one where all is read by now
        assert outbox.put(message(seq))
        assert outbox._wreckage._reader is not None
        outbox._wreckage._reader.join(WAIT_S)
        outbox.retry()
        assert {*waiting(outbox), seq} == {seq, *EXPECTED}
        assert outbox.next_seq("p1") == max(seq, LAST) + 1
        assert outbox.rescued >= LAST - 1
        assert outbox.load_snapshot("p1") == b"state 60"
    assert Outbox(damaged).quarantined is None


def test_what_was_not_read_before_the_end_is_owed_still(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("edge.outbox.opening.RESCUE_NS", -1)
        patch.setattr(Wreckage, "_read", lambda wreckage, _: wreckage._closing.wait(WAIT_S))
        outbox = Outbox(damaged)
        assert waiting(outbox) == []
        outbox.retry()
        outbox.close()
    with closing(Outbox(damaged)) as again:
        assert again.quarantined is not None
        assert waiting(again) == EXPECTED


def test_a_kill_between_a_store_and_its_log_costs_nothing(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        for seq in range(1, 6):
            outbox.put(message(seq))
    log = path.with_name(path.name + "-wal")
    kept = log.read_bytes()
    aside = quarantine(path, 0)
    moved = aside.with_name(aside.name + "-wal")
    assert moved.read_bytes() == kept
    moved.replace(log)
    with closing(Outbox(path)) as again:
        assert waiting(again) == [1, 2, 3, 4, 5]


def test_what_was_delivered_since_does_not_come_back(damaged: Path) -> None:
    with closing(Outbox(damaged)) as outbox:
        outbox.delivered(message(seq).key for seq in EXPECTED)
        outbox.save_snapshot("p1", b"newer")
    (mark,) = damaged.parent.glob("*-rescued")
    mark.unlink()
    with closing(Outbox(damaged)) as again:
        assert again.quarantined is not None
        assert waiting(again) == []
        assert again.load_snapshot("p1") == b"newer"
    with closing(Outbox(damaged)) as third:
        assert third.quarantined is None


def test_rows_that_find_no_room_wait_for_it(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_room", lambda _store, _pages: False)
        outbox = Outbox(damaged)
        assert waiting(outbox) == []
        outbox.retry()
        assert "full" in outbox.health.fault
        assert len(asides(damaged)) == 1
    monkeypatch.setattr("edge.outbox.outbox.RESERVE_NS", 0)
    outbox._reserve_ns = 0
    outbox.retry()
    assert waiting(outbox) == EXPECTED
    assert outbox.health.fault == ""
    outbox.close()


@pytest.mark.parametrize(
    "failing", ["edge.outbox.store.sync_folder", "edge.outbox.damage.sync_folder"]
)
def test_a_store_found_damaged_in_use_is_set_aside_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setattr("edge.outbox.outbox.REOPEN_NS", 0)
    outbox = Outbox(path)
    assert outbox.put(message(1))
    with monkeypatch.context() as patch:
        broken = sqlite3.DatabaseError("database disk image is malformed")
        broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

        errors = itertools.chain([broken], itertools.repeat(no_room()))

        def corrupt(*_: Any) -> Any:
            raise next(errors)

        patch.setattr(Store, "insert", corrupt)
        patch.setattr(failing, no_sync)
        for seq in range(2, 6):
            assert not outbox.put(message(seq))
    assert len(asides(path)) == 1
    outbox.retry()
    assert sorted(waiting(outbox)) == [1, 2, 3, 4, 5]
    assert outbox.counts.held == 0
    outbox.close()


def test_what_waits_is_read_before_the_log(path: Path) -> None:
    make_store(path)
    calls = itertools.count()
    # One row is the patient's.
    found = rescue(path, lambda: next(calls) > WAITING)
    assert found.cut_short
    assert sorted(each.message.seq for each in found.messages.values()) == EXPECTED
    assert not rescue(path, lambda: False).cut_short


def test_damaged_stores_that_owe_stay_within_a_bound(path: Path) -> None:
    path.parent.mkdir()
    for number in range(15):
        path.write_text(f"{number}")
        quarantine(path, (number + 1) * 1_000_000_000)
    kept = sorted(int((path.parent / name).read_text()) for name in asides(path))
    assert kept == [0, *range(6, 15)]
