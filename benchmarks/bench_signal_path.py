"""Cost of the signal path a sample and lead, beside QRS detectors that work offline.

    python -m benchmarks.bench_signal_path [--record FOLDER/mitdb/100] [--minutes 30] [--json]

The path is what every sample goes through in production, in packets of 25 samples: ring,
conditioning, quality and QRS detection. The same in packets of a second shows what is arithmetic
and what is the price of a call; the same stage by stage, what one call for all saves. The peers get
the whole record at once and do QRS detection alone (with their own filtering). Times are CPU time
of this process, the least of some rounds in which all take turns. Without a record a synthetic ECG
is used, and said.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from edge.condition import Conditioner
from edge.qrs import QrsDetector
from edge.quality import QualityMonitor
from edge.ring import Ring
from edge.signal_path import SignalPath

PACKET = 25
REPEATS = 5
XQRS_MINUTES = 2.0  # of the record: it is two orders of magnitude slower than the others
Samples = NDArray[np.float32]


def synthetic(minutes: float, rate_hz: float = 360.0) -> Samples:
    """Two leads of 75 bpm with T waves and noise, microvolts."""
    t = np.arange(round(minutes * 60 * rate_hz)) / rate_hz
    since = t % 0.8
    wave = 1000 * np.exp(-(((since - 0.3) / 0.015) ** 2))
    wave += 200 * np.exp(-(((since - 0.55) / 0.05) ** 2))
    noise = np.random.default_rng(0).normal(0, 15, (t.size, 2))
    return (wave[:, None] * [1.0, -0.6] + noise).astype(np.float32)


def recorded(path: Path, minutes: float) -> tuple[Samples, float]:
    """Samples in microvolts and rate of a WFDB record."""
    import wfdb

    header = wfdb.rdheader(str(path))
    record = wfdb.rdrecord(str(path), sampto=min(header.sig_len, round(minutes * 60 * header.fs)))
    return np.ascontiguousarray(record.p_signal * 1000.0, np.float32), float(header.fs)


def found_record() -> Path | None:
    """Record 100 of mitdb where the recordings are, as the tests look for them."""
    root = Path(__file__).resolve().parent.parent
    for folder in (os.environ.get("EDGE_DATA"), root / "../shared/data", root / ".data"):
        if folder and (Path(folder) / "mitdb/100.hea").is_file():
            return Path(folder) / "mitdb/100"
    return None


def run_path(samples: Samples, rate_hz: float, size: int = PACKET) -> int:
    """The path in packets of `size` samples; gives the number of beats."""
    leads = samples.shape[1]
    ring = Ring(round(30 * rate_hz), leads)
    path = SignalPath(rate_hz, leads, mains_hz=60)
    detector = QrsDetector(rate_hz, leads, delay_s=path.delay_s)
    weights = [1.0] * leads
    beats = 0
    for start in range(0, len(samples), size):
        packet = samples[start : start + size]
        taken = 0
        while taken < len(packet):
            rest = packet[taken:] if taken else packet
            count, found, verdicts = path.process(start + taken, rest, 0, weights, detector, ring)
            taken += count
            beats += len(found)
            for verdict in verdicts:
                weights = [lead.score for lead in verdict.leads]
    return beats


def run_stages(samples: Samples, rate_hz: float) -> int:
    """The stages one by one, in packets; gives the number of beats."""
    leads = samples.shape[1]
    ring = Ring(round(30 * rate_hz), leads)
    conditioner = Conditioner(rate_hz, leads, mains_hz=60)
    quality = QualityMonitor(rate_hz, leads, mains_hz=60)
    detector = QrsDetector(rate_hz, leads, delay_s=conditioner.delay_s)
    weights = [1.0] * leads
    beats = 0
    for start in range(0, len(samples), PACKET):
        packet = samples[start : start + PACKET]
        ring.append(packet)
        conditioned = conditioner.process(packet)
        beats += len(detector.process(start, conditioned, weights))
        for verdict in quality.process(start, packet, conditioned):
            weights = [lead.score for lead in verdict.leads]
    return beats


def xqrs(samples: NDArray[np.float64], rate_hz: float) -> int:
    """wfdb's detector, on the start of the record."""
    processing = importlib.import_module("wfdb.processing")
    detector = processing.XQRS(sig=samples[: round(XQRS_MINUTES * 60 * rate_hz)], fs=rate_hz)
    detector.detect(verbose=False)
    return len(detector.qrs_inds)


def sleepecg(samples: NDArray[np.float64], rate_hz: float) -> int:
    """sleepecg's detector (C)."""
    return len(importlib.import_module("sleepecg").detect_heartbeats(samples, rate_hz))


def neurokit2(samples: NDArray[np.float64], rate_hz: float) -> int:
    """neurokit2's cleaning and detection."""
    nk = importlib.import_module("neurokit2")
    cleaned = nk.ecg_clean(samples, sampling_rate=round(rate_hz))
    return len(nk.ecg_findpeaks(cleaned, sampling_rate=round(rate_hz))["ECG_R_Peaks"])


Work = Callable[[], int]


def timed(works: dict[str, Work]) -> dict[str, tuple[float, int]]:
    """Least CPU time of some rounds after a warm-up, and the beats found, of those that can run."""
    found: dict[str, tuple[float, int]] = {}
    for turn in range(REPEATS + 1):
        for name, work in works.items():
            if turn and name not in found:
                continue
            begin = time.process_time()
            try:
                beats = work()
            except ImportError:
                continue
            seconds = time.process_time() - begin
            found[name] = (min(seconds, found[name][0]) if turn > 1 else seconds, beats)
    return found


def measure(samples: Samples, rate_hz: float) -> list[dict[str, object]]:
    """One row a program: nanoseconds a sample and lead."""
    lead = samples[:, 0].astype(float) / 1000.0
    taken = min(round(XQRS_MINUTES * 60 * rate_hz), lead.size)
    entries: list[tuple[str, str, Work, int]] = [
        ("edge", "edge signal path, streaming", lambda: run_path(samples, rate_hz), samples.size),
        (
            "edge",
            "edge, packets of a second",
            lambda: run_path(samples, rate_hz, round(rate_hz)),
            samples.size,
        ),
        ("edge", "edge, a call a stage", lambda: run_stages(samples, rate_hz), samples.size),
        ("sleepecg", "sleepecg, QRS offline", lambda: sleepecg(lead, rate_hz), lead.size),
        ("neurokit2", "neurokit2, QRS offline", lambda: neurokit2(lead, rate_hz), lead.size),
        ("wfdb", "wfdb xqrs, QRS offline", lambda: xqrs(lead, rate_hz), taken),
    ]
    versions = machine()["libraries"]
    found = timed({name: work for _, name, work, _ in entries})
    return [
        {
            "name": name,
            "version": versions.get(package, ""),
            "ns_per_sample_lead": round(1e9 * found[name][0] / count, 1),
            "beats": found[name][1],
        }
        for package, name, _, count in entries
        if name in found
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--record", type=Path, help="WFDB record, without suffix (default: mitdb/100)"
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    source, rate_hz = "synthetic", 360.0
    record = options.record or found_record()
    if record:
        source = record.name
        samples, rate_hz = recorded(record, options.minutes)
    else:
        samples = synthetic(options.minutes)
    rows = measure(samples, rate_hz)
    report = {"record": source, "rate_hz": rate_hz, "packet": PACKET, **machine(), "rows": rows}
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return 0
    print(f"record {source}, {rate_hz:g} Hz, packets of {PACKET}; {report['cpu']}")
    print(f"Python {report['python']}, numba {report['libraries']['numba']}")
    for row in rows:
        print(
            f"{row['name']:30} {row['version']:>10} "
            f"{row['ns_per_sample_lead']:>10} ns/sample/lead {row['beats']:>6} beats"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
