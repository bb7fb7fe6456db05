"""What a reader should know before believing a figure of a report."""

from __future__ import annotations

from collections.abc import Iterator

from edge.bench.distribution import NEEDED
from edge.bench.report import Environment, Report

__all__ = ["remarks"]

BUSY = 0.5
"""Load a core before the measurement above which other programs disturb it."""

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
COMPILED_MS = 3000.0
"""A part of the start that once took so long, and twice the median: then kernels were compiled."""

SLOW_GOVERNORS = frozenset({"powersave", "ondemand", "conservative", "schedutil"})


def remarks(report: Report) -> list[str]:
    """One sentence each."""
    return [
        *_of_machine(report.environment),
        *_of_model(report),
        *_of_start(report),
        *_of_runs(report),
    ]


def _of_machine(machine: Environment) -> Iterator[str]:
    load = machine.load_1min
    if load is not None and load > BUSY * machine.cores_usable:
        yield (
            f"other programs kept {load:g} cores busy before the measurement, of "
            f"{machine.cores_usable}: times are longer than this machine needs; run it when idle"
        )
    if machine.governor in SLOW_GOVERNORS:
        yield f"governor {machine.governor}: the clock varies with the load, and latency with it"
    reasons = machine.after.throttled
    if reasons:
        yield f"the clock is or was held down: {', '.join(reasons)}"


def _of_model(report: Report) -> Iterator[str]:
    if report.model is None:
        yield "no encoder: rules alone were measured"
    elif report.model.provider.fallback:
        asked, fallback = report.model.provider.asked, report.model.provider.fallback
        yield f"provider {asked} did not run everything: {fallback}"


def _of_start(report: Report) -> Iterator[str]:
    for part in report.cold_start.parts if report.cold_start else ():
        if part.first_ms > max(COMPILED_MS, 2 * part.median_ms):
            yield (
                f"cold start: {part.name} took {part.first_ms:g} ms the first time, as kernels "
                "were compiled; `edge warmup` does that beforehand"
            )


def _of_runs(report: Report) -> Iterator[str]:
    paced, alerts = report.paced, report.alerts
    if not paced.kept_up:
        yield (
            f"the device did not keep up with {paced.streams} stream(s): "
            f"{paced.deadline_misses} of {paced.packets} packets missed their deadline"
        )
    if alerts is None:
        yield (
            "no MQTT broker on this machine: nothing was published; install one "
            "(`apt install mosquitto`), or name one with --mqtt"
        )
        return
    if alerts.filesystem in IN_MEMORY:
        yield f"the outbox lay in memory ({alerts.filesystem}): a commit on disk takes longer"
    if alerts.undelivered:
        yield f"{alerts.undelivered} alert(s) had no PUBACK when time was up"
    if alerts.end_to_end_ms.n < NEEDED["p99"]:
        yield (
            f"{alerts.end_to_end_ms.n} alerts: p99 takes {NEEDED['p99']} and is left out; "
            "measure for longer (--for) or with more streams (--streams)"
        )
