"""A damaged store is set aside, and what can be read of it is brought over."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox import Outbox, open_alert_log
from tests.edge.outbox.messages import memory_folder, message, waiting

PAGE = 4096
DELIVERED, WAITING = 20, 40


def make_store(path: Path) -> None:
    """Sixty alerts, the first twenty delivered, and a snapshot."""
    with closing(Outbox(path)) as outbox:
        for seq in range(1, DELIVERED + WAITING + 1):
            outbox.put(message(seq, size=700), b"state %d" % seq)
        outbox.delivered(message(seq).key for seq in range(1, DELIVERED + 1))
        outbox._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]


@pytest.fixture
def stored(path: Path) -> Path:
    path.parent.mkdir(mode=0o700)
    make_store(path)
    return path


def damage_header(path: Path) -> None:
    overwrite(path, 0, b"\xff" * 100)


def damage_first_page(path: Path) -> None:
    overwrite(path, 0, bytes(PAGE))


def damage_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 8 + 100)


def damage_text(path: Path) -> None:
    path.write_text("this is no database at all, only a text that somebody put here\n" * 100)


def damage_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE message; CREATE TABLE message (x);")


def damage_one_leaf(path: Path) -> None:
    """One page that holds messages, in the middle of them."""
    image = path.read_bytes()
    pages = [n for n in range(len(image) // PAGE) if b"alarm-41" in image[n * PAGE :][:PAGE]]
    leaf = next(n for n in pages if image[n * PAGE] == 0x0D)
    overwrite(path, leaf * PAGE, b"\xa5" * PAGE)


def overwrite(path: Path, offset: int, junk: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(junk)


@pytest.mark.parametrize(
    ("damage", "least_rescued"),
    [
        (damage_header, WAITING),
        (damage_first_page, WAITING),
        (damage_one_leaf, WAITING - 8),
        (damage_half, 0),
        (damage_text, 0),
        (damage_schema, 0),
    ],
)
def test_a_damaged_store_is_set_aside_said_and_rescued(
    stored: Path,
    damage: Callable[[Path], None],
    least_rescued: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage(stored)
    with closing(Outbox(stored)) as again:
        aside = again.quarantined
        assert aside is not None
        assert aside.exists()
        assert re.fullmatch(r"outbox\.db\.damaged-\d{8}T\d{6}Z", aside.name)
        assert "is damaged" in caplog.text
        left = waiting(again)
        assert len(left) >= least_rescued
        assert set(left) <= set(range(DELIVERED + 1, DELIVERED + WAITING + 1))
        counts = again.counts
        assert counts.raised == counts.delivered + counts.evicted + counts.pending
        assert again.health.rescued == again.rescued == counts.raised
        if least_rescued:
            assert again.load_snapshot("p1") == b"state 60"
            assert again.next_seq("p1") == DELIVERED + WAITING + 1
        assert again.put(message(100))
        assert waiting(again) == [*left, 100]
    assert Outbox(stored).quarantined is None


@pytest.mark.parametrize("version", [2, 99])
def test_a_store_of_another_version_is_called_that_and_its_messages_come_along(
    stored: Path, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    """As a newer version may write it: with a column and a table more."""
    with closing(sqlite3.connect(stored)) as db:
        db.executescript(
            "ALTER TABLE message ADD COLUMN later TEXT; CREATE TABLE later (x);"
            f"PRAGMA user_version = {version}"
        )
    with closing(Outbox(stored)) as outbox:
        aside = outbox.quarantined
        assert aside is not None
        assert re.fullmatch(rf"outbox\.db\.version-{version}-\d{{8}}T\d{{6}}Z", aside.name)
        assert waiting(outbox) == list(range(DELIVERED + 1, DELIVERED + WAITING + 1))
        assert outbox.load_snapshot("p1") == b"state 60"
        assert outbox.trouble == ""
    assert "is of another version of edge" in caplog.text
    assert "give the file its old name" in caplog.text
    assert "damaged" not in caplog.text
    assert Outbox(stored).quarantined is None


@pytest.mark.parametrize("version", [0, 131_073])
def test_a_version_that_no_version_has_is_damage(stored: Path, version: int) -> None:
    with closing(sqlite3.connect(stored)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    with closing(Outbox(stored)) as outbox:
        assert outbox.quarantined is not None
        assert ".damaged-" in outbox.quarantined.name
        assert waiting(outbox) == list(range(DELIVERED + 1, DELIVERED + WAITING + 1))


def test_damage_is_trouble_for_a_while(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage_header(stored)
    with closing(Outbox(stored)) as outbox:
        assert outbox.trouble == "the outbox was damaged and begun anew"
        monkeypatch.setattr("edge.outbox.faults.DAMAGE_TOLD_NS", 0)
        assert outbox.trouble == ""


def test_a_store_that_is_no_file_of_ours_gives_back_nothing(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE message (row, crc, state); INSERT INTO message VALUES (1,2,0)"
        )
    with closing(Outbox(path)) as outbox:
        assert outbox.quarantined is not None
        assert waiting(outbox) == []


def test_what_takes_long_to_bring_over_does_not_delay_the_start(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outbox.outbox.ADOPT_AT_START_NS", 0)
    damage_header(stored)
    with closing(Outbox(stored)) as outbox:
        assert waiting(outbox) == []
        assert outbox.put(message(61))
        outbox.retry()
        assert waiting(outbox) == [61, *range(DELIVERED + 1, DELIVERED + WAITING + 1)]
        assert outbox.rescued == DELIVERED + WAITING


def test_a_snapshot_with_a_flipped_bit_is_no_snapshot(stored: Path) -> None:
    with closing(sqlite3.connect(stored)) as db:
        db.execute("UPDATE patient SET snapshot = CAST(snapshot || 'x' AS BLOB)")
        db.commit()
    with closing(Outbox(stored)) as outbox:
        assert outbox.load_snapshot("p1") is None


def test_a_waiting_alert_whose_state_flipped_is_sent_all_the_same(stored: Path) -> None:
    with closing(sqlite3.connect(stored)) as db:
        db.executescript(
            "PRAGMA writable_schema = ON;"
            "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'waiting';"
            "UPDATE sqlite_schema SET sql = replace(sql, 'state = 0', 'state < 9')"
            " WHERE name = 'waiting';"
        )
    with closing(sqlite3.connect(stored)) as db:
        db.executescript(
            "UPDATE message SET state = 1 WHERE seq = 50; PRAGMA writable_schema = ON;"
            "UPDATE sqlite_schema SET sql = replace(sql, 'state < 9', 'state = 0')"
            " WHERE name = 'waiting';"
        )
    with closing(Outbox(stored)) as outbox:
        assert outbox.quarantined is not None
        assert 50 in waiting(outbox)


def test_of_damaged_stores_the_first_and_the_newest_stay(path: Path) -> None:
    Outbox(path).close()
    for number in range(6):
        path.write_text(f"damaged {number}\n" * 1000)
        Path(f"{path}-wal").unlink()
        with closing(Outbox(path)) as outbox:
            aside = outbox.quarantined
            assert aside is not None
            assert aside.read_text().startswith(f"damaged {number}")
    kept = [
        each
        for each in path.parent.glob("*.damaged-*")
        if not each.name.endswith(("-wal", "-shm", "-rescued"))
    ]
    assert sorted(each.read_text()[:9] for each in kept) == ["damaged 0", "damaged 5"]


@pytest.fixture(scope="module")
def sound_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "outbox.db"
    make_store(path)
    return path


@settings(max_examples=60, deadline=None)
@given(
    page=st.integers(0, 40),
    offset=st.integers(0, PAGE - 1),
    junk=st.binary(min_size=1, max_size=64),
)
def test_no_flipped_bytes_keep_it_from_storing(
    sound_store: Path, page: int, offset: int, junk: bytes
) -> None:
    image = bytearray(sound_store.read_bytes())
    start = page * PAGE + offset
    image[start : start + len(junk)] = junk
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        path = Path(folder) / "outbox.db"
        path.write_bytes(image)
        with closing(Outbox(path)) as outbox:
            outbox.pending(100)
            outbox.put(message(1000))
            outbox.retry()
            assert outbox.counts.held == 0
            left = waiting(outbox)
            assert 1000 in left
            # 64 bytes touch two pages at most, and a page of the tree holds few alerts.
            missing = set(range(DELIVERED + 1, DELIVERED + WAITING + 1)) - set(left)
            assert len(missing) <= 8


def test_every_page_may_break(sound_store: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    image = sound_store.read_bytes()
    lost = 0
    for page in range(40):
        path = tmp_path / f"{page}.db"
        path.write_bytes(image[: page * PAGE] + chance.randbytes(PAGE) + image[(page + 1) * PAGE :])
        with closing(Outbox(path)) as outbox:
            lost += WAITING - len(waiting(outbox))
            assert outbox.put(message(1000))
        for each in tmp_path.glob(f"{page}.*"):
            each.unlink()
    # Each page is broken once: an alert is lost with its own page and, of those that lead to
    # the others, one.
    assert lost <= 2 * WAITING


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
    with open_alert_log(path) as log:
        assert [each.message.seq for each in log.newest_first()] == [3, 1]
    outbox.close()


def test_damage_found_while_running_sets_the_store_aside(path: Path) -> None:
    outbox = Outbox(path)
    for seq in range(1, 30):
        outbox.put(message(seq, size=700))
    outbox._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    image = path.read_bytes()
    path.write_bytes(image[:PAGE] + os.urandom(len(image) - PAGE))
    outbox._store._db.execute("PRAGMA shrink_memory")  # type: ignore[union-attr]
    for seq in range(30, 34):
        outbox.put(message(seq))
    assert outbox.quarantined is not None
    assert waiting(outbox)[-4:] == [30, 31, 32, 33]
    outbox.close()
