"""Many patients on one gateway: delay of alerts, CPU time and memory as streams are added.

A feeder process writes native frames (250 Hz, one lead, packets of 25 samples) to a TCP socket a
patient when they are due; patches begin at any time within a ramp. One `edge run` with the shipped
bundle watches them all and publishes to Mosquitto on the loopback interface. In some streams
electrodes come off and on; by a run of the same bytes through the pipeline beforehand it is known
which frame provokes which alert. The delay is from the moment before that frame is written until a
subscriber, a process apart as well, has the alert, which is later than the broker's PUBACK.

    python -m benchmarks.bench_gateway [--streams 1,100,500] [--for 40] [--speed 1] [--json]

The wait until every stream has its network is not measured. Streams differ in nothing but what
they begin with, so what one more costs is the difference between the rows.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_gateway_feeder import TOGGLING_SEED, WRITTEN
from benchmarks.bench_gateway_load import SETTLE_S, Load, configured
from benchmarks.bench_gateway_process import Reading, feeder, gateway, line, read
from benchmarks.bench_gateway_signal import Alarm, expected_alarms, frames
from benchmarks.machine import machine
from edge.bench.distribution import Distribution, distribution, significant
from edge.broker import EmbeddedBroker
from edge.health.message import HealthMessage
from edge.messages import AlertMessage
from edge.mqtt_settings import MqttSettings
from edge.subscribe import Subscriber
from firmware_bridge.stream import NS_PER_S

LATE_S = 10.0
"""An alert that has not come so long after the last frame counts as missing."""
POLL_S = 0.05

Awaited = tuple[str, Alarm]
"""A patient's alert message."""


@dataclass(slots=True)
class Heard:
    """What the subscriber got, each with the monotonic time of its arrival."""

    alerts: dict[Awaited, int] = field(default_factory=dict)
    health: list[tuple[int, HealthMessage]] = field(default_factory=list)

    def alert(self, _: str, payload: bytes) -> None:
        """An alert came."""
        now_ns = time.monotonic_ns()
        alert = msgspec.json.decode(payload, type=AlertMessage)
        named = (alert.kind, str(alert.phase), alert.device_time_ns)
        self.alerts.setdefault((alert.patient, named), now_ns)

    def healthy(self, _: str, payload: bytes) -> None:
        """The gateway tells how it fares."""
        now_ns = time.monotonic_ns()
        self.health.append((now_ns, msgspec.json.decode(payload, type=HealthMessage)))


def measure(load: Load, where: str | None = None) -> dict[str, Any]:
    """Run so many streams, and sum up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
        broker = stack.enter_context(EmbeddedBroker("mosquitto"))
        settings, heard = MqttSettings(url=broker.url), Heard()
        stack.enter_context(Subscriber(settings, "edge/+/alert", heard.alert))
        stack.enter_context(Subscriber(settings, "edge/health", heard.healthy))
        patches, port = stack.enter_context(feeder(folder, load))
        config = configured(folder, load, port, broker.url)
        sent = frames(load.frames, TOGGLING_SEED, toggling=True)
        expected = expected_alarms(sent, config)
        edge = stack.enter_context(gateway(folder))
        begin_s = int(line(patches, folder, edge)) / NS_PER_S + SETTLE_S
        _sleep_until(begin_s)
        before = read(edge.pid)
        _sleep_until(begin_s + load.for_s)
        after = read(edge.pid)
        sent_ns = _sent_ns(np.load(folder / WRITTEN), expected, load, (before, after))
        _wait_for(sent_ns, heard)
    came_ns = {each: heard.alerts[each] for each in sent_ns if each in heard.alerts}
    delays_ms = [(at_ns - sent_ns[each]) / 1e6 for each, at_ns in came_ns.items()]
    missing = len(sent_ns) - len(came_ns)
    return _row(load, (before, after), distribution(delays_ms), missing, heard)


def _sent_ns(
    written_ns: NDArray[np.int64],
    expected: dict[Alarm, int],
    load: Load,
    span: tuple[Reading, Reading],
) -> dict[Awaited, int]:
    """The alerts whose frames were written within the span, each with the time of that."""
    since_ns, until_ns = (round(each.at_s * NS_PER_S) for each in span)
    return {
        (f"p{k}", alarm): int(written_ns[k, frame])
        for k in range(load.alarmed)
        for alarm, frame in expected.items()
        if since_ns <= written_ns[k, frame] < until_ns
    }


def _wait_for(awaited: dict[Awaited, int], heard: Heard) -> None:
    """Until all of them have come, or it is too late."""
    until_s = time.monotonic() + LATE_S
    while awaited.keys() - heard.alerts.keys() and time.monotonic() < until_s:
        time.sleep(POLL_S)


def _row(
    load: Load, span: tuple[Reading, Reading], delay: Distribution, missing: int, heard: Heard
) -> dict[str, Any]:
    before, after = span
    seconds = after.at_s - before.at_s
    cpu_s = after.cpu_s - before.cpu_s
    told = [said for at_ns, said in heard.health if before.at_s < at_ns / NS_PER_S < after.at_s]
    each_s = cpu_s / (seconds * load.streams * load.speed)
    return {
        "streams": load.streams,
        "alerts": delay.n,
        "missing": missing,
        "p50_ms": delay.p50,
        "p90_ms": delay.p90,
        "p99_ms": delay.p99,
        "max_ms": delay.max,
        "cpu_percent": significant(100 * cpu_s / seconds, 3),
        "cpu_ms_a_stream_s": significant(1000 * each_s, 4),
        "streams_a_core": int(1 / each_s),
        "threads": after.threads,
        "memory_mb": round(after.memory_mb, 1),
        "engine_late_ms": max((each.engine.late_ms for each in told), default=None),
        "events_waiting": max((each.engine.queued for each in told), default=None),
        "encoders_resting": max((_resting(each) for each in told), default=None),
        "states_dropped": told[-1].sinks.dropped - told[0].sinks.dropped if told else None,
    }


def _resting(health: HealthMessage) -> int:
    """Encoders taken off because the engine is behind."""
    return sum(patient.encoder_shed for patient in health.patients)


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, and what they are beside the first."""
    first = rows[0]
    for row in rows:
        more = row["streams"] - first["streams"]
        row["cpu_ratio"] = significant(row["cpu_ms_a_stream_s"] / first["cpu_ms_a_stream_s"], 3)
        grown_mb = row["memory_mb"] - first["memory_mb"]
        row["mb_a_further_stream"] = significant(grown_mb / more, 3) if more else None
    return rows


def _sleep_until(at_s: float) -> None:
    time.sleep(max(0.0, at_s - time.monotonic()))


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description="many patients on one gateway")
    parser.add_argument("--streams", default="1,100,500", help="numbers, separated by commas")
    parser.add_argument("--for", dest="for_s", type=float, default=40.0, help="seconds of each")
    parser.add_argument("--speed", type=float, default=1.0, help="times faster than life")
    parser.add_argument("--folder", help="where the outbox lies; default a temporary folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = []
    for streams in map(int, options.streams.split(",")):
        rows.append(measure(Load(streams, options.for_s, options.speed), options.folder))
    report = {"task": "gateway", "seconds": options.for_s, **machine(), "rows": compared(rows)}
    if options.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return 0
    print(f"{report['cpu']}; {options.for_s:g} s of each, {options.speed:g} times life")
    for name in rows[0]:
        print(f"{name:20}" + "".join(f"{_shown(row[name]):>12}" for row in rows))
    return 0


def _shown(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    raise SystemExit(main())
