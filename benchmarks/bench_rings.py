"""Ring buffers: a packet in, and once a second the newest ten seconds out as one array.

    python -m benchmarks.bench_rings [--minutes 5] [--json]

Packets of 25 samples at 250 Hz, one lead and three, float32. numpy_ringbuffer and dvg-ringbuffer
hold a lead each, so three leads are three of them; dvg-ringbuffer reads as one array without a
copy, numpy_ringbuffer by slicing. CPU time of this process, the least of some repeats that
take turns; every window is compared with the signal, so that no ring is quick by being wrong.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from edge.ring import Ring

RATE_HZ = 250
PACKET = 25
WINDOW = 10 * RATE_HZ
REPEATS = 5
Samples = NDArray[np.float32]
Read = Callable[[], Samples]


def edge_ring(leads: int) -> tuple[Callable[[Samples], None], Read]:
    """The runtime's own."""
    ring = Ring(3 * WINDOW, leads)
    return ring.append, lambda: ring.window(ring.stop - WINDOW, ring.stop)[0]


def numpy_ring(leads: int) -> tuple[Callable[[Samples], None], Read]:
    """numpy_ringbuffer."""
    make = importlib.import_module("numpy_ringbuffer").RingBuffer
    rings = [make(WINDOW, dtype=np.float32) for _ in range(leads)]
    return _each(rings, lambda ring, column: ring.extend(column)), lambda: np.stack(
        [ring[:] for ring in rings], axis=1
    )


def dvg_ring(leads: int) -> tuple[Callable[[Samples], None], Read]:
    """dvg-ringbuffer."""
    make = importlib.import_module("dvg_ringbuffer").RingBuffer
    rings = [make(WINDOW, dtype=np.float32) for _ in range(leads)]
    return _each(rings, lambda ring, column: ring.extend(column)), lambda: np.stack(
        [ring[:] for ring in rings], axis=1
    )


def _each(rings: list[Any], extend: Callable[[Any, Samples], None]) -> Callable[[Samples], None]:
    def append(packet: Samples) -> None:
        for lead, ring in enumerate(rings):
            extend(ring, packet[:, lead])

    return append


RINGS = {"edge": edge_ring, "numpy_ringbuffer": numpy_ring, "dvg-ringbuffer": dvg_ring}


def run(name: str, samples: Samples) -> float:
    """CPU seconds for the whole signal. Raises AssertionError where a window is wrong."""
    append, read = RINGS[name](samples.shape[1])
    spent = 0.0
    for start in range(0, len(samples), RATE_HZ):
        packets = [samples[at : at + PACKET] for at in range(start, start + RATE_HZ, PACKET)]
        begin = time.process_time()
        for packet in packets:
            append(packet)
        stop = start + RATE_HZ
        window = read() if stop >= WINDOW else None
        spent += time.process_time() - begin
        assert window is None or np.array_equal(window, samples[stop - WINDOW : stop])
    return spent


def measure(minutes: float) -> list[dict[str, Any]]:
    """One row a ring and number of leads."""
    rows: list[dict[str, Any]] = []
    for leads in (1, 3):
        rng = np.random.default_rng(leads)
        count = round(minutes * 60) * RATE_HZ
        samples = rng.standard_normal((count, leads)).astype(np.float32)
        names = [name for name in RINGS if name == "edge" or _has(name)]
        spent = {name: [run(name, samples)] for name in names}
        for _ in range(REPEATS - 1):
            for name in names:
                spent[name].append(run(name, samples))
        own = min(spent["edge"])
        for name in names:
            least = min(spent[name])
            rows.append(
                {
                    "name": name,
                    "leads": leads,
                    "ns_per_sample_lead": round(1e9 * least / samples.size, 1),
                    "ratio": round(least / own, 2),
                }
            )
    return rows


def _has(name: str) -> bool:
    return importlib.util.find_spec(name.replace("-", "_")) is not None


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description="ring buffers side by side")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = measure(options.minutes)
    report = {"task": "rings", **machine(), "rows": rows}
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return 0
    print(f"packets of {PACKET}, a window of {WINDOW} a second; {report['cpu']}")
    for row in rows:
        print(
            f"{row['name']:18}{row['leads']} leads{row['ns_per_sample_lead']:>10} ns/sample/lead"
            f"{row['ratio']:>8}x"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
