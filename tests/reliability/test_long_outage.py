"""A broker that is away for days, and a process that dies meanwhile: nothing lost, alarms first."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from edge.mqtt_settings import MqttSettings
from edge.outbox import TELEMETRY_RANK, Outbox
from edge.publish import Publisher
from tests.edge.outbox.messages import memory_folder
from tests.patience import WAIT_S
from tests.reliability.mqtt_listener import MqttListener
from tests.reliability.strace import FULL, environment

HOURS = 72 if FULL else 3
KILLS = 10 if FULL else 3
ALARMS = HOURS * 60
TELEMETRY_PER_ALARM = 6
MOST_GROWTH_BYTES = 2 << 20

AWAY = """
import os, sys
from pathlib import Path
from edge.outbox import Outbox
from tests.reliability.workload import alert

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

outbox = Outbox(Path(sys.argv[1]))
alarms, each = int(sys.argv[2]), int(sys.argv[3])
for count in range(alarms):
    if count == alarms // 3:
        warm = resident_bytes()
    for rank in (count % 3, *[3] * each):
        seq = outbox.next_seq("p1")
        assert outbox.put(alert("p1", seq, rank))
    outbox.retry()
os.write(1, b"%d" % (resident_bytes() - warm))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        yield Path(folder) / "outbox.db"


def away(path: Path, alarms: int) -> int:
    """A process that raises alarms without a broker, then dies; how much its memory grew."""
    command = [sys.executable, "-c", AWAY, str(path), str(alarms), str(TELEMETRY_PER_ALARM)]
    done = subprocess.run(command, capture_output=True, env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return int(done.stdout)


@pytest.mark.timeout(1800)
def test_days_without_a_broker_lose_nothing_and_alarms_go_first(path: Path) -> None:
    growth = [away(path, ALARMS // KILLS) for _ in range(KILLS)]
    assert max(growth) <= MOST_GROWTH_BYTES
    total = ALARMS // KILLS * KILLS * (1 + TELEMETRY_PER_ALARM)
    size = path.stat().st_size
    outbox = Outbox(path)
    assert (outbox.counts.raised, outbox.counts.pending) == (total, total)
    with MqttListener() as broker:
        publisher = Publisher(MqttSettings(url=broker.url), outbox)
        began = time.monotonic()
        publisher.start()
        assert publisher.first_connect(WAIT_S).connected
        assert publisher.stop(900.0)
        seconds = time.monotonic() - began
        seqs = [each["seq"] for each in broker.received]
    ranks = [_rank(seq) for seq in seqs]
    print(f"{total} messages, {total / seconds:.0f} a second, memory {max(growth)} B")
    assert outbox.counts.pending == 0
    assert sorted(seqs) == list(range(1, total + 1))
    assert ranks == sorted(ranks), "less urgent messages went first"
    assert all(a < b for a, b in pairwise(seqs) if _rank(a) == _rank(b))
    outbox.close()
    assert path.stat().st_size <= max(size, 128 << 20)


def _rank(seq: int) -> int:
    """Of the message of this number: one alarm, then its telemetry."""
    count, place = divmod(seq - 1, 1 + TELEMETRY_PER_ALARM)
    alarms_of_a_process = ALARMS // KILLS
    return count % alarms_of_a_process % 3 if place == 0 else TELEMETRY_RANK
