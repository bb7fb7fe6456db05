"""What the publisher counted and how fast it was."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from edge.histogram import Histogram
from edge.publish.inbox import Inbox
from firmware_bridge.stream import NS_PER_S

NS_PER_MS = NS_PER_S // 1000
KEPT_SAMPLES = 4096
LATENCY_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MIN_SAMPLES_FOR_P99 = 662
"""Below this a 99th percentile is not reported (early-stopping floor of MLPerf Inference)."""


@dataclass(frozen=True, slots=True)
class LatencyMs:
    """Time from `put` to PUBACK in milliseconds, of the newest messages raised while connected.

    p99: None below 662 samples.
    """

    n: int
    p50: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class PublishStatistics:
    """The publisher so far. sent counts every transmission, so sent - acked - refused is what
    was sent again or is in flight. dropped: state messages that no broker was there for, and
    answers beyond those that may wait. received: messages to us; received_too_large: of them
    those over the limit, received_failures: calls of a listener that failed.
    """

    connected: bool
    connects: int
    failed_connects: int
    lost_connections: int
    sent: int
    acked: int
    refused: int
    dropped: int
    in_flight: int
    last_error: str
    put_to_puback: LatencyMs
    received: int = 0
    received_too_large: int = 0
    received_failures: int = 0


@dataclass(slots=True)
class Tally:
    """The running counts; only the publisher's thread writes them."""

    connected: bool = False
    connects: int = 0
    failed_connects: int = 0
    lost_connections: int = 0
    sent: int = 0
    acked: int = 0
    refused: int = 0
    dropped: int = 0
    last_error: str = ""
    inbox: Inbox = field(default_factory=Inbox)
    latency_ns: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT_SAMPLES))
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))

    def note_latency(self, latency_ns: int) -> None:
        """One message was acknowledged so long after its `put`."""
        self.latency_ns.append(latency_ns)
        self.latency.add(latency_ns / NS_PER_S)

    def snapshot(self, in_flight: int) -> PublishStatistics:
        """The counts as they stand."""
        return PublishStatistics(
            self.connected,
            self.connects,
            self.failed_connects,
            self.lost_connections,
            self.sent,
            self.acked,
            self.refused,
            self.dropped,
            in_flight,
            self.last_error,
            _latency(sorted(self.latency_ns.copy())),
            self.inbox.received,
            self.inbox.too_large,
            self.inbox.failures,
        )


def _latency(ordered_ns: list[int]) -> LatencyMs:
    n = len(ordered_ns)
    if n == 0:
        return LatencyMs(0, None, None, None)

    def quantile(q: float) -> float:
        return ordered_ns[min(n - 1, int(q * n))] / NS_PER_MS

    p99 = quantile(0.99) if n >= MIN_SAMPLES_FOR_P99 else None
    return LatencyMs(n, quantile(0.5), p99, ordered_ns[-1] / NS_PER_MS)
