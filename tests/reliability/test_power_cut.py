"""No power cut, at whatever write and however torn, costs an alert that was called stored."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.outbox import Outbox
from tests.edge.outbox.messages import memory_folder
from tests.reliability.power_cut import CALLS, Change, Disk
from tests.reliability.recorded_load import LIMITS, PATIENT
from tests.reliability.strace import FULL, environment, needs_strace
from tests.reliability.workload import alert

ALERTS = 160 if FULL else 40
LEAST_IMAGES = 5000 if FULL else 50
SHARE = 1.0 if FULL else 0.06
TORN_AT_EACH_WRITE = 2


@dataclass(slots=True)
class Tally:
    """What became of the images."""

    images: int = 0
    lost: int = 0
    damaged: int = 0
    wrong: int = 0


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=memory_folder()) as name:
        yield Path(name)


def record(folder: Path, synchronous: str) -> Path:
    """What a process with an outbox in `folder/run` wrote, call by call."""
    recording = folder / "recording"
    (folder / "run").mkdir()
    strace = ["strace", "-xx", "-s", "100000", "-o", str(recording), "-e", f"trace={CALLS}"]
    module = [sys.executable, "-m", "tests.reliability.recorded_load"]
    arguments = [str(folder / "run" / "outbox.db"), synchronous, str(ALERTS)]
    done = subprocess.run(
        [*strace, *module, *arguments], capture_output=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.count(b"+") == ALERTS
    return recording


def cut_everywhere(folder: Path, synchronous: str) -> Tally:
    """Cut the power at the writes of a recorded process, and open what is left."""
    disk, tally, chance = Disk(str(folder / "run")), Tally(), random.Random(7)
    for synced in disk.replay(record(folder, synchronous)):
        if chance.random() > SHARE:
            continue
        if synced:
            judge(disk.image(None), disk.told, folder / "cut", tally)
            continue
        judge(disk.image(None, all_of_it=True), disk.told, folder / "cut", tally)
        for _ in range(TORN_AT_EACH_WRITE):
            judge(disk.image(chance), disk.told, folder / "cut", tally)
    return tally


def judge(image: dict[str, bytearray], told: list[str], folder: Path, tally: Tally) -> None:
    """Open an image as a starting process does."""
    folder.mkdir(exist_ok=True)
    for each in folder.iterdir():
        each.unlink()
    for name, content in image.items():
        (folder / Path(name).name).write_bytes(content)
    tally.images += 1
    with closing(Outbox(folder / "outbox.db", LIMITS)) as outbox:
        tally.damaged += outbox.quarantined is not None
        states = {each.message.seq: each.state for each in outbox.history(10_000)}
        counts = outbox.counts
        waiting = [each.message for each in outbox.pending(1000)]
    stored = {int(each[1:]) for each in told if each[0] == "+"}
    delivered = {int(each[1:]) for each in told if each[0] == "-"}
    tally.lost += not stored <= states.keys()
    sound = (
        counts.raised == counts.delivered + counts.evicted + counts.pending
        and counts.pending == len(waiting)
        and all(each == alert(PATIENT, each.seq, each.rank) for each in waiting)
        and all(states.get(seq) == "delivered" for seq in delivered)
    )
    tally.wrong += not sound


@needs_strace
@pytest.mark.timeout(3600)
def test_no_power_cut_loses_what_was_called_stored(folder: Path) -> None:
    tally = cut_everywhere(folder, "FULL")
    print(f"FULL: {tally}")
    assert tally.images >= LEAST_IMAGES
    assert (tally.lost, tally.damaged, tally.wrong) == (0, 0, 0)


@needs_strace
@pytest.mark.timeout(3600)
def test_without_a_sync_at_each_commit_it_would(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    tally = cut_everywhere(folder, "NORMAL")
    print(f"NORMAL: {tally}")
    assert tally.lost > 0


def test_a_cut_leaves_what_was_synced_and_any_of_the_rest(tmp_path: Path) -> None:
    safe, late = Change("f", 0, b"a" * 1024), Change("f", 512, b"b" * 1024)
    disk = Disk("", {"f": bytearray(safe.data or b"")}, [late])
    assert disk.image(None)["f"] == b"a" * 1024
    assert disk.image(None, all_of_it=True)["f"] == b"a" * 512 + b"b" * 1024
    chance = random.Random(1)
    seen = {bytes(disk.image(chance)["f"]) for _ in range(100)}
    assert b"a" * 1024 in seen
    assert b"a" * 512 + b"b" * 512 in seen
