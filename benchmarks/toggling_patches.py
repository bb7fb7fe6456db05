"""Patches whose electrodes come off every three seconds, each on a pseudo-terminal of its own.

    python -m benchmarks.toggling_patches FOLDER COUNT

A process apart, so that making ECG does not slow the runtime that is measured. Prints `ready`
once the ports `FOLDER/p0`, `FOLDER/p1`, … exist; ends with its standard input.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np

from firmware_bridge.native import encode_frame
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.patch.ecg_model import EcgModel
from firmware_bridge.patch.scenarios import scenario_named
from firmware_bridge.pseudo_terminal import PseudoTerminal, PseudoTerminalFeeder
from firmware_bridge.stream import NS_PER_S

RATE_HZ = 250
SAMPLES = 25
TOGGLE_S = 3
SCALE_NV = 1000
READER_S = 60.0


def frames(phase_s: float, seed: int) -> Iterator[TimedBytes]:
    """Native frames without end; contact changes every three seconds, first at `phase_s`."""
    model = EcgModel(scenario_named("sinus"), rate_hz=RATE_HZ, seed=seed)
    number = 0
    while True:
        samples, _ = model.read(SAMPLES)
        stop_s = (number + 1) * SAMPLES / RATE_HZ
        data = encode_frame(
            np.rint(samples).astype(np.int32),
            rate_hz=RATE_HZ,
            scale_nv=SCALE_NV,
            sequence=number * SAMPLES,
            device_time_us=number * SAMPLES * 1_000_000 // RATE_HZ,
            lead_off=int((stop_s + phase_s) // TOGGLE_S % 2),
        )
        yield TimedBytes(data, round((stop_s + phase_s) * NS_PER_S))
        number += 1


def serve(terminal: PseudoTerminal, phase_s: float, seed: int) -> None:
    """Stream in real time once somebody reads."""
    if terminal.wait_for_reader(READER_S):
        PseudoTerminalFeeder(terminal).feed(frames(phase_s, seed), 1.0)


def main() -> None:
    """Serve until standard input ends."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    terminals = [PseudoTerminal(folder / f"p{k}") for k in range(count)]
    print("ready", flush=True)
    for k, terminal in enumerate(terminals):
        phase_s = TOGGLE_S * k / count
        Thread(target=serve, args=(terminal, phase_s, k), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
