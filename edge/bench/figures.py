"""The figures of a report that can be compared, each with the direction in which it is better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from edge.bench.distribution import Distribution
from edge.bench.report import Report

__all__ = ["Better", "Figure", "figures"]

Better = Literal["lower", "higher"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure; value: None where it was not measured, or there were too few values for it."""

    name: str
    unit: str
    value: float | None
    better: Better = "lower"


def figures(report: Report) -> dict[str, Figure]:
    """By name, in the order of the report."""
    return {figure.name: figure for figure in _all(report)}


def _all(report: Report) -> Iterator[Figure]:
    cold = report.cold_start
    yield _figure("cold start", "ms", cold.total_median_ms if cold else None)
    yield _figure("cold start: memory", "MB", cold.memory_mb if cold else None)
    yield from _unpaced(report)
    yield from _paced(report)
    yield from _alerts(report)
    yield from _delays(report)
    yield from _providers(report)


def _unpaced(report: Report) -> Iterator[Figure]:
    unpaced = report.unpaced
    yield _figure("unpaced: CPU an hour of signal", "s", unpaced.cpu_s_per_signal_hour)
    yield _figure("unpaced: real-time factor", "", unpaced.real_time_factor)
    yield _figure("unpaced: streams a core", "", unpaced.streams_a_core, "higher")
    yield from _percentiles("unpaced: packet", "us", unpaced.packet_us)
    for stage in unpaced.stages:
        yield _figure(f"stage {stage.name}: p50", "us", stage.time_us.p50)


def _paced(report: Report) -> Iterator[Figure]:
    paced = report.paced
    yield from _percentiles("paced: response", "ms", paced.response_ms)
    yield _figure("paced: lateness p95", "ms", paced.lateness_ms.p95)
    yield _figure("paced: kept up", "", float(paced.kept_up), "higher")
    yield _figure("paced: CPU an hour of signal", "s", paced.cpu_s_per_signal_hour)
    yield _figure("paced: memory at the end", "MB", paced.memory.end_mb)
    yield _figure("paced: memory peak", "MB", paced.memory.peak_mb)
    energy = paced.energy
    joules = energy.joule_per_signal_hour if energy else None
    yield _figure("paced: energy an hour of signal", "J", joules)


def _alerts(report: Report) -> Iterator[Figure]:
    alerts = report.alerts
    nothing = Distribution(n=0)
    end_to_end = alerts.end_to_end_ms if alerts else nothing
    yield from _percentiles("alert: last byte to PUBACK", "ms", end_to_end)
    yield _figure("alert: commit p50", "ms", alerts.commit_ms.p50 if alerts else None)
    yield _figure("alert: publish p50", "ms", alerts.publish_ms.p50 if alerts else None)


def _delays(report: Report) -> Iterator[Figure]:
    yield _figure("delay: beat p50", "ms", report.delays.beat_ms.p50)
    for alert in report.delays.alerts:
        yield _figure(f"delay: {alert.kind}", "s", alert.median_s)


def _providers(report: Report) -> Iterator[Figure]:
    for row in report.providers:
        asked, step = row.provider.asked, row.step_us
        yield _figure(f"provider {asked}: step p50", "us", step.p50 if step else None)
        yield _figure(f"provider {asked}: CPU an hour of signal", "s", row.cpu_s_per_signal_hour)


def _percentiles(name: str, unit: str, values: Distribution) -> Iterator[Figure]:
    for percentile in ("p50", "p95", "p99"):
        yield _figure(f"{name} {percentile}", unit, getattr(values, percentile))


def _figure(name: str, unit: str, value: float | None, better: Better = "lower") -> Figure:
    return Figure(name=name, unit=unit, value=value, better=better)
