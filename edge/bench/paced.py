"""In real time: how late packets are, how long they take, and what the process costs meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bench.assembly import Assembly
from edge.bench.distribution import distribution, histogram, significant
from edge.bench.energy import Meter
from edge.bench.memory import slope_mb_per_h
from edge.bench.report import Energy, Memory, Paced, Second
from edge.bench.sampler import Reading, Sampler, seconds_between
from edge.bench.service import Broker, play
from edge.bench.steady import ARRIVED, DONE, LATE, TAKEN, all_times_ns, steady_from_ns
from edge.clock import Clock
from edge.report import memory_peak_mb
from firmware_bridge.stream import NS_PER_S

__all__ = ["run_paced"]

LATE_SHARE = 0.01
"""Of packets that may miss their deadline where a device still counts as keeping up."""

MANY_STREAMS = 10
READINGS = 10
SECONDS_SHOWN = 600
S_PER_H = 3600.0
NS_PER_MS = NS_PER_S / 1000


def run_paced(
    assembly: Assembly,
    streams: int,
    for_s: float,
    broker: Broker | None,
    clock: Clock,
    meter: Meter | None = None,
    idle_w: float | None = None,
) -> Paced:
    """Play so many streams for so long, and judge.

    idle_w: what the machine takes at rest, where a meter counts. Raises BrokerError, MonitorError.
    """
    with Sampler(clock, meter, max(0.1, min(1.0, for_s / READINGS))) as sampler:
        played = play(assembly, streams, for_s, broker, clock)
    readings, deadline_ns = sampler.readings, assembly.recording.interval_ns
    start_ns = steady_from_ns(played.handled, deadline_ns)
    every = all_times_ns(played.handled)
    calm = [each for each in readings[1:-1] if each.at_ns >= start_ns]
    cpu_share = _cpu_share(calm)
    unread = sum(each.read - each.done for each in played.handled)
    steady = _packets(every[:, every[ARRIVED] >= start_ns], start_ns, deadline_ns)
    return Paced(
        seconds=round(seconds_between(readings[0], readings[-1]), 3),
        warm_up_s=round(max(0, start_ns - readings[0].at_ns) / NS_PER_S, 3),
        streams=streams,
        cpu_percent=_scaled(cpu_share, 100.0),
        cpu_s_per_signal_hour=_scaled(cpu_share, S_PER_H / streams),
        kept_up=not unread and steady["deadline_misses"] <= LATE_SHARE * steady["packets"],
        memory=_memory(readings, streams),
        energy=_energy(meter, calm, idle_w, streams),
        timeline=_timeline(readings, every),
        **steady,
    )


def _packets(steady: NDArray[np.int64], start_ns: int, deadline_ns: int) -> dict[str, Any]:
    """What the packets after the warm-up say, by the names of the report's fields."""
    response_ns = steady[DONE] - steady[ARRIVED]
    span_ns = int(steady[DONE].max()) - start_ns if steady.size else 1
    busy_ns = int((steady[DONE] - steady[TAKEN]).sum())
    return {
        "packets": steady.shape[1],
        "lateness_ms": distribution(np.maximum(steady[LATE], 0) / NS_PER_MS),
        "wait_ms": distribution((steady[TAKEN] - steady[ARRIVED]) / NS_PER_MS),
        "response_ms": distribution(response_ns / NS_PER_MS),
        "response_histogram_ms": histogram(response_ns / NS_PER_MS),
        "deadline_ms": round(deadline_ns / NS_PER_MS, 3),
        "deadline_misses": int((response_ns > deadline_ns).sum()),
        "busy_percent": significant(100 * busy_ns / span_ns),
    }


def _scaled(share: float | None, factor: float) -> float | None:
    return None if share is None else significant(factor * share)


def _cpu_share(calm: Sequence[Reading]) -> float | None:
    """CPU seconds a second, between the first and the last reading after the warm-up."""
    if len(calm) < 2 or calm[-1].at_ns <= calm[0].at_ns:
        return None
    return (calm[-1].cpu_s - calm[0].cpu_s) / seconds_between(calm[0], calm[-1])


def _memory(readings: Sequence[Reading], streams: int) -> Memory:
    start, end = readings[0].memory_mb, readings[-1].memory_mb
    points = [
        (seconds_between(readings[0], each), each.memory_mb)
        for each in readings
        if each.memory_mb is not None
    ]
    grown = None if start is None or end is None else end - start
    return Memory(
        start_mb=None if start is None else round(start, 1),
        peak_mb=memory_peak_mb(),
        end_mb=None if end is None else round(end, 1),
        slope_mb_per_h=slope_mb_per_h(points[1:-1]),
        mb_per_stream=None
        if grown is None or streams < MANY_STREAMS
        else significant(grown / streams, 3),
    )


def _energy(
    meter: Meter | None, calm: Sequence[Reading], idle_w: float | None, streams: int
) -> Energy | None:
    counted = [(each.at_ns, each.joules) for each in calm if each.joules is not None]
    if meter is None or idle_w is None or len(counted) < 2 or counted[-1][0] <= counted[0][0]:
        return None
    (since_ns, before_j), (until_ns, after_j) = counted[0], counted[-1]
    mean_w = (after_j - before_j) / ((until_ns - since_ns) / NS_PER_S)
    return Energy(
        counter=meter.counter,
        mean_w=significant(mean_w),
        idle_w=significant(idle_w),
        joule_per_signal_hour=significant((mean_w - idle_w) * S_PER_H / streams),
    )


def _timeline(readings: Sequence[Reading], every: NDArray[np.int64]) -> list[Second]:
    """Between each reading and the next; thinned where the run was long."""
    seconds = []
    for before, after in pairwise(readings):
        span_s = seconds_between(before, after)
        if span_s <= 0:
            continue
        within = (every[DONE] > before.at_ns) & (every[DONE] <= after.at_ns)
        response_ns = (every[DONE] - every[ARRIVED])[within]
        seconds.append(
            Second(
                at_s=round(seconds_between(readings[0], after), 2),
                memory_mb=None if after.memory_mb is None else round(after.memory_mb, 1),
                cpu_percent=round(100 * (after.cpu_s - before.cpu_s) / span_s, 1),
                response_max_ms=significant(float(response_ns.max()) / NS_PER_MS)
                if response_ns.size
                else None,
            )
        )
    return seconds[:: 1 + len(seconds) // SECONDS_SHOWN]
