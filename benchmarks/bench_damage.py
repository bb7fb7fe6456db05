"""Frames out of a damaged stream: how many of the intact ones come out, and how many wrong ones.

    python -m benchmarks.bench_damage [--frames 20000] [--json]

Native frames of 25 samples and 3 leads; bits flipped, bytes lost, inserted or cut off in a share
of them; read in chunks of 1 to 4096 bytes. A decoded frame is wrong where its samples are not
those that were sent under its sequence number.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.machine import machine
from firmware_bridge.native import NativeDecoder, encode_frame
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.patch.faults import Faults, FaultyLink
from firmware_bridge.stream import Packet

SAMPLES, LEADS = 25, 3
PERCENTS = (1, 5, 20)


def measure(frames: int, percent: int) -> dict[str, Any]:
    """One stream with `percent` of its frames damaged."""
    rng = np.random.default_rng(percent)
    digital = rng.integers(-30_000, 30_000, (frames, SAMPLES, LEADS))
    link = FaultyLink(Faults(corrupt=percent / 100), seed=percent)
    stream = b"".join(each.data for each in link.carry(_sent(digital)))
    decoder, decoded, wrong, at = NativeDecoder(), 0, 0, 0
    while at < len(stream):
        size = int(rng.integers(1, 4097))
        for frame in decoder.push(Packet(stream[at : at + size], 0)):
            number = (frame.counter or 0) // SAMPLES
            decoded += 1
            wrong += not np.array_equal(frame.samples_uv, digital[number].astype(np.float32))
        at += size
    intact = link.count.intact
    return {"damaged_percent": percent, "intact": intact, "decoded": decoded, "wrong": wrong}


def _sent(digital: np.ndarray[Any, Any]) -> list[TimedBytes]:
    return [
        TimedBytes(
            encode_frame(
                samples,
                rate_hz=250,
                scale_nv=1000,
                sequence=number * SAMPLES,
                device_time_us=number * 100_000,
            ),
            number,
        )
        for number, samples in enumerate(digital)
    ]


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(options.frames, percent) for percent in PERCENTS]
    if options.json:
        print(json.dumps({"benchmark": "damage", "machine": machine(), "rows": rows}))
        return
    for row in rows:
        print(
            f"{row['damaged_percent']:>3} % damaged: {row['decoded']} of {row['intact']} intact "
            f"frames decoded, {row['wrong']} wrong ones"
        )


if __name__ == "__main__":
    main()
