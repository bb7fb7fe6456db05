"""Time from raising an alert to the broker's PUBACK while somebody floods us with commands.

    python -m benchmarks.bench_flood [--alerts 1000] [--rate 50] [--flood 1000] [--json]

One outbox, one publisher and one desk that hears signed commands, over loopback and a real
Mosquitto. The floods, of a process of their own, and the quiet between them take turns within one
run, so that whatever else the machine does meets them alike. `forged`: a command whose signature
does not hold. `too large`: above what a command may be, below what a broker passes on to us.
`oversize`: above that; a broker that speaks MQTT 5 keeps it to itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.bench_publish import raise_alert, wait_until_empty
from benchmarks.machine import machine
from edge.actions import Action, Outcome
from edge.broker import EmbeddedBroker
from edge.clock import SystemClock
from edge.commands.desk import Desk
from edge.commands.keys import CommandKey
from edge.commands.policy import Policy
from edge.commands.settings import USUAL_VERBS
from edge.messages import Topics
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox
from edge.outbox.messages import Key
from edge.publish import Publisher

PATIENT = "bench"
KEY = CommandKey("ward", bytes(range(32)), frozenset(USUAL_VERBS))
COMMAND = '{"verb":"acknowledge","id":"a1","patient":"bench","counter":1}'
TOO_LARGE_BYTES, OVERSIZE_BYTES = 6000, 20_000
"""Around `edge.commands.wire.MAX_COMMAND_BYTES` and `edge.publish.inbox.MAX_PACKET_BYTES`."""
QUIET = "quiet"
FLOODS = {
    "forged": json.dumps({"command": COMMAND, "key": "ward", "signature": "0" * 64}).encode(),
    "too large": b" " * TOO_LARGE_BYTES,
    "oversize": b" " * OVERSIZE_BYTES,
}
ROUNDS = 10
WARM_S = 0.3
"""After a flood has begun, and before it is measured under it."""
IN_FLIGHT = 1000


class TimedOutbox(Outbox):
    """Knows when the broker took what."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.acked_ns: dict[Key, int] = {}

    def delivered(self, keys: Iterable[Key]) -> bool:
        """The PUBACKs have just come."""
        now_ns, known = time.perf_counter_ns(), list(keys)
        self.acked_ns.update(dict.fromkeys(known, now_ns))
        return super().delivered(known)


@dataclass
class Turns:
    """What was measured of one kind of flood, a list of delays a turn."""

    delays_ms: list[list[float]] = field(default_factory=list)
    received: int = 0
    seconds: float = 0.0


@contextmanager
def flood(port: int, kind: str, rate_hz: float) -> Iterator[None]:
    """Somebody else floods us, until the end of the block."""
    if kind == QUIET:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.bench_flood", "--be-flood", kind]
    command += ["--port", str(port), "--flood", str(rate_hz)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            time.sleep(WARM_S)
            yield
        finally:
            process.terminate()


def be_flood(kind: str, port: int, rate_hz: float) -> NoReturn:
    """Publish commands at QoS 1, so many a second, until somebody ends the process."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.max_inflight_messages_set(IN_FLIGHT)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    connected.wait()
    print("flooding", flush=True)
    topic, payload = Topics().command(PATIENT), FLOODS[kind]
    begun_s, sent = time.perf_counter(), 0
    while True:
        client.publish(topic, payload, qos=1)
        sent += 1
        ahead_s = begun_s + sent / rate_hz - time.perf_counter()
        if ahead_s > 0:
            time.sleep(ahead_s)


def measure(folder: Path, alerts: int, rate_hz: float, flood_hz: float) -> dict[str, Any]:
    """All kinds in turns."""
    turns = {kind: Turns() for kind in (QUIET, *FLOODS)}
    pauses_s = np.random.default_rng(1).exponential(1 / rate_hz, alerts)
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker("mosquitto"))
        outbox = TimedOutbox(folder / "outbox.db")
        stack.callback(outbox.close)
        settings = MqttSettings(url=broker.url)
        publisher = Publisher(settings, outbox)
        desk = _desk(outbox, publisher)
        publisher.start()
        stack.callback(publisher.stop, 5.0)
        stack.callback(desk.close, 5.0)
        if not (first := publisher.first_connect(10.0)).connected:
            raise SystemExit(first.reason)
        for turn in np.array_split(pauses_s, ROUNDS):
            for kind, found in turns.items():
                with flood(settings.endpoint.port, kind, flood_hz):
                    _take_turn(outbox, publisher, turn, found)
        refused = sum(desk.counts.refused.values())
    rows = _rows(turns)
    return {
        "task": "flood",
        "alerts_a_second": rate_hz,
        "flood_a_second": flood_hz,
        "rows": rows,
        "commands_refused": refused,
        "commands_done": desk.counts.done,
        "machine": machine(),
    }


def _desk(outbox: Outbox, publisher: Publisher) -> Desk:
    def ask(_: Action) -> Future[Outcome]:
        raise AssertionError("a forged command was accepted")

    policy = Policy([KEY], (), outbox.newest_number)
    desk = Desk(policy, ask, outbox, publisher, Topics(), SystemClock(), lambda: None)
    desk.listen(PATIENT, signed=True, button=False)
    desk.start()
    return desk


def _take_turn(
    outbox: TimedOutbox, publisher: Publisher, pauses_s: np.ndarray, found: Turns
) -> None:
    begun_s, received = time.perf_counter(), publisher.statistics.received
    raised_ns: list[int] = []
    outbox.acked_ns.clear()
    for number, pause_s in enumerate(pauses_s):
        time.sleep(pause_s)
        raised_ns.append(time.perf_counter_ns())
        raise_alert(outbox, number)
    wait_until_empty(outbox)
    # All of one priority, and so taken in the order in which they were raised.
    acked_ns = list(outbox.acked_ns.values())
    found.delays_ms.append(
        [(acked - raised) / 1e6 for raised, acked in zip(raised_ns, acked_ns, strict=True)]
    )
    found.seconds += time.perf_counter() - begun_s
    found.received += publisher.statistics.received - received


def _rows(turns: dict[str, Turns]) -> list[dict[str, Any]]:
    """The middle of what each turn's 99th percentile is above that of the quiet turn before it
    says what a flood adds; that over all turns is at the mercy of what else the machine does.
    """
    quiet_ms = np.array([np.percentile(turn, 99) for turn in turns[QUIET].delays_ms])
    rows = []
    for kind, found in turns.items():
        turns_ms = np.array([np.percentile(turn, 99) for turn in found.delays_ms])
        delays_ms = np.concatenate(found.delays_ms)
        rows.append(
            {
                "flood": kind,
                "alerts": len(delays_ms),
                "received_a_second": round(found.received / found.seconds),
                "p50_ms": round(float(np.percentile(delays_ms, 50)), 2),
                "p99_ms": round(float(np.percentile(delays_ms, 99)), 2),
                "p99_added_ms": round(float(np.median(turns_ms - quiet_ms)), 2),
            }
        )
    return rows


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=1000, help="under each flood")
    parser.add_argument("--rate", type=float, default=50.0, help="alerts a second")
    parser.add_argument("--flood", type=float, default=1000.0, help="commands a second")
    parser.add_argument("--folder", help="where the outbox lies; default a temporary folder")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--be-flood", choices=FLOODS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be_flood:
        be_flood(options.be_flood, options.port, options.flood)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        report = measure(Path(folder), options.alerts, options.rate, options.flood)
    if options.json:
        json.dump(report, sys.stdout)
        return
    print(f"{'flood':<10}{'alerts':>8}{'heard/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'p99 added':>11}")
    for row in report["rows"]:
        print(
            f"{row['flood']:<10}{row['alerts']:>8}{row['received_a_second']:>9}"
            f"{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}{row['p99_added_ms']:>11.2f}"
        )
    print(f"commands refused: {report['commands_refused']}, done: {report['commands_done']}")
    print(report["machine"])


if __name__ == "__main__":
    main()
