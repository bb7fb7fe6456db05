"""Software delay: from the last byte of the deciding packet to an independent subscriber.

Virtual patches in a process of their own write to pseudo-terminals in real time; their
electrodes come off and on every three seconds. One `edge run` watches them all and publishes to
Mosquitto on the loopback interface; a subscriber notes when each alert arrives. That is
later than the broker's PUBACK, so the figure is an upper bound of the delay to PUBACK.

    python -m benchmarks.bench_delay [--patches 8] [--for 300] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.machine import machine
from edge.alarm.limits import AlarmLimits
from edge.broker import EmbeddedBroker
from edge.clock import SystemClock
from edge.config import Config, Patient, Storage
from edge.messages import AlertMessage
from edge.monitor import Monitor
from edge.mqtt_settings import MqttSettings
from edge.ndjson import JsonDisplay
from edge.pipeline import Step
from edge.run import RunOptions, run
from edge.subscribe import Subscriber

MIN_FOR_P99 = 662
"""Early-stopping floor of MLPerf Inference for a 99th percentile."""


class Stopwatch(JsonDisplay):
    """Notes when the packet behind each alert came, and when the alert did."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = SystemClock()
        self._arrived_ns: dict[tuple[str, str], int] = {}
        self.delays_ms: list[float] = []
        self.report: dict[str, Any] = {}

    def write(self, event: str, fields: dict[str, Any]) -> None:
        """Keep the report; print nothing."""
        if event == "end":
            self.report = fields

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Alerts raised by a packet start their watch at its arrival."""
        for alert in step.alerts:
            if step.arrived_ns:
                self._arrived_ns[alert.id, alert.phase] = step.arrived_ns

    def received(self, _: str, payload: bytes) -> None:
        """An alert reached the subscriber."""
        now_ns = self._clock.monotonic_ns()
        alert = msgspec.json.decode(payload, type=AlertMessage)
        arrived_ns = self._arrived_ns.pop((alert.id, alert.phase), None)
        if arrived_ns is not None:
            self.delays_ms.append((now_ns - arrived_ns) / 1e6)


def measure(patches: int, for_s: float) -> dict[str, Any]:
    """Run and measure."""
    watch = Stopwatch()
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(_patches(folder, patches))
        settings = MqttSettings(url=broker.url, protocol=broker.protocol)
        topic = settings.topics.base + "/+/alert"
        stack.enter_context(Subscriber(settings, topic, watch.received))
        run(_config(folder, patches, settings), RunOptions(for_s, json=True), display=watch)
    return _summary(watch, patches, for_s, broker.kind)


@contextmanager
def _patches(folder: Path, count: int) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.toggling_patches", str(folder), str(count)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise RuntimeError("the patches did not start")
        try:
            yield
        finally:
            process.terminate()


def _config(folder: Path, patches: int, settings: MqttSettings) -> Config:
    limits = AlarmLimits(lead_off_s=1.0, end_s=1.0, refractory_s=0.0)
    return Config(
        patient=tuple(
            Patient(id=f"p{k}", source=f"serial://{folder}/p{k}?device=native", limits=limits)
            for k in range(patches)
        ),
        mqtt=settings,
        storage=Storage(directory=str(folder / "state")),
    )


def _summary(watch: Stopwatch, patches: int, for_s: float, broker: str) -> dict[str, Any]:
    delays = np.array(watch.delays_ms)
    shown = {"p50": 50, "p90": 90, "p95": 95} | ({"p99": 99} if len(delays) >= MIN_FOR_P99 else {})
    return {
        "benchmark": "delay",
        "machine": machine(),
        "broker": broker,
        "patches": patches,
        "seconds": for_s,
        "n": len(delays),
        "delay_ms": {name: round(float(np.percentile(delays, q)), 2) for name, q in shown.items()}
        | {"max": round(float(delays.max()), 2)},
        "memory_peak_mb": watch.report["memory_peak_mb"],
    }


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=8)
    parser.add_argument("--for", dest="for_s", type=float, default=300.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.patches, options.for_s)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['machine']['cpu']}, {result['broker']}, {result['patches']} patches at once")
    print(f"n = {result['n']} alerts; last byte of the packet to the subscriber, ms:")
    print("  ".join(f"{name} {value}" for name, value in result["delay_ms"].items()))


if __name__ == "__main__":
    main()
