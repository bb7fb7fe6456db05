"""A day of ECG in one go: memory, handles, threads and the store's file stay as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from edge.outbox import Outbox
from tests.mosquitto import Mosquitto, needs_mosquitto
from tests.reliability.strace import FULL, environment

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
MOST_MIB_A_DAY = 1.0
MOST_MIB_SHORT = 8.0
"""Five minutes are too short for a slope: what the allocator has yet to give back weighs more."""
WARM_UP_H = 1.0
SAMPLE_S = 0.2
MITDB_BYTES = 1_950_000
MITDB_SAMPLES = 650_000


@dataclass
class Course:
    """What was seen of a process: hours of ECG that it had heard by then, and its figures."""

    hours: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    store_bytes: list[int] = field(default_factory=list)

    def after(self, hours: float) -> Course:
        """Without the beginning."""
        first = next((k for k, each in enumerate(self.hours) if each >= hours), len(self.hours))
        return Course(*(getattr(self, name)[first:] for name in self.__dataclass_fields__))

    @property
    def slope_mib_a_day(self) -> float:
        """Theil-Sen: the median of the slopes between all pairs, of 200 points at most."""
        step = max(1, len(self.hours) // 200)
        points = list(zip(self.hours[::step], self.rss_mib[::step], strict=True))
        slopes = [(b - a) / (t - s) for (s, a), (t, b) in combinations(points, 2) if t > s]
        return 24 * median(slopes)


def watch(process: subprocess.Popen[str], store: Path, rate_hz: float) -> Course:
    """Follow a run to its end, by its own states and by what the kernel says of it."""
    course, heard = Course(), [0.0]
    over = threading.Event()
    reader = threading.Thread(target=_read, args=(process, heard, rate_hz, over), daemon=True)
    reader.start()
    while not over.wait(SAMPLE_S):
        _note(course, process.pid, heard[0], store)
    reader.join()
    return course


def _read(
    process: subprocess.Popen[str], heard: list[float], rate_hz: float, over: threading.Event
) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "state":
            heard[0] = event["samples"]["span"] / rate_hz / 3600
        if event["event"] == "end":
            over.set()
    over.set()


def _note(course: Course, pid: int, hours: float, store: Path) -> None:
    of = Path(f"/proc/{pid}")
    try:
        pages = int((of / "statm").read_text().split()[1])
        files = len(list((of / "fd").iterdir()))
        threads = len(list((of / "task").iterdir()))
    except (OSError, IndexError):
        return
    course.hours.append(hours)
    course.rss_mib.append(pages * PAGE_BYTES / MIB)
    course.files.append(files)
    course.threads.append(threads)
    course.store_bytes.append(store.stat().st_size)


def grown(store: Path) -> None:
    """A store that has all the room which it will ever take."""
    with closing(Outbox(store)) as outbox:
        while not outbox.health.reserved:
            outbox._reserve_ns = 0
            outbox.retry()


def soak(folder: Path, url: str, source: str, rate_hz: float, bundle: str) -> Course:
    """Run a source at full speed with a store and a broker."""
    store = folder / "outbox.sqlite"
    grown(store)
    (folder / "config.toml").write_text(
        f'[mqtt]\nurl = "{url}"\n[storage]\ndirectory = "{folder}"\n'
        f'[[patient]]\nid = "p1"\nsource = "{source}"\nbundle = "{bundle}"\n'
    )
    command = [sys.executable, "-m", "edge", "run", str(folder / "config.toml"), "--json"]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        course = watch(process, store, rate_hz)
        assert process.wait() == 0
    print(
        f"\n{course.hours[-1]:.2f} h of ECG in {time.monotonic() - started:.0f} s, "
        f"{len(course.hours)} looks; memory {course.rss_mib[-1]:.1f} MiB at the end, "
        f"{max(course.rss_mib):.1f} at most"
    )
    return course


@pytest.mark.broker
@needs_mosquitto
def test_five_minutes_leave_everything_as_it_was(tmp_path: Path) -> None:
    with Mosquitto() as broker:
        source = "sim:?scenario=asystole&speed=60&duration_s=300"
        course = soak(tmp_path, broker.url, source, 250.0, "none")
    steady = course.after(0.01)
    assert len(steady.hours) >= 2
    assert max(steady.rss_mib) - steady.rss_mib[0] <= MOST_MIB_SHORT
    _assert_constant(steady)


@pytest.mark.broker
@needs_mosquitto
@pytest.mark.skipif(not FULL, reason="EDGE_RELIABILITY=full runs a day of ECG")
@pytest.mark.timeout(7200)
def test_a_day_leaves_everything_as_it_was(records_dir: Path, tmp_path: Path) -> None:
    """The 48 half hours of the MIT-BIH Arrhythmia Database as one record, with the encoder."""
    record = _day(records_dir / "mitdb", tmp_path)
    with Mosquitto() as broker:
        source = f"replay:{record}?speed=max"
        course = soak(tmp_path, broker.url, source, 360.0, "tcn-s")
    steady = course.after(WARM_UP_H)
    slope = steady.slope_mib_a_day
    print(f"memory slope {slope:+.2f} MiB a day of ECG after {WARM_UP_H:g} h")
    assert slope <= MOST_MIB_A_DAY
    _assert_constant(steady)


def _assert_constant(steady: Course) -> None:
    """Nothing is opened for good, begun or enlarged. A file may be open for a moment, so the
    middle one of the first and of the last fifth of all looks count.
    """
    fifth = max(1, len(steady.files) // 5)
    assert len(set(steady.store_bytes)) == 1
    for figures in (steady.files, steady.threads):
        assert median(figures[-fifth:]) <= median(figures[:fifth])


def _day(mitdb: Path, folder: Path) -> Path:
    """All records after one another; they agree in rate, leads, gain and format."""
    parts = sorted(mitdb.glob("[12]??.dat"))
    assert {each.stat().st_size for each in parts} == {MITDB_BYTES}
    with (folder / "day.dat").open("wb") as day:
        for each in parts:
            day.write(each.read_bytes())
    samples = MITDB_SAMPLES * len(parts)
    leads = [f"day.dat 212 200 11 1024 0 0 0 {lead}" for lead in ("MLII", "V5")]
    (folder / "day.hea").write_text("\n".join([f"day 2 360 {samples}", *leads]) + "\n")
    return folder / "day"
