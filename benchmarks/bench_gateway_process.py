"""The processes of the gateway benchmark, and what the kernel tells of one (Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.bench_gateway_load import CONFIG, Load

__all__ = ["Reading", "feeder", "gateway", "line", "read"]

LOG = "log"
START_S = 120.0
STOP_S = 30.0
POLL_S = 0.1
CPUCLOCK_SCHED = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """At one moment. cpu_s: of all threads, user and system. memory_mb: resident, 10^6 bytes."""

    at_s: float
    cpu_s: float
    memory_mb: float
    threads: int


def read(pid: int) -> Reading:
    """A running process now. Raises OSError where there is none."""
    proc = Path(f"/proc/{pid}")
    pages = int((proc / "statm").read_text(encoding="ascii").split()[1])
    memory_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    threads = len(list((proc / "task").iterdir()))
    return Reading(time.monotonic(), cpu_s(pid), memory_mb, threads)


def cpu_s(pid: int) -> float:
    """CPU seconds of all threads, to the nanosecond; /proc counts hundredths of a second.

    The number of the clock is what clock_getcpuclockid(3) makes of a process id.
    """
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)


@contextmanager
def feeder(folder: Path, load: Load) -> Iterator[tuple[IO[str], int]]:
    """Its standard output, and the port on which it waits."""
    plan = [load.streams, load.alarmed, load.frames, load.speed, load.ramp_s]
    command = [sys.executable, "-m", "benchmarks.bench_gateway_feeder", str(folder)]
    with subprocess.Popen(
        [*command, *map(str, plan)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout, int(line(process.stdout, folder))
        finally:
            process.communicate()


@contextmanager
def gateway(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One `edge run`."""
    command = [sys.executable, "-m", "edge", "run", str(folder / CONFIG)]
    with (
        (folder / LOG).open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(STOP_S)


def line(stream: IO[str], folder: Path, gateway: subprocess.Popen[bytes] | None = None) -> str:
    """The next line of the feeder. Raises RuntimeError where none comes in time, or the gateway
    ends before it."""
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(stream.readline()), daemon=True)
    reader.start()
    until_s = time.monotonic() + START_S
    while reader.is_alive() and time.monotonic() < until_s:
        if gateway and gateway.poll() is not None:
            break
        reader.join(POLL_S)
    if not got or not got[0]:
        log = folder / LOG
        said = log.read_text(errors="replace")[-500:] if log.exists() else ""
        raise RuntimeError(f"the patches do not stream: {said}")
    return got[0]
