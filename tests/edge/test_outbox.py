"""The outbox: durable, bounded, ordered, and calm when the disk is not."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from edge.errors import StorageError
from edge.outbox import (
    TELEMETRY_RANK,
    OutboundMessage,
    Outbox,
    OutboxLimits,
    read_history,
)


def message(seq: int, rank: int = 0, patient: str = "p1", size: int = 10) -> OutboundMessage:
    return OutboundMessage(
        patient=patient,
        id=f"alarm-{seq}",
        phase="start",
        seq=seq,
        rank=rank,
        topic=f"edge/{patient}/alert",
        payload=bytes(size),
        properties=(("schema", "alert"), ("note", "ünïcode")),
    )


def waiting(outbox: Outbox) -> list[int]:
    return [each.message.seq for each in outbox.pending(10_000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


def test_what_was_put_is_there_after_a_restart(path: Path) -> None:
    outbox = Outbox(path)
    assert outbox.put(message(1))
    assert outbox.put(message(2, rank=2))
    outbox.close()
    again = Outbox(path)
    assert [each.message for each in again.pending(10)] == [message(1), message(2, rank=2)]
    assert again.pending(10)[0].raised_ns is None
    again.close()


def test_a_missing_folder_is_made_private(path: Path) -> None:
    Outbox(path).close()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_putting_twice_stores_once(path: Path) -> None:
    outbox = Outbox(path)
    assert outbox.put(message(1))
    assert outbox.put(message(1))
    assert (outbox.counts.raised, outbox.counts.pending) == (1, 1)
    outbox.delivered([message(1).key])
    assert outbox.put(message(1))
    assert (outbox.counts.raised, outbox.counts.pending) == (1, 0)
    outbox.close()


def test_delivering_twice_or_the_unknown_counts_once(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put(message(1))
    assert outbox.delivered([message(1).key, message(1).key, message(7).key])
    assert outbox.delivered([message(1).key])
    counts = outbox.counts
    assert (counts.raised, counts.delivered, counts.pending) == (1, 1, 0)
    outbox.close()


def test_sequence_numbers_go_on_after_a_restart(path: Path) -> None:
    outbox = Outbox(path)
    for _ in range(3):
        outbox.put(message(outbox.next_seq("p1")))
    outbox.put(message(outbox.next_seq("p2"), patient="p2"))
    outbox.close()
    again = Outbox(path)
    assert (again.next_seq("p1"), again.next_seq("p2"), again.next_seq("p3")) == (4, 2, 1)
    again.close()


def test_a_snapshot_travels_with_its_alert(path: Path) -> None:
    outbox = Outbox(path)
    assert outbox.load_snapshot("p1") is None
    outbox.put(message(1), snapshot=b"one")
    assert outbox.save_snapshot("p2", b"two")
    outbox.put(message(2))
    outbox.close()
    again = Outbox(path)
    assert (again.load_snapshot("p1"), again.load_snapshot("p2")) == (b"one", b"two")
    again.close()


def test_alarms_come_before_telemetry_and_old_before_new(path: Path) -> None:
    outbox = Outbox(path)
    for seq, rank in enumerate((TELEMETRY_RANK, 2, 0, 1, 0, TELEMETRY_RANK), start=1):
        outbox.put(message(seq, rank))
    assert waiting(outbox) == [3, 5, 4, 2, 1, 6]
    assert [each.message.seq for each in outbox.pending(2)] == [3, 5]
    outbox.close()


def test_too_many_rows_evict_the_least_urgent_oldest_first(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(pending_rows=3))
    for seq, rank in enumerate((2, 0, 2, 2, 0), start=1):
        outbox.put(message(seq, rank))
    assert waiting(outbox) == [2, 5, 4]
    assert outbox.counts.evicted == 2
    assert [(each.message.seq, each.state) for each in outbox.history()] == [
        (1, "evicted"),
        (2, "pending"),
        (3, "evicted"),
        (4, "pending"),
        (5, "pending"),
    ]
    outbox.close()


def test_too_many_bytes_evict_too(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(pending_bytes=1000))
    for seq in range(1, 6):
        outbox.put(message(seq, size=300))
    assert waiting(outbox) == [3, 4, 5]
    outbox.close()


def test_a_low_alarm_never_displaces_a_high_one(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(pending_rows=2))
    outbox.put(message(1))
    outbox.put(message(2))
    outbox.put(message(3, rank=2))
    assert waiting(outbox) == [1, 2]
    outbox.close()


def test_the_alert_log_is_bounded_and_leaves_telemetry_out(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(log_rows=5))
    for seq in range(1, 21):
        outbox.put(message(seq, rank=TELEMETRY_RANK if seq % 2 else 0))
        outbox.delivered([message(seq).key])
    assert [each.message.seq for each in outbox.history()] == [12, 14, 16, 18, 20]
    assert outbox.counts.delivered == 20
    assert [each.message.seq for each in outbox.history(limit=2)] == [18, 20]
    outbox.close()


def test_history_can_be_read_beside_a_running_process(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put(message(1))
    outbox.delivered([message(1).key])
    outbox.put(message(2))
    found = read_history(path)
    assert [(each.message, each.state) for each in found] == [
        (message(1), "delivered"),
        (message(2), "pending"),
    ]
    assert [each.message.seq for each in read_history(path, since_utc_ns=found[1].raised_utc_ns)]
    assert read_history(path, since_utc_ns=2**62) == []
    outbox.close()


def test_history_of_nothing_is_one_clear_error(path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        read_history(path)


def test_a_second_process_is_refused(path: Path) -> None:
    outbox = Outbox(path)
    with pytest.raises(StorageError, match="in use by another edge process"):
        Outbox(path)
    outbox.close()
    Outbox(path).close()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"storage\.directory"):
        Outbox(tmp_path / "file" / "outbox.db")


def test_a_directory_in_place_of_the_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").mkdir()
    with pytest.raises(StorageError, match="outbox"):
        Outbox(tmp_path / "outbox.db")


def damage_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 100 + path.read_bytes()[100:])


def damage_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 100])


def damage_text(path: Path) -> None:
    path.write_text("this is no database at all, only a text that somebody put here\n" * 100)


def damage_schema(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript("DROP TABLE message; CREATE TABLE message (x); ")
    db.close()


def damage_version(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


@pytest.mark.parametrize(
    "damage", [damage_header, damage_half, damage_text, damage_schema, damage_version]
)
def test_a_damaged_store_is_set_aside_and_said(path: Path, damage: object) -> None:
    outbox = Outbox(path)
    for seq in range(1, 50):
        outbox.put(message(seq, size=500))
    outbox.close()
    damage(path)  # type: ignore[operator]
    again = Outbox(path)
    assert again.quarantined is not None
    assert again.quarantined.exists()
    assert again.put(message(50))
    assert waiting(again) == [50]
    again.close()
    assert Outbox(path).quarantined is None


def test_damaged_stores_do_not_pile_up(path: Path) -> None:
    for _ in range(6):
        Outbox(path).close()
        damage_text(path)
    Outbox(path).close()
    assert len(list(path.parent.glob("*.damaged-*"))) == 3


@pytest.fixture(scope="module")
def sound_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "outbox.db"
    with closing(Outbox(path)) as outbox:
        for seq in range(1, 60):
            outbox.put(message(seq, size=700))
        outbox.delivered(message(seq).key for seq in range(1, 20))
    return path


@settings(max_examples=60, deadline=None)
@given(offset=st.integers(0, 1 << 20), junk=st.binary(min_size=1, max_size=64))
def test_no_flipped_bytes_keep_it_from_storing(sound_store: Path, offset: int, junk: bytes) -> None:
    image = bytearray(sound_store.read_bytes())
    offset %= len(image)
    image[offset : offset + len(junk)] = junk
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.db"
        path.write_bytes(image)
        with closing(Outbox(path)) as outbox:
            outbox.pending(100)
            outbox.put(message(1000))
            outbox.retry()
            assert outbox.counts.held == 0
            assert 1000 in waiting(outbox)


@pytest.mark.parametrize("column", ["topic", "payload", "qos", "rank", "properties", "patient"])
def test_a_row_with_flipped_bits_is_evicted_and_blocks_nothing(path: Path, column: str) -> None:
    outbox = Outbox(path)
    for seq in range(1, 4):
        outbox.put(message(seq))
    changed = {"qos": "0", "rank": "2", "payload": "x'ff'"}.get(column, "CAST(x'fffe' AS TEXT)")
    outbox._store._db.execute(f"UPDATE message SET {column} = {changed} WHERE seq = 2")  # type: ignore[union-attr]
    assert waiting(outbox) == [1, 3]
    counts = outbox.counts
    assert (counts.raised, counts.evicted, counts.pending) == (3, 1, 2)
    assert [each.message.seq for each in outbox.history()] == [1, 3]
    assert [each.message.seq for each in read_history(path)] == [1, 3]
    outbox.close()


def test_damage_found_while_running_sets_the_store_aside(path: Path) -> None:
    outbox = Outbox(path)
    for seq in range(1, 30):
        outbox.put(message(seq, size=700))
    outbox._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    image = path.read_bytes()
    path.write_bytes(image[:4096] + os.urandom(len(image) - 4096))
    outbox._store._db.execute("PRAGMA shrink_memory")  # type: ignore[union-attr]
    for seq in range(30, 34):
        outbox.put(message(seq))
    assert outbox.quarantined is not None
    assert waiting(outbox)[-4:] == [30, 31, 32, 33]
    outbox.close()


class FullDisk:
    """Makes every write of an outbox fail until `end`."""

    def __init__(self, outbox: Outbox) -> None:
        self._db = outbox._store._db  # type: ignore[union-attr]
        pages = self._db.execute("PRAGMA page_count").fetchone()[0]
        self._db.execute(f"PRAGMA max_page_count = {pages}")

    def end(self) -> None:
        self._db.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_never_raises_and_loses_nothing(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(held=8))
    disk = FullDisk(outbox)
    stored = [outbox.put(message(seq, size=3000)) for seq in range(1, 7)]
    assert not stored[-1]
    counts = outbox.counts
    assert counts.failures > 0
    assert counts.held > 0
    assert counts.raised == counts.pending == 6
    assert waiting(outbox) == [1, 2, 3, 4, 5, 6]
    disk.end()
    outbox.retry()
    assert outbox.counts.held == 0
    outbox.close()
    again = Outbox(path)
    assert waiting(again) == [1, 2, 3, 4, 5, 6]
    again.close()


def test_memory_held_on_a_full_disk_is_bounded_and_counted(path: Path) -> None:
    outbox = Outbox(path, OutboxLimits(held=4))
    FullDisk(outbox)
    for seq in range(1, 21):
        outbox.put(message(seq, rank=2 if seq % 2 else 0, size=3000))
    counts = outbox.counts
    assert counts.held == 4
    assert counts.evicted > 0
    assert counts.raised == 20 == counts.delivered + counts.evicted + counts.pending
    held = [each for each in waiting(outbox) if each > 10]
    assert all(seq % 2 == 0 for seq in held)
    outbox.close()


def test_what_memory_holds_can_be_delivered_from_there(path: Path) -> None:
    outbox = Outbox(path)
    FullDisk(outbox)
    for seq in range(1, 7):
        outbox.put(message(seq, size=3000))
    held = outbox.counts.held
    assert held > 0
    assert outbox.delivered([message(seq, size=3000).key for seq in (5, 6)])
    counts = outbox.counts
    assert (counts.held, counts.delivered) == (held - 2, 2)
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
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(path)
    FullDisk(outbox)
    for seq in range(1, 21):
        outbox.put(message(seq, size=3000))
    assert outbox.counts.failures > 10
    assert len([record for record in caplog.records if "full" in record.message]) == 1
    outbox.close()


def test_after_close_nothing_is_touched(path: Path) -> None:
    outbox = Outbox(path)
    outbox.close()
    outbox.close()
    assert not outbox.put(message(1))
    assert not outbox.save_snapshot("p1", b"")
    with closing(Outbox(path)) as again:
        assert again.counts.raised == 0


def test_many_threads_lose_and_double_nothing(path: Path) -> None:
    outbox = Outbox(path)

    def raise_many(patient: str) -> None:
        for _ in range(40):
            outbox.put(message(outbox.next_seq(patient), patient=patient))

    threads = [threading.Thread(target=raise_many, args=(f"p{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    seen: list[tuple[str, int]] = []
    while len(seen) < 120:
        batch = [each.message for each in outbox.pending(16)]
        seen += [(each.patient, each.seq) for each in batch]
        outbox.delivered([each.key for each in batch])
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(f"p{n}", seq) for n in range(3) for seq in range(1, 41)]
    assert outbox.counts.delivered == 120
    outbox.close()


def test_on_put_is_told_of_each_put(path: Path) -> None:
    outbox = Outbox(path)
    seen: list[int] = []
    outbox.on_put(lambda: seen.append(outbox.counts.pending))
    outbox.put(message(1))
    outbox.put(message(2))
    assert seen == [1, 2]
    outbox.close()


KILLED = """
import os, sys
from pathlib import Path
from edge.outbox import OutboundMessage, Outbox
outbox = Outbox(Path(sys.argv[1]))
for _ in range(20):
    seq = outbox.next_seq("p1")
    outbox.put(OutboundMessage("p1", f"alarm-{seq}", "start", seq, 0, "t", b"{}"), b"%d" % seq)
os.kill(os.getpid(), 9)
"""


def test_nothing_put_is_lost_to_sigkill(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(2):
        assert subprocess.run(command, check=False, env=environment).returncode == -9
    outbox = Outbox(path)
    assert waiting(outbox) == list(range(1, 41))
    assert outbox.load_snapshot("p1") == b"40"
    outbox.close()


class OutboxModel(RuleBasedStateMachine):
    """Any order of puts, deliveries and restarts, against a list."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.limits = OutboxLimits(pending_rows=6, pending_bytes=2000, log_rows=4)
        self.outbox = Outbox(Path(self.folder.name) / "outbox.db", self.limits)
        self.model: list[OutboundMessage] = []
        self.settled: set[int] = set()
        self.raised = self.delivered = self.evicted = 0

    @rule(target=keys, rank=st.integers(0, 3), size=st.integers(0, 900))
    def put(self, rank: int, size: int) -> OutboundMessage:
        made = message(self.outbox.next_seq("p1"), rank, size=size)
        assert self.outbox.put(made)
        self.raised += 1
        self.model.append(made)
        while (
            len(self.model) > self.limits.pending_rows
            or sum(len(each.payload) for each in self.model) > self.limits.pending_bytes
        ):
            least = max(each.rank for each in self.model)
            self.model.remove(next(each for each in self.model if each.rank == least))
            self.evicted += 1
        return made

    @rule(made=keys)
    def deliver(self, made: OutboundMessage) -> None:
        self.outbox.delivered([made.key])
        if made in self.model:
            self.model.remove(made)
            self.delivered += 1

    @rule(made=keys)
    @precondition(lambda self: bool(self.model))
    def put_again(self, made: OutboundMessage) -> None:
        if made in self.model:
            self.outbox.put(made)

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(Path(self.folder.name) / "outbox.db", self.limits)
        assert self.outbox.quarantined is None

    @invariant()
    def conserves_and_orders(self) -> None:
        counts = self.outbox.counts
        assert counts.raised == counts.delivered + counts.evicted + counts.pending
        assert (counts.raised, counts.delivered) == (self.raised, self.delivered)
        assert counts.evicted == self.evicted
        found = [each.message for each in self.outbox.pending(100)]
        assert found == sorted(self.model, key=lambda each: (each.rank, each.seq))

    def teardown(self) -> None:
        self.outbox.close()
        self.folder.cleanup()


TestOutboxModel = OutboxModel.TestCase
TestOutboxModel.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_a_key_names_patient_id_phase_and_seq() -> None:
    one = message(1)
    others = [
        replace(one, patient="p2"),
        replace(one, id="other"),
        replace(one, phase="end"),
        replace(one, seq=2),
    ]
    assert len({each.key for each in [one, *others]}) == 5
