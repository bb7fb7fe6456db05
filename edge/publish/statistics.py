"""What the publisher counted and how fast it was."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from firmware_bridge.stream import NS_PER_S

NS_PER_MS = NS_PER_S // 1000
KEPT_SAMPLES = 4096
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
    was sent again or is in flight. dropped: state messages that no broker was there for.
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
    latency_ns: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT_SAMPLES))

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
        )


def _latency(ordered_ns: list[int]) -> LatencyMs:
    n = len(ordered_ns)
    if n == 0:
        return LatencyMs(0, None, None, None)

    def quantile(q: float) -> float:
        return ordered_ns[min(n - 1, int(q * n))] / NS_PER_MS

    p99 = quantile(0.99) if n >= MIN_SAMPLES_FOR_P99 else None
    return LatencyMs(n, quantile(0.5), p99, ordered_ns[-1] / NS_PER_MS)
