"""Numbers that are spent once and never again, whatever happens in between."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox import Outbox
from tests.edge.outbox.messages import memory_folder, message
from tests.edge.test_publish import until
from tests.reliability.strace import environment

NAME = "key/0123456789abcdef"


def test_a_number_is_spent_once_and_only_upwards(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        assert outbox.newest_number(NAME) == 0
        assert outbox.spend(NAME, 5)
        assert not outbox.spend(NAME, 5)
        assert not outbox.spend(NAME, 4)
        assert outbox.spend(NAME, 6)
        assert outbox.spend("key/another", 1)
        assert outbox.newest_number(NAME) == 6


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(1, (1 << 48) - 1), max_size=5), min_size=1, max_size=4))
def test_it_stays_spent_over_restarts(lives: list[list[int]]) -> None:
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        highest = 0
        for numbers in lives:
            with closing(Outbox(Path(folder) / "outbox.db")) as outbox:
                assert outbox.newest_number(NAME) == highest
                for number in numbers:
                    assert outbox.spend(NAME, number) == (number > highest)
                    highest = max(highest, number)


def test_patients_and_alerts_have_numbers_of_their_own(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put(message(3))
        assert outbox.spend(NAME, 1_800_000_000_000)
    with closing(Outbox(path)) as outbox:
        assert outbox.next_seq("p1") == 4
        assert [each.message.patient for each in outbox.history()] == ["p1"]


def test_it_stays_spent_where_the_store_is_damaged(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox.put(message(1))
        assert outbox.spend(NAME, (1 << 48) - 2)
        outbox._store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)
    with closing(Outbox(path)) as again:
        assert again.quarantined is not None
        assert again.newest_number(NAME) == (1 << 48) - 2
        assert not again.spend(NAME, 7)


def test_a_disk_that_refuses_spends_nothing(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        outbox._store._db.execute("PRAGMA query_only = 1")  # type: ignore[union-attr]
        assert not outbox.spend(NAME, 5)
        assert outbox.newest_number(NAME) == 0
        # The store is opened anew after that, and may be written then.
        assert outbox.spend(NAME, 5)


KILLED = """
import os, sys
from pathlib import Path
from edge.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
for number in range(1, 8):
    assert outbox.spend(sys.argv[2], number)
    os.write(1, b"%d" % number)
os.kill(os.getpid(), 9)
"""


def test_it_stays_spent_where_the_process_is_killed(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path), NAME]
    done = subprocess.run(command, capture_output=True, env=environment(), check=False)
    assert done.stdout == b"1234567", done.stderr.decode()
    assert done.returncode == -signal.SIGKILL
    with closing(Outbox(path)) as outbox:
        assert outbox.newest_number(NAME) == 7


def test_it_stays_spent_where_the_store_is_lost_during_the_run(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        assert outbox.spend(NAME, 1000)
        assert [outbox.next_seq("p1") for _ in range(3)] == [1, 2, 3]
        lose_store(outbox)
        until(lambda: outbox.retry() or not outbox._faults.now)
        assert outbox.quarantined is not None
    with closing(Outbox(path)) as again:
        assert not again.spend(NAME, 1000)
        assert again.next_seq("p1") == 4


def lose_store(outbox: Outbox) -> None:
    """Nothing of it can be read any more, and the outbox has run into that."""
    outbox._abandon()
    outbox._damaged = True
    for suffix in ("", "-wal"):
        file = outbox.path.with_name(outbox.path.name + suffix)
        file.write_bytes(b"\xff" * file.stat().st_size)
    outbox._try("read", lambda store: store.counters())


def test_numbers_are_given_while_the_disk_stalls(path: Path) -> None:
    with closing(Outbox(path)) as outbox:
        assert outbox.spend(NAME, 7)
        with outbox._mutex:
            assert outbox.next_seq("p1") == 1
            assert outbox.newest_number(NAME) == 7
