"""A run that is killed: its recording up to the last second."""

import json
import os
import signal
import subprocess
import sys

import numpy as np

from edge.record import open_recording
from firmware_bridge.source import open_source
from tests.edge.record.recorded import blocks, lost
from tests.patience import WAIT_S

RATE_HZ = 250
URI = "sim:?scenario=sinus&leads=2&seed=7"


def sent_by_the_patch(count):
    """The first samples that the patch of that URI sends, whenever it is asked."""
    source = open_source(URI + "&speed=max")
    source.transport.open()
    samples = []
    while sum(map(len, samples)) < count:
        packet = source.transport.read(1.0)
        samples += [frame.samples_uv for frame in source.decoder.push(packet)]
    source.transport.close()
    return np.concatenate(samples)[:count]


def test_a_killed_run_loses_at_most_its_last_second(tmp_path):
    command = [sys.executable, "-m", "edge", "run", "--source", URI, "--bundle", "none", "--json"]
    command += ["--record", str(tmp_path), "--for", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        delivered = 0
        for line in running.stdout:
            told = json.loads(line)
            if told["event"] == "state":
                delivered = told["samples"]["delivered"]
            if delivered > 4 * RATE_HZ:
                os.kill(running.pid, signal.SIGKILL)
                break
        running.wait(WAIT_S)
    assert running.returncode == -signal.SIGKILL
    recording = open_recording(tmp_path)
    entries = list(recording.read())
    samples = np.concatenate([block.samples_uv for block in blocks(entries)])
    assert len(samples) >= delivered - RATE_HZ
    assert lost(entries) == []
    assert np.array_equal(samples, sent_by_the_patch(len(samples)))
