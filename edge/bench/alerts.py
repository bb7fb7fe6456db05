"""In real time with many alerts: from the last byte received to the broker's PUBACK, by part."""

from __future__ import annotations

from collections.abc import Iterable

from edge.bench.alert_watch import AlertTimes
from edge.bench.assembly import Assembly
from edge.bench.distribution import Distribution, distribution, histogram
from edge.bench.environment import filesystem
from edge.bench.report import Alerts
from edge.bench.service import Broker, play
from edge.bench.steady import steady_from_ns
from edge.clock import Clock
from firmware_bridge.stream import NS_PER_S

__all__ = ["run_alerts"]

NS_PER_MS = NS_PER_S / 1000


def run_alerts(
    assembly: Assembly, streams: int, for_s: float, broker: Broker, clock: Clock
) -> Alerts:
    """Play so many streams for so long; alerts of the warm-up are counted, but not timed.

    Raises BrokerError, MonitorError.
    """
    began_ns = clock.monotonic_ns()
    played = play(assembly, streams, for_s, broker, clock, probing=True)
    seconds = (clock.monotonic_ns() - began_ns) / NS_PER_S
    finished = played.outbox.finished if played.outbox else []
    start_ns = steady_from_ns(played.handled, assembly.recording.interval_ns)
    timed = [each for each in finished if each.arrived_ns >= start_ns]
    end_to_end_ms = [(each.acknowledged_ns - each.arrived_ns) / NS_PER_MS for each in timed]
    return Alerts(
        broker=broker.name,
        filesystem=filesystem(broker.storage),
        seconds=round(seconds, 3),
        raised=played.watch.raised,
        undelivered=played.watch.raised - len(finished),
        decide_ms=_between(timed, "arrived_ns", "decided_ns"),
        announce_ms=_between(timed, "decided_ns", "offered_ns"),
        commit_ms=_between(timed, "offered_ns", "committed_ns"),
        publish_ms=_between(timed, "committed_ns", "acknowledged_ns"),
        end_to_end_ms=distribution(end_to_end_ms),
        end_to_end_histogram_ms=histogram(end_to_end_ms),
    )


def _between(alerts: Iterable[AlertTimes], start: str, stop: str) -> Distribution:
    return distribution(
        [(getattr(each, stop) - getattr(each, start)) / NS_PER_MS for each in alerts]
    )
