"""The start of fresh processes, part by part, to the first result of the encoder.

CLOCK_MONOTONIC is one clock for all processes, hence the parent's time of spawning may be taken
from the child's times.
"""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median

from edge.bench.report import ColdStart, Part
from edge.clock import Clock
from edge.errors import EdgeError

__all__ = ["cold_start"]

PARTS = (
    "interpreter",
    "libraries",
    "kernels",
    "edge",
    "bundle verification",
    "session and self-test",
    "first hop",
)
CHILD = "edge.bench.fresh_start"
TIMEOUT_S = 120.0
NS_PER_MS = 1_000_000


def cold_start(bundle: str, device: str, rounds: int, clock: Clock) -> ColdStart:
    """Start so many processes, one after another. Raises EdgeError where one fails."""
    answers = [_start(bundle, device, clock) for _ in range(rounds)]
    starts = [lasted for lasted, _ in answers]
    memory_mb = [mb for _, mb in answers if mb is not None]
    parts = [
        Part(
            name=name,
            median_ms=_ms(median(start[name] for start in starts)),
            first_ms=_ms(starts[0][name]),
        )
        for name in PARTS
        if name in starts[0]
    ]
    totals = [sum(start.values()) for start in starts]
    return ColdStart(
        rounds=rounds,
        parts=parts,
        total_median_ms=_ms(median(totals)),
        total_first_ms=_ms(totals[0]),
        memory_mb=round(median(memory_mb), 1) if memory_mb else None,
    )


def _start(bundle: str, device: str, clock: Clock) -> tuple[dict[str, int], float | None]:
    """Part to its nanoseconds, and megabytes at the end."""
    spawned_ns = clock.monotonic_ns()
    command = [sys.executable, "-m", CHILD, bundle, device]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
        answer = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        raise EdgeError(f"cold start: the process that was measured failed: {why[0]}") from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise EdgeError(f"cold start: the process that was measured failed: {error}") from None
    lasted, before_ns = {}, spawned_ns
    for name, at_ns in answer["reached"].items():
        lasted[name], before_ns = at_ns - before_ns, at_ns
    return lasted, answer["memory_mb"]


def _ms(duration_ns: float) -> float:
    return round(duration_ns / NS_PER_MS, 1)
