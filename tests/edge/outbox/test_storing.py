"""What was put is there, once, whatever came between."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StorageError
from edge.outbox import Outbox
from tests.edge.outbox.messages import message, waiting


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


def test_a_key_names_patient_id_phase_and_seq() -> None:
    one = message(1)
    others = [
        replace(one, patient="p2"),
        replace(one, id="other"),
        replace(one, phase="end"),
        replace(one, seq=2),
    ]
    assert len({each.key for each in [one, *others]}) == 5
