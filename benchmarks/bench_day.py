"""Does a stream cost more at hour 24 than at hour 1? A day of ECG through one patient's monitor.

    python -m benchmarks.bench_day [--records FOLDER/mitdb] [--hours 24] [--minutes 30] [--json]

The first half hour comes again at the end of the day, ten seconds at a time in turn with a stream
that has just begun and gets the same bytes: what the day has left behind shows in the ratio of the
two, and what else the machine does meets both. The same is done at hour 1, with two streams that
have both just begun, for what such a ratio is worth. Between them lie the other records, the
virtual patch where there are none; alarms are acknowledged every half hour. One lead in native
frames; CPU time of the engine's thread, from bytes to alerts and a state a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_signal_path import found_record
from benchmarks.machine import machine
from edge.actions import Acknowledge
from edge.assemble import pipeline
from edge.bench.distribution import significant
from edge.bench.memory import resident_mb
from edge.bundles import Bundles
from edge.clock import SystemClock
from edge.config import Config, Patient
from edge.monitor import Monitor
from firmware_bridge.native import encode_frame
from firmware_bridge.patch.ecg_model import EcgModel
from firmware_bridge.patch.scenarios import scenario_named
from firmware_bridge.source import open_source
from firmware_bridge.stream import NS_PER_S, Packet

RATE_HZ = 360
PACKET, LONG_PACKET = 25, 250
"""Samples a frame where time is taken, and between, where it is saved."""

HALF_HOUR = 1800 * RATE_HZ
PIECE_S, PIECES_A_MINUTE = 10, 6
PATCHES = 4
PATIENT = "bench"
SOURCE = f"sim:?fs={RATE_HZ}&leads=1"
Samples = NDArray[np.int32]


class Stream:
    """One patient's monitor, and where its stream stands."""

    def __init__(self, bundles: Bundles) -> None:
        patient = Patient(PATIENT, SOURCE)
        config = Config(patient=(patient,))
        path = pipeline(open_source(SOURCE), patient, config, bundles)
        self.monitor = Monitor(patient, "", path, SystemClock(), lambda *_: None, lambda *_: None)
        self.monitor.resume()
        self._position = 0

    def push(self, samples: Samples, packet: int) -> float:
        """CPU seconds of the monitor for these samples; making the frames is not counted."""
        frames = list(self._frames(samples, packet))
        a_second = max(1, RATE_HZ // packet)
        begin_s = time.thread_time()
        for number, frame in enumerate(frames):
            self.monitor.handle(frame)
            if number % a_second == 0:
                self.monitor.state()
        return time.thread_time() - begin_s

    def _frames(self, samples: Samples, packet: int) -> Iterator[Packet]:
        for start in range(0, len(samples), packet):
            piece = samples[start : start + packet, None]
            at = self._position
            self._position += len(piece)
            data = encode_frame(
                piece,
                rate_hz=RATE_HZ,
                scale_nv=1000,
                sequence=at,
                device_time_us=round(at / RATE_HZ * 1e6),
            )
            yield Packet(data, round(self._position / RATE_HZ * NS_PER_S))


def half_hours(folder: Path | None) -> Iterator[Samples]:
    """Half hours of one lead in microvolts, again and again: records, or the virtual patch."""
    if folder is None:
        return map(_patch, cycle(range(PATCHES)))
    return map(_record, cycle(sorted(folder.glob("*.hea"))))


def _record(header: Path) -> Samples:
    import wfdb

    name = str(header.with_suffix(""))
    physical = wfdb.rdrecord(name, channels=[0], physical=True).p_signal[:HALF_HOUR, 0]
    return np.rint(np.nan_to_num(physical) * 1000).astype(np.int32)


def _patch(seed: int) -> Samples:
    samples_uv, _ = EcgModel(scenario_named("tour"), rate_hz=RATE_HZ, seed=seed).read(HALF_HOUR)
    return np.rint(samples_uv[:, 0]).astype(np.int32)


def measure(folder: Path | None, hours: float, minutes: int) -> list[dict[str, Any]]:
    """The first minutes of the day, and the same ones at its end."""
    day = half_hours(folder)
    first = next(day)
    bundles = Bundles("auto")
    old = Stream(bundles)
    early = _in_turn(old, Stream(bundles), first, minutes, "hour 1")
    between = round(2 * hours) - 2
    for samples in islice(day, between):
        old.push(samples, LONG_PACKET)
        old.monitor.act(Acknowledge(PATIENT))
    late = _in_turn(old, Stream(bundles), first, minutes, f"hour {hours:g}")
    late["ratio"] = significant(late["beside_fresh"] / early["beside_fresh"], 4)
    return [early, late]


def _in_turn(
    old: Stream, fresh: Stream, samples: Samples, minutes: int, name: str
) -> dict[str, Any]:
    """What ten seconds cost either, in turn; the first minute is left out, for in it the fresh
    stream opens its networks and learns the signal."""
    spent: list[tuple[float, float]] = []
    for k in range(minutes * PIECES_A_MINUTE):
        piece = samples[k * PIECE_S * RATE_HZ : (k + 1) * PIECE_S * RATE_HZ]
        turns = ((old, 0), (fresh, 1)) if k % 2 else ((fresh, 1), (old, 0))
        cost = {which: stream.push(piece, PACKET) for stream, which in turns}
        spent.append((cost[0], cost[1]))
    kept = spent[PIECES_A_MINUTE:]
    return {
        "name": name,
        "us_a_second": significant(1e6 * median(ours for ours, _ in kept) / PIECE_S, 4),
        "fresh_us_a_second": significant(1e6 * median(theirs for _, theirs in kept) / PIECE_S, 4),
        "beside_fresh": significant(median(ours / theirs for ours, theirs in kept), 4),
        "memory_mb": round(resident_mb() or 0.0, 1),
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description="what a stream costs at the end of a day")
    parser.add_argument("--records", type=Path, help="folder of WFDB records at 360 Hz")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--minutes", type=int, default=30, help="of the first half hour, measured")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = found_record()
    folder = options.records or (found.parent if found else None)
    rows = measure(folder, options.hours, min(30, options.minutes))
    report = {"task": "day", "records": folder.name if folder else "", **machine(), "rows": rows}
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return 0
    print(f"{report['cpu']}; {report['records'] or 'virtual patch'}; CPU us a second of signal")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
