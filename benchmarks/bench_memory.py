"""Memory of a running `edge run` with one stream, by whose it is.

    python -m benchmarks.bench_memory [--bundle tcn-s] [--json]

Reads /proc/PID/smaps once the encoder has spoken. Resident: all pages in memory, those of library
files among them, which the system shares between processes and can take back. Anonymous: the
process's own, which it cannot. The stream is a virtual patch within the process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

OWNERS = {
    "libllvmlite": "compiler (LLVM)",
    "onnxruntime": "ONNX Runtime",
    "LiteRt": "LiteRT",
    "litert": "LiteRT",
    "/": "other libraries and files",
    "": "heaps and stacks",
}
"""The first of these parts that a mapping's path has says whose it is."""
KINDS = {"Rss:": "resident_mb", "Anonymous:": "anonymous_mb"}
SOURCE = "sim:?scenario=tour&leads=1&fs=250&seed=1"
LONGEST_S = 600
KB = 1024 / 1e6


@contextmanager
def running(bundle: str) -> Iterator[int]:
    """`edge run`, from the encoder's first answer on; its process id."""
    flags = ["--source", SOURCE, "--bundle", bundle, "--json", "--for", str(LONGEST_S)]
    command = [sys.executable, "-m", "edge", "run", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            wait_for_encoder(process.stdout or [])
            yield process.pid
        finally:
            process.kill()


def wait_for_encoder(lines: Iterable[str]) -> None:
    """Until a state has a rhythm."""
    for line in lines:
        message = json.loads(line)
        if message["event"] == "state" and message.get("rhythm"):
            return
    raise SystemExit("edge run ended before its encoder had spoken")


def by_owner(pid: int) -> dict[str, Counter[str]]:
    """Owner to kilobytes (2^10 bytes) by the fields of KINDS."""
    found: dict[str, Counter[str]] = {owner: Counter() for owner in OWNERS.values()}
    owner = ""
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            path = values[4] if len(values) > 4 else ""
            owner = next(whose for part, whose in OWNERS.items() if part in path)
        elif name in KINDS:
            found[owner][name] += int(values[0])
    return found


def peak_mb(pid: int) -> float:
    """The most that was ever resident."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * KB


def measure(bundle: str) -> dict[str, Any]:
    """All owners, and their sum."""
    with running(bundle) as pid:
        found, peak = by_owner(pid), peak_mb(pid)
    found["together"] = sum(found.values(), Counter[str]())
    rows = [
        {"owner": owner, **{field: round(sizes[kind] * KB, 1) for kind, field in KINDS.items()}}
        for owner, sizes in found.items()
    ]
    return {"machine": machine(), "bundle": bundle, "peak_mb": round(peak, 1), "rows": rows}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="tcn-s")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.bundle)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'MB (10^6 bytes)':<28}{'resident':>10}{'anonymous':>10}")
    for row in found["rows"]:
        print(f"{row['owner']:<28}{row['resident_mb']:10.1f}{row['anonymous_mb']:10.1f}")
    print(f"{'peak':<28}{found['peak_mb']:10.1f}")


if __name__ == "__main__":
    main()
