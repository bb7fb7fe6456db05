"""Memory over time: hours of ECG through the whole path, faster than life.

    python -m benchmarks.soak [--hours 24] [--json]

Resident memory is read once per simulated ten minutes; the slope is Theil-Sen's median over
all pairs after the first hour, in megabytes (10^6 bytes) per 24 hours of ECG.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import machine
from edge import Quality, watch

PERIOD_S = 600
WARM_UP = 6


def resident_mb() -> float:
    """Resident memory of this process, 10^6 bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def samples(hours: float) -> Iterator[float]:
    """Resident memory every ten minutes of ECG."""
    seconds = 0
    for event in watch("sim:?scenario=tour&leads=1&fs=250&speed=max", for_s=hours * 3600):
        if isinstance(event, Quality):
            seconds += 1
            if seconds % PERIOD_S == 0:
                yield resident_mb()


def measure(hours: float) -> dict[str, Any]:
    """Run and measure."""
    memory_mb = list(samples(hours))
    steady = list(enumerate(memory_mb))[WARM_UP:]
    slopes = [(b - a) / (j - i) for (i, a), (j, b) in combinations(steady, 2)]
    per_day = 24 * 3600 / PERIOD_S
    return {
        "benchmark": "soak",
        "machine": machine(),
        "hours": hours,
        "memory_mb": [round(each, 1) for each in memory_mb],
        "slope_mb_per_24h": round(median(slopes) * per_day, 2) if slopes else None,
    }


def main() -> None:
    """Print a line, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.hours)
    if options.json:
        print(json.dumps(result))
        return
    memory_mb = result["memory_mb"]
    print(f"{result['machine']['cpu']}: {result['hours']:g} h of ECG")
    print(f"memory {memory_mb[0]} MB at first, {memory_mb[-1]} MB at the end")
    print(f"slope {result['slope_mb_per_24h']} MB per 24 h of ECG")


if __name__ == "__main__":
    main()
