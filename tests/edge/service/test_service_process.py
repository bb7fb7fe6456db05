"""`edge run` as a process under a service manager that listens on a real socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from edge.errors import Exit
from tests.edge.service.manager import Manager, service_environment
from tests.patience import WAIT_S

RUN = [sys.executable, "-m", "edge", "run", "--source", "sim:?scenario=sinus", "--bundle", "none"]

LISTENING = "0A"

SINK = """
import threading

class Hanging:
    def nothing(self, message): pass
    alert = active = availability = nothing
    def state(self, message): threading.Event().wait()
    def close(self): pass
"""
HURRIED = """
import sys
from firmware_bridge import pulse
pulse.Pulse.beat.__defaults__ = (1.0,)
pulse.SLOW_DISK_S = 1.0
from edge import supervision
supervision.LAST_WORDS_S = 0.1
from edge.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def manager(tmp_path):
    listening = Manager(tmp_path)
    yield listening
    listening.close()


@pytest.fixture
def start(manager, tmp_path):
    """Starts processes under the manager, without a terminal, and ends them."""
    started = []

    def begin(command, **more):
        environment = {**service_environment(manager, tmp_path), **more}
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # `nohup` ignores SIGHUP, and so would what it starts.
            preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_life_under_a_manager(manager, start):
    """An early SIGHUP, ready, fed, no open port, stopped as a whole, reloaded, ended."""
    process = start(RUN)
    while process.poll() is None and not _catches(process, signal.SIGHUP):
        pass
    process.send_signal(signal.SIGHUP)
    assert manager.wait_for("READY") == {"READY": "1"}
    assert manager.wait_for("WATCHDOG") == {"WATCHDOG": "1"}
    said = (manager.wait_for("STATUS")["STATUS"] for _ in range(20))
    assert any(each.startswith("1 patient: patient-1 ") and "bpm" in each for each in said)

    assert _listens(process.pid) == set()
    with socket.create_server(("127.0.0.1", 0)):
        assert _listens(os.getpid())  # or it would see none anywhere

    process.send_signal(signal.SIGSTOP)
    manager.forget()
    manager.silent_for("WATCHDOG", 0.1)  # one may have been on its way
    assert manager.silent_for("WATCHDOG", manager.watchdog_s)
    process.send_signal(signal.SIGCONT)
    assert manager.wait_for("WATCHDOG")

    process.send_signal(signal.SIGHUP)
    assert manager.wait_for("RELOADING")["MONOTONIC_USEC"].isdecimal()
    assert manager.wait_for("READY")
    process.send_signal(signal.SIGTERM)
    assert manager.wait_for("STOPPING")
    assert process.wait(WAIT_S) == 128 + signal.SIGTERM
    assert "Traceback" not in process.stderr.read()


def test_a_hung_sink_ends_the_process_with_a_code_of_its_own(manager, start, tmp_path):
    """A sink of another package, found by its entry point."""
    (tmp_path / "hanging.py").write_text(SINK)
    facts = tmp_path / "hanging-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[edge.sinks]\nhanging = hanging:Hanging\n")
    config = tmp_path / "config.toml"
    config.write_text(
        '[[patient]]\nid = "p1"\nsource = "sim:"\nbundle = "none"\n[[sink]]\nname = "hanging"\n'
    )
    process = start(
        [sys.executable, "-c", HURRIED, "run", str(config)],
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])]),
    )
    _, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == Exit.STUCK
    assert "sinks: no sign of life for" in said
    assert "the process ends, to be started again" in said
    assert "in state" in said  # the stacks of all threads


def _catches(process, number):
    """Whether a process has a handler for a signal by now."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1


def _listens(pid):
    """Inodes of the TCP sockets on which a process listens."""
    of = Path(f"/proc/{pid}")
    links = {_target(each) for each in (of / "fd").iterdir()}
    mine = {each.removeprefix("socket:[").rstrip("]") for each in links if "socket:" in each}
    tables = "".join((of / "net" / name).read_text() for name in ("tcp", "tcp6"))
    rows = [line.split() for line in tables.splitlines() if ":" in line]
    return {row[9] for row in rows if row[3] == LISTENING and row[9] in mine}


def _target(link):
    """Where a descriptor leads; it may be closed by now."""
    try:
        return str(link.readlink())
    except OSError:
        return ""
