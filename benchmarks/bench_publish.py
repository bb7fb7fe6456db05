"""Time from `Outbox.put` to the broker's PUBACK, over loopback, with a real Mosquitto.

    python -m benchmarks.bench_publish [--alerts 700] [--rate 20] [--json]

Each alert is committed with fsync before it is sent, so the figure holds the disk's commit too.
A second figure drains a backlog: messages a second from the first to the last PUBACK.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import machine
from edge.alert import AlarmKind, AlarmType, Alert, Phase, Priority
from edge.broker import EmbeddedBroker
from edge.messages import MessageContext, Topics, alert_message
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.sink import outbound

CONTEXT = MessageContext("bench", "patch", "none", lambda stream_ns: stream_ns)


def raise_alert(outbox: Outbox, number: int) -> None:
    """Put one alert as the runtime does."""
    alert = Alert(
        f"alert-{number}",
        AlarmKind.PAUSE,
        AlarmType.PHYSIOLOGICAL,
        Priority.MEDIUM,
        Phase.START,
        number,
        number,
        {"pause_s": 3.25, "limit_s": 3.0},
    )
    message = alert_message(alert, outbox.next_seq("bench"), CONTEXT)
    outbox.put(outbound(message, Topics()))


def wait_until_empty(outbox: Outbox) -> None:
    """Until the outbox has nothing pending."""
    while outbox.counts.pending:
        time.sleep(0.001)


def measure(folder: Path, alerts: int, rate_hz: float, backlog: int) -> dict[str, object]:
    """Live alerts at a steady rate, then a backlog."""
    with EmbeddedBroker("mosquitto") as broker:
        outbox = Outbox(folder / "outbox.db")
        publisher = Publisher(MqttSettings(url=broker.url), outbox)
        publisher.start()
        first = publisher.first_connect(10.0)
        if not first.connected:
            raise SystemExit(first.reason)
        begun_s = time.perf_counter()
        commit_s = []
        for number in range(alerts):
            time.sleep(max(0.0, begun_s + number / rate_hz - time.perf_counter()))
            before_s = time.perf_counter()
            raise_alert(outbox, number)
            commit_s.append(time.perf_counter() - before_s)
        wait_until_empty(outbox)
        live = publisher.statistics.put_to_puback
        publisher.stop(5.0)
        for number in range(backlog):
            raise_alert(outbox, alerts + number)
        second = Publisher(MqttSettings(url=broker.url), outbox)
        begun_s = time.perf_counter()
        second.start()
        wait_until_empty(outbox)
        drained_s = time.perf_counter() - begun_s
        second.stop(5.0)
        counts = outbox.counts
        outbox.close()
    commit_s.sort()
    return {
        "task": "publish",
        "alerts": alerts,
        "rate_hz": rate_hz,
        "put_to_puback_ms": asdict(live),
        "put_ms_p50": 1000 * commit_s[len(commit_s) // 2],
        "backlog": backlog,
        "drain_per_s": backlog / drained_s,
        "lost": counts.raised - counts.delivered,
        "machine": machine(),
    }


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description="put-to-PUBACK latency over loopback")
    parser.add_argument("--alerts", type=int, default=700)
    parser.add_argument("--rate", type=float, default=20.0, help="alerts a second")
    parser.add_argument("--backlog", type=int, default=2000)
    parser.add_argument("--folder", help="where the outbox lies; default a temporary folder")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        report = measure(Path(folder), arguments.alerts, arguments.rate, arguments.backlog)
    if arguments.json:
        json.dump(report, sys.stdout)
        return
    for name, value in report.items():
        print(f"{name:18} {value}")


if __name__ == "__main__":
    main()
