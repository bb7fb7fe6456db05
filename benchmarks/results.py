"""All benchmarks in a row, as one page for `docs/`.

    python -m benchmarks.results [--out docs/results.md] [--only NAME[,NAME]]

Each runs in a process of its own, one after the other; what stands on the page is what they
print with `--json`. Let nothing else run meanwhile: the page says how busy the machine was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

TIMEOUT_S = 1800
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """One section of the page. columns: heading to the field of a row."""

    module: str
    title: str
    meaning: str
    columns: Mapping[str, str]
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What to type."""
        return " ".join(["python -m", f"benchmarks.{self.module}", *self.arguments])


BENCHMARKS = (
    Benchmark(
        "bench_by_hand",
        "The whole path beside one written by hand",
        "Framed bytes to published state, one lead, one network; by hand: scipy `sosfilt`, "
        "neurokit2 and the same network on the last 10 s, paho-mqtt. CPU seconds of the "
        "process an hour of signal.",
        {"pipeline": "name", "CPU-s an hour": "cpu_s_per_signal_hour", "ratio": "ratio"},
    ),
    Benchmark(
        "bench_signal_path",
        "Signal path beside QRS detectors",
        "Ring, filters, quality and QRS detection of two leads in packets of 25 samples; the "
        "others detect QRS complexes alone, offline, in the whole record at once.",
        {"program": "name", "version": "version", "ns a sample and lead": "ns_per_sample_lead"},
    ),
    Benchmark(
        "bench_rings",
        "Ring buffers",
        "A packet of 25 samples in, once a second 10 s out as one array.",
        {
            "ring": "name",
            "leads": "leads",
            "ns a sample and lead": "ns_per_sample_lead",
            "ratio": "ratio",
        },
    ),
    Benchmark(
        "bench_encoder",
        "Streaming encoder beside the same network on a sliding window",
        "One hop of 1 s with carried state, beside 10 s from silence; int8, one thread. `step` is "
        "the encoder's whole step, normalisation and fusion of leads included.",
        {
            "runtime": "runtime",
            "work": "name",
            "median, us": "median_us",
            "least, us": "least_us",
            "window / it": "window_ratio",
        },
    ),
    Benchmark(
        "bench_devices",
        "Decoders",
        "Every device's own session, as its tests decode it.",
        {
            "session": "device",
            "us a packet": "us_a_packet",
            "ns a sample": "ns_a_sample",
            "of 2 us + 50 ns": "budget",
        },
    ),
    Benchmark(
        "bench_gateway",
        "Many patients on one gateway",
        "One `edge run` with its encoder, fed over TCP in real time: one lead at 250 Hz, packets "
        "of 25 samples. Alerts from the moment before the frame that provokes one is written to "
        "its arrival at a subscriber, later than the broker's PUBACK; percentiles where enough "
        "alerts came for them. CPU time and memory of the whole process.",
        {
            "streams": "streams",
            "alerts": "alerts",
            "missing": "missing",
            "p50, ms": "p50_ms",
            "p99, ms": "p99_ms",
            "most, ms": "max_ms",
            "CPU ms a stream-second": "cpu_ms_a_stream_s",
            "ratio": "cpu_ratio",
            "real-time streams a core": "streams_a_core",
            "threads": "threads",
            "MB": "memory_mb",
            "MB a further stream": "mb_a_further_stream",
            "engine late, ms": "engine_late_ms",
            "encoders resting": "encoders_resting",
        },
    ),
    Benchmark(
        "bench_day",
        "The end of a day beside its beginning",
        "CPU time of the same bytes at the first and in the last hour, each beside a stream that "
        "has just begun and takes turns with it.",
        {
            "hour": "name",
            "us a second of signal": "us_a_second",
            "just begun, us": "fresh_us_a_second",
            "beside it": "beside_fresh",
            "last / first": "ratio",
            "MB": "memory_mb",
        },
    ),
    Benchmark(
        "bench_damage",
        "Damaged streams",
        "Native frames with bits flipped, bytes lost, inserted or cut off.",
        {
            "damaged, %": "damaged_percent",
            "intact": "intact",
            "decoded": "decoded",
            "wrong": "wrong",
        },
    ),
    Benchmark(
        "bench_flood",
        "Alerts under a flood of commands",
        "From raising an alert, its commit included, to Mosquitto's PUBACK, while another client "
        "publishes 1,000 commands a second that are refused; in turns with quiet.",
        {
            "flood": "flood",
            "alerts": "alerts",
            "heard a second": "received_a_second",
            "p50, ms": "p50_ms",
            "p99, ms": "p99_ms",
            "p99 added, ms": "p99_added_ms",
        },
    ),
)


def run(benchmark: Benchmark) -> dict[str, Any]:
    """What it reports. Raises RuntimeError with its own words where it fails."""
    command = [sys.executable, "-m", f"benchmarks.{benchmark.module}", *benchmark.arguments]
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{benchmark.command}: {done.stderr.strip()[-500:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def section(benchmark: Benchmark, rows: Iterable[Row]) -> str:
    """The benchmark's part of the page."""
    lines = [f"## {benchmark.title}", "", benchmark.meaning, "", f"`{benchmark.command}`", ""]
    lines += [_line(benchmark.columns), _line("---" for _ in benchmark.columns)]
    lines += [_line(_shown(row.get(field)) for field in benchmark.columns.values()) for row in rows]
    return "\n".join(lines)


def page(sections: Iterable[str], load: tuple[float, float]) -> str:
    """The page. load: average over the minute before and after."""
    found = machine()
    libraries = ", ".join(f"{name} {version}" for name, version in found["libraries"].items())
    head = (
        "# Results\n\n"
        f"Made by `python -m benchmarks.results` on {datetime.now(UTC):%Y-%m-%d}: {found['cpu']}, "
        f"{found['cores']} cores, {found['system']}, Python {found['python']}; {libraries}. Load "
        f"average {load[0]:.1f} before and {load[1]:.1f} after. Times belong to this machine; "
        "ratios, measured in turn within one run, travel better. Figures on recordings are in "
        "[evaluation.md](evaluation.md), those of your own device come from "
        "[`edge bench`](benchmarking.md)."
    )
    return "\n\n".join([head, *sections]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.2f}"
    return "" if value is None else str(value)


def main(arguments: list[str] | None = None) -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/results.md"))
    parser.add_argument("--only", default="", help="modules, separated by commas")
    options = parser.parse_args(arguments)
    wanted = set(filter(None, options.only.split(",")))
    if unknown := wanted - {each.module for each in BENCHMARKS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    before = os.getloadavg()[0]
    sections = []
    for benchmark in BENCHMARKS:
        if wanted and benchmark.module not in wanted:
            continue
        print(benchmark.command, file=sys.stderr, flush=True)
        try:
            sections.append(section(benchmark, run(benchmark)["rows"]))
        except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as error:
            print(f"results: {error}", file=sys.stderr)
            return 1
    options.out.write_text(page(sections, (before, os.getloadavg()[0])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
