"""Ends processes at each of their system calls; runs under strace.

strace counts the calls of each process and thread anew and acts on call number `AT`. A child
that shall be struck at its k-th call of a kind therefore makes `AT - k` calls of that kind
beforehand, to no effect; so one strace and one start of Python serve all points.

The first process only forks and waits, so that no call of its own is ever number `AT`.

    python -m tests.reliability.kill_points PATH FOLDER URL STRIDE SEED LAST CALL...

It says `ready`, then waits for a line: time for strace to attach.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import random
import select
import shutil
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from edge.errors import StorageError
from edge.outbox import Outbox
from tests.reliability import workload

AT = 420
FIRST_POINTS = 6
"""A sample begins at one of these, so that it meets calls that are made seldom."""
PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, -1
PUBLISHER = "edge-publisher"

_null = os.open("/dev/null", os.O_RDWR)
_pair = socket.socketpair()
_pair[0].setblocking(False)
NOWHERE = Path("/nonexistent/path")

HARMLESS: dict[str, Callable[[], object]] = {
    "pwrite64": lambda: os.pwrite(_null, b"", 0),
    "pread64": lambda: os.pread(_null, 0, 0),
    "fdatasync": lambda: os.fdatasync(_null),
    "fsync": lambda: os.fsync(_null),
    "ftruncate": lambda: os.ftruncate(_null, 0),
    "fallocate": lambda: os.posix_fallocate(_null, 0, 1),
    "fcntl": lambda: fcntl.fcntl(_null, fcntl.F_GETFD),
    "flock": lambda: fcntl.flock(_null, fcntl.LOCK_UN),
    "openat": lambda: os.open(NOWHERE, os.O_RDONLY),
    "close": lambda: os.close(-1),
    "newfstatat": NOWHERE.stat,
    "unlink": NOWHERE.unlink,
    "write": lambda: os.write(_null, b""),
    "lseek": lambda: os.lseek(_null, 0, os.SEEK_SET),
    "sendto": lambda: _pair[0].send(b""),
    "recvfrom": lambda: _pair[0].recv(1),
    "connect": lambda: _pair[0].connect(str(NOWHERE)),
    "setsockopt": lambda: _pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    "pselect6": lambda: select.select([], [], [], 0),
}
"""Calls to strike at, and a way to make each of no effect."""


Preparation = Callable[[Path, str], None]
PREPARATIONS: dict[str, tuple[Preparation, ...]] = {
    "create": (lambda store, patient: store.parent.mkdir(),),
    "raise": (workload.prepare,),
    "evict": (workload.prepare,),
    "acknowledge": (workload.prepare,),
    "send": (workload.prepare_sending,) * 3,
}
"""What a process shall find, made by processes that each make fewer than `AT` calls."""


class SteppedOutbox(Outbox):
    """An outbox whose publisher makes its harmless calls first, in its own thread."""

    steps: Callable[[], None] = staticmethod(lambda: None)

    def retry(self) -> None:
        """The first thing that the publisher's thread does."""
        if threading.current_thread().name == PUBLISHER:
            steps, self.steps = self.steps, lambda: None
            steps()
        super().retry()


def spend(call: str, count: int) -> None:
    """Make so many harmless calls of a kind."""
    harmless = HARMLESS[call]
    for _ in range(count):
        with contextlib.suppress(OSError):
            harmless()


def act(path: str, store: Path, patient: str, url: str, call: str, point: int) -> None:
    """Walk the path, to be struck at the point-th call of a kind."""
    told = os.open(store.with_name("told"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if path == "send":
        outbox = SteppedOutbox(store, workload.SENDING)
        outbox.steps = lambda: spend(call, AT - point)
        workload.send(outbox, url)
        return
    walk = {
        "create": workload.raise_alerts,
        "raise": workload.raise_alerts,
        "evict": workload.evict,
        "acknowledge": workload.acknowledge,
    }[path]
    spend(call, AT - point)
    with contextlib.suppress(StorageError):
        walk(store, patient, told)


def check(path: str, store: Path, patient: str, url: str) -> None:
    """What must hold whatever happened."""
    told = workload.read_told(store.with_name("told"))
    if path == "send":
        workload.check_sent(store, url)
    elif path == "acknowledge":
        workload.check_acknowledged(store, patient, told)
    else:
        workload.check_raised(store, patient, told, 0 if path == "create" else workload.STORED)


def child(action: Callable[[], None], failures: Path) -> int:
    """Do something in a process of its own; its exit status, negative for a signal."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 0
    try:
        action()
    except BaseException:
        with failures.open("a") as file:
            file.write(traceback.format_exc())
        code = 1
    os._exit(code)


def strike(path: str, folder: Path, url: str, call: str, point: int) -> bool:
    """One point; False where the process came to its end."""
    patient = f"{call}-{point}"
    store = folder / patient / "outbox.db"
    failures = folder / "failures"
    for step in PREPARATIONS[path]:
        if child(lambda step=step: step(store, patient), failures):
            raise RuntimeError(f"{patient} could not be prepared")
    struck = child(lambda: act(path, store, patient, url, call, point), failures) != 0

    def conclude() -> None:
        check(path, store, patient, url)
        shutil.rmtree(store.parent)
        with (folder / "points").open("a") as file:
            file.write(f"{patient} {'killed' if struck else 'ended'}\n")

    if child(conclude, failures):
        raise RuntimeError(f"{patient}: what must hold does not, or could not be looked at")
    return struck


def main() -> None:
    """Strike at each stride-th call of each kind, up to the last, or till there are no more."""
    path, folder, url = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    stride, chance = int(sys.argv[4]), random.Random(int(sys.argv[5]))
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(PR_SET_PTRACER_ANY))
    os.write(1, b"ready\n")
    sys.stdin.readline()
    last, calls = int(sys.argv[6]), sys.argv[7:]
    for call in calls:
        first = chance.randint(1, min(stride, FIRST_POINTS))
        for point in range(first, (last or AT) + 1, stride):
            if not strike(path, folder, url, call, point) and not last:
                break


if __name__ == "__main__":
    main()
