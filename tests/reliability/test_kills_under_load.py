"""A whole process under load, killed at random moments, in front of a real broker."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from edge.outbox import Outbox
from edge.publish.flight import WINDOW
from tests.mosquitto import Mosquitto, Received, needs_mosquitto
from tests.patience import WAIT_S
from tests.reliability.strace import FULL, environment

KILLS = 50 if FULL else 5
LONGEST_S = 0.6

LOAD = """
import os, sys
from pathlib import Path
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher
from tests.reliability.workload import alert
outbox = Outbox(Path(sys.argv[1]))
publisher = Publisher(MqttSettings(url=sys.argv[2]), outbox)
publisher.start()
os.write(1, b"begun\\n")
while True:
    seq = outbox.next_seq("p1")
    if outbox.put(alert("p1", seq, rank=seq % 3)):
        os.write(1, b"%d\\n" % seq)
"""


def killed_after(path: Path, url: str, seconds: float) -> list[int]:
    """Numbers that a process under load told as stored before it was killed."""
    command = [sys.executable, "-c", LOAD, str(path), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        told = process.stdout.read()
        killer.join()
    return [int(line) for line in told.split(b"\n")[:-1]]


@pytest.mark.broker
@needs_mosquitto
@pytest.mark.timeout(1800)
def test_nothing_told_is_lost_and_nothing_is_forged(tmp_path: Path) -> None:
    chance = random.Random(11)
    path = tmp_path / "outbox.db"
    told: list[int] = []
    with Mosquitto(durable=True) as broker, broker.subscribe("edge/p1/alert") as subscriber:
        for _ in range(KILLS):
            told += killed_after(path, broker.url, chance.uniform(0.0, LONGEST_S))
        assert len(told) == len(set(told)), "a number twice"
        drain(path, broker.url)
        received = subscriber.wait_for(lambda got: set(told) <= seqs(got))
    print(f"{KILLS} kills, {len(told)} told, {len(received)} received")
    copies = Counter(each.json["seq"] for each in received)
    assert sum(copies.values()) - len(copies) <= KILLS * WINDOW
    assert all(each.json["id"] == f"alarm-{each.json['seq']}" for each in received)
    # One alert a kill may have been stored and not told.
    assert 0 <= len(copies) - len(told) <= KILLS


def seqs(received: list[Received]) -> set[int]:
    return {each.json["seq"] for each in received}


def drain(path: Path, url: str) -> None:
    """Send what is left."""
    from edge.mqtt_settings import MqttSettings
    from edge.publish import Publisher

    outbox = Outbox(path)
    counts = outbox.counts
    assert outbox.quarantined is None
    assert counts.raised == counts.delivered + counts.evicted + counts.pending
    publisher = Publisher(MqttSettings(url=url), outbox)
    publisher.start()
    assert publisher.first_connect(WAIT_S).connected
    assert publisher.stop(WAIT_S)
    assert outbox.counts.pending == 0
    outbox.close()
