"""A process ended at every system call of raise, send, acknowledge and evict loses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge.publish.flight import WINDOW
from tests.edge.outbox.messages import memory_folder
from tests.reliability.kill_points import AT, HARMLESS
from tests.reliability.mqtt_listener import MqttListener
from tests.reliability.strace import FULL, environment, needs_strace
from tests.reliability.workload import SENT, alert

LEAST_POINTS = 150 if FULL else 5
STRIDES = {"create": 24, "raise": 24, "evict": 24, "acknowledge": 24, "send": 5}
"""Of the calls of each path that a sample strikes at."""
CALLS = tuple(HARMLESS) if FULL else ("pwrite64", "fdatasync", "ftruncate", "sendto")
"""In a sample those that change something, on the disk or at the broker."""
LAST_FAILING, FAILING_STRIDE = 60, 12
FAILING = ("pwrite64", "fdatasync", "ftruncate", "fallocate", "pread64")
ERRORS = ("EIO", "ENOSPC") if FULL else ("EIO",)
SEED = "1"


def strike_all(
    path: str, folder: Path, url: str, what: str, calls: Sequence[str], stride: int, last: int = 0
) -> list[str]:
    """Run `kill_points`, strace attached once it is loaded; what it says of its points.

    last: the last call of each kind to strike at, 0 for all that there are.
    """
    module = [sys.executable, "-m", "tests.reliability.kill_points"]
    arguments = [path, str(folder), url, str(1 if FULL else stride), SEED, str(last), *calls]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    names = ",".join(f"?{call}" for call in calls)
    faults = ["-e", f"trace={names}", "-e", f"inject={names}:{what}:when={AT}"]
    with subprocess.Popen([*module, *arguments], env=environment(), **pipes) as struck:
        try:
            assert struck.stdout.readline() == "ready\n"
            attach(struck, faults)
            ended = struck.wait()
        finally:
            struck.kill()
    failures = said(folder / "failures")
    assert not failures, failures
    assert ended == 0
    return said(folder / "points").splitlines()


def attach(struck: subprocess.Popen[str], faults: list[str]) -> None:
    """Let it go once strace sees it, and stay until it is done."""
    command = ["strace", "-f", "-o", "/dev/null", *faults, "-p", str(struck.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        assert "attached" in strace.stderr.readline()
        assert struck.stdin is not None
        struck.stdin.close()
        strace.communicate()


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where the machine allows: a killed process is no power cut."""
    with tempfile.TemporaryDirectory(dir=memory_folder()) as name:
        yield Path(name)


def said(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@needs_strace
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", STRIDES)
def test_nothing_is_lost_wherever_the_process_is_killed(path: str, folder: Path) -> None:
    with MqttListener() as broker:
        points = strike_all(path, folder, broker.url, "signal=KILL", CALLS, STRIDES[path])
    killed = [each.split()[0] for each in points if each.endswith("killed")]
    print(f"{path}: killed at {len(killed)} system calls")
    assert len(killed) >= LEAST_POINTS
    if path == "send":
        each_arrived(broker, killed)


@needs_strace
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", ["raise", "acknowledge"])
@pytest.mark.parametrize("error", ERRORS)
def test_what_is_called_stored_is_stored_whatever_call_fails(
    path: str, error: str, folder: Path
) -> None:
    calls = FAILING if FULL else FAILING[:2]
    failed = strike_all(path, folder, "", f"error={error}", calls, FAILING_STRIDE, LAST_FAILING)
    print(f"{path}: {error} at {len(failed)} system calls")
    assert len(failed) >= LEAST_POINTS


def each_arrived(broker: MqttListener, patients: list[str]) -> None:
    """Each alert of each killed process, the same at every copy, few of them twice."""
    copies = Counter((each["patient"], each["seq"]) for each in broker.received)
    for patient in patients:
        assert all(copies[patient, seq] >= 1 for seq in range(1, SENT + 1)), patient
        assert sum(copies[patient, seq] - 1 for seq in range(1, SENT + 1)) <= WINDOW
    assert all(each == _content(each["patient"], each["seq"]) for each in broker.received), (
        "a copy differs"
    )


def _content(patient: str, seq: int) -> object:
    return json.loads(alert(patient, seq).payload)
