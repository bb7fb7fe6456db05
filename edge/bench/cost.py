"""What a second of signal costs: the recording as fast as possible through fresh monitors."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field

from edge.bench.assembly import Assembly
from edge.bench.distribution import significant
from edge.bench.laps import NS_PER_US
from edge.clock import Clock
from edge.config import Patient
from edge.monitor import Monitor
from firmware_bridge.stream import NS_PER_S

__all__ = ["WARM_UP_PACKETS", "Cost", "cpu_s", "measure_cost"]

WARM_UP_PACKETS = 20
"""Left out at the start of each play: then the networks are loaded, and buffers grow."""

S_PER_H = 3600.0


@dataclass(slots=True)
class Cost:
    """What playing took: signal, wall clock and CPU time in seconds, packets in microseconds."""

    signal_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    packet_us: list[float] = field(default_factory=list)

    @property
    def real_time_factor(self) -> float:
        """Wall-clock seconds a second of signal."""
        return significant(self.wall_s / self.signal_s)

    @property
    def cpu_s_per_signal_hour(self) -> float:
        """CPU seconds an hour of signal."""
        return significant(self.cpu_s / self.signal_s * S_PER_H)

    @property
    def streams_a_core(self) -> int:
        """How many streams keep one core fully busy; 0 where no CPU time could be told."""
        return int(self.signal_s / self.cpu_s) if self.cpu_s > 0 else 0


def cpu_s() -> float:
    """CPU time of this process, all threads, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure_cost(assembly: Assembly, for_s: float, clock: Clock) -> Cost:
    """Play the recording for `for_s` seconds, and at least once to its end.

    Raises MonitorError where the pipeline breaks.
    """
    total = Cost()
    until_ns = clock.monotonic_ns() + round(for_s * NS_PER_S)
    _play(assembly, total, clock, None)
    while clock.monotonic_ns() < until_ns:
        _play(assembly, total, clock, until_ns)
    return total


def _play(assembly: Assembly, total: Cost, clock: Clock, until_ns: int | None) -> None:
    monitor = _monitor(assembly, clock)
    now_ns, handle, took_us = clock.monotonic_ns, monitor.handle, total.packet_us
    packets = list(assembly.recording.packets())
    warm = min(WARM_UP_PACKETS, len(packets) // 2)
    for packet in packets[:warm]:
        handle(packet)
    stream_ns, used_s, began_ns = monitor.now_ns, cpu_s(), now_ns()
    before_ns = began_ns
    for packet in packets[warm:]:
        handle(packet)
        after_ns = now_ns()
        took_us.append((after_ns - before_ns) / NS_PER_US)
        before_ns = after_ns
        if until_ns is not None and after_ns >= until_ns:
            break
    total.wall_s += (before_ns - began_ns) / NS_PER_S
    total.cpu_s += cpu_s() - used_s
    total.signal_s += (monitor.now_ns - stream_ns) / NS_PER_S
    if monitor.error:
        raise monitor.error


def _monitor(assembly: Assembly, clock: Clock) -> Monitor:
    """A monitor to whom nobody listens."""
    recording = assembly.recording
    return Monitor(
        Patient(id="bench", source=recording.uri),
        "bench",
        assembly.pipeline(recording.source().decoder),
        clock,
        lambda _monitor, _step: None,
        lambda _monitor, _report: None,
    )
