"""No start waits for the compiler, once the kernels have been compiled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

LOADED = "from edge.cli.warmup import load_kernels; load_kernels()"

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


def test_nothing_is_compiled_at_a_start():
    said(LOADED)
    assert said(STARTED) == ""
