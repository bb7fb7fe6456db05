"""No start waits for the compiler, once the kernels have been compiled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SOURCES = [*(ROOT / "edge/kernels").glob("*.py"), *(ROOT / "models").glob("*.py")]

LOADED = "from edge.cli.warmup import load_kernels; load_kernels()"

IS_CACHED = """
from edge.kernels.store import store
print("cached" if store.stats.cache_path else "no folder")
"""

STARTED = """
import sys
from numba.core import event

class Listener(event.Listener):
    def on_start(self, happened):
        print(happened.data["dispatcher"])
    def on_end(self, happened):
        pass

event.register("numba:compile", Listener())
from edge.assemble import pipeline
from edge.bundles import Bundles
from edge.config import check
from firmware_bridge.source import open_source

uri = "sim:?scenario=sinus&fs=360&leads=2&seed=1&speed=max"
config = check({"patient": [{"id": "p", "source": uri}], "encoder": {"bundle": "tcn-s"}})
source = open_source(uri)
source.transport.open()
path = pipeline(source, config.patient[0], config, Bundles("cpu"))
told = 0
while path.now_ns < 12_000_000_000:
    packet = source.transport.read(1.0)
    told += len(path.push(packet).observations) if packet else 0
assert told
"""


def said(script):
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def told_at_a_start():
    """What is compiled by a process that begins after another has compiled all that it warms up;
    where nothing can be cached, by the same process after that."""
    if "cached" in said(LOADED + "\n" + IS_CACHED):
        return said(STARTED)
    return said(LOADED + "\n" + STARTED)


def test_nothing_is_compiled_at_a_start():
    """Tried again where somebody has edited a kernel meanwhile."""
    for _ in range(3):
        before = [each.read_bytes() for each in SOURCES]
        told = told_at_a_start()
        if not told or before == [each.read_bytes() for each in SOURCES]:
            break
    assert told == ""
