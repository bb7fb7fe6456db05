"""A full disk still takes alarms, and takes them after a restart."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.outbox import TELEMETRY_RANK, Outbox, OutboxLimits
from tests.edge.outbox.messages import message, waiting

DISK_BYTES = 40 << 20
LIMITS = OutboxLimits(file_bytes=24 << 20)
ALARMS = 10_000
PAYLOAD_BYTES = 700


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(tmp_path)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system (root)")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def reserve_all(outbox: Outbox) -> None:
    """Take the whole room at once, which a publisher does step by step."""
    while not outbox.health.reserved:
        outbox._reserve_ns = 0
        outbox.retry()


def fill(disk: Path) -> None:
    """Another program takes every block that is left."""
    with (disk / "hog").open("ab", buffering=0) as hog, contextlib.suppress(OSError):
        while hog.write(bytes(4096)):
            pass
    assert os.statvfs(disk).f_bavail == 0


def test_ten_thousand_alarms_fit_on_a_full_disk(disk: Path) -> None:
    with closing(Outbox(disk / "outbox.db", LIMITS)) as outbox:
        reserve_all(outbox)
        fill(disk)
        for seq in range(1, ALARMS + 1):
            assert outbox.put(message(seq, size=PAYLOAD_BYTES), b"snapshot %d" % seq)
        assert outbox.delivered(message(seq).key for seq in range(1, 101))
        counts = outbox.counts
        assert (counts.pending, counts.evicted, counts.failures) == (ALARMS - 100, 0, 0)
        size = outbox.health.file_bytes
    fill(disk)
    with closing(Outbox(disk / "outbox.db", LIMITS)) as again:
        assert again.quarantined is None
        assert len(waiting(again)) == ALARMS - 100
        assert again.put(message(ALARMS + 1))
        assert (disk / "outbox.db").stat().st_size == size == again.health.file_bytes


def test_when_the_file_is_full_the_least_urgent_go_and_the_urgent_stay(disk: Path) -> None:
    small = OutboxLimits(file_bytes=2 << 20)
    with closing(Outbox(disk / "outbox.db", small)) as outbox:
        reserve_all(outbox)
        fill(disk)
        for seq in range(1, 2001):
            rank = (TELEMETRY_RANK, 2, 1, 0)[seq % 4]
            assert outbox.put(message(seq, rank, size=PAYLOAD_BYTES))
        health, counts = outbox.health, outbox.counts
        assert health.evicted_by_rank[0] == 0
        assert health.evicted_by_rank[TELEMETRY_RANK] >= 490
        assert counts.raised == 2000 == counts.delivered + counts.evicted + counts.pending
        left = [each.message for each in outbox.pending(5000)]
        assert {seq for seq in range(1, 2001) if seq % 4 == 3} <= {
            each.seq for each in left if each.rank == 0
        }
        for seq in range(2001, 4001):
            assert outbox.put(message(seq, size=PAYLOAD_BYTES))
        left = [each.message for each in outbox.pending(5000)]
        assert {each.rank for each in left} == {0}
        assert [each.seq for each in left] == sorted(each.seq for each in left)
        assert left[-1].seq == 4000
        for seq in range(4001, 4101):
            assert outbox.put(message(seq, rank=1, size=PAYLOAD_BYTES))
        assert len(waiting(outbox)) < len(left) + 40
        assert {each.seq for each in left} <= set(waiting(outbox))


def test_a_disk_that_was_full_from_the_start_takes_alarms_once_it_has_room(disk: Path) -> None:
    with closing(Outbox(disk / "outbox.db", LIMITS)) as outbox:
        fill(disk)
        stored = [outbox.put(message(seq, size=PAYLOAD_BYTES)) for seq in range(1, 501)]
        assert 200 < sum(stored) < 500
        assert not outbox.health.reserved
        assert outbox.counts.held == 500 - sum(stored) - outbox.counts.evicted > 0
        (disk / "hog").unlink()
        reserve_all(outbox)
        assert outbox.counts.held == 0
        assert outbox.counts.pending == 500 - outbox.counts.evicted
