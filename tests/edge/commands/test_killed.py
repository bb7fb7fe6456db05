"""A command is done at most once, even where the process dies while it is done."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from edge.commands.policy import Accepted, Policy, Refused
from edge.outbox import Outbox
from tests.edge.commands.signing import WARD, command, delivery
from tests.reliability.strace import environment

DIES_AT_WORK = """
import os, sys, threading
from pathlib import Path
from edge.clock import SystemClock
from edge.commands.desk import Desk
from edge.commands.policy import Policy
from edge.messages import Topics
from edge.outbox import Outbox
from tests.edge.commands.signing import UTC_NS, WARD, StandIns, command

def die(action):
    os.write(1, b"being done")
    os.kill(os.getpid(), 9)

outbox, world = Outbox(Path(sys.argv[1])), StandIns()
judge = Policy([WARD], (), outbox.newest_number)
desk = Desk(judge, die, outbox, world, Topics(), SystemClock(), lambda: UTC_NS)
desk.listen("bed-3", signed=True, button=False)
desk.start()
world.send(command(counter=int(sys.argv[2])))
threading.Event().wait(60)
"""


def test_a_command_that_was_being_done_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    program = [sys.executable, "-c", DIES_AT_WORK, str(path), "41"]
    done = subprocess.run(program, capture_output=True, env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert done.stdout == b"being done"
    with closing(Outbox(path)) as outbox:
        again = Policy([WARD], (), outbox.newest_number)
        copy = again.judge(delivery(command(counter=41)))
        assert isinstance(copy, Refused)
        assert copy.reason == "counter"
        assert isinstance(again.judge(delivery(command(counter=42))), Accepted)
