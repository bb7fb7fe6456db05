"""`edge bench` as a function: all measurements, one after another, and the report of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import msgspec

from edge.assemble import NO_BUNDLE
from edge.bench.alerts import run_alerts
from edge.bench.assembly import Assembly
from edge.bench.cold_start import cold_start
from edge.bench.cost import Cost, measure_cost
from edge.bench.distribution import distribution
from edge.bench.energy import Meter, find_meter
from edge.bench.environment import condition, environment, load_1min
from edge.bench.laps import timer_us
from edge.bench.model_facts import model_facts
from edge.bench.paced import run_paced
from edge.bench.providers import provider_rows
from edge.bench.recording import at_once, record
from edge.bench.remarks import remarks
from edge.bench.report import Paced, Report, Unpaced
from edge.bench.service import Broker, find_broker
from edge.bench.stages import StageRun
from edge.clock import Clock, SystemClock, rfc3339
from edge.commit import commit
from edge.config import Config, Tree, load
from edge.errors import UsageError
from models.bundle import load_bundle

__all__ = ["ALL", "Options", "bench"]

ALL = "all"
DEFAULT_SOURCE = "sim:?scenario=tour&leads=1&fs=250&seed=1"
IDLE_S = 1.0
LEAST_SIGNAL_S, MOST_SIGNAL_S = 10.0, 120.0


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure. for_s: about how long it all takes, of which cold starts come on top.

    provider: a device as in the configuration, or `all` for `auto` and then every one that is
    here side by side. mqtt: a broker of one's own, None for one that is started here.
    cold_rounds: fresh processes; None for as many as fit.
    """

    bundle: str = "tcn-s"
    for_s: float = 30.0
    streams: int = 1
    source: str = DEFAULT_SOURCE
    mqtt: str | None = None
    provider: str = "auto"
    cold_rounds: int | None = None
    command: str = "edge bench"

    @property
    def device(self) -> str:
        """The device of the main measurement."""
        return "auto" if self.provider == ALL else self.provider

    @property
    def rounds(self) -> int:
        """Cold starts: one each 10 s of `for_s`, 1 to 5."""
        fitting = max(1, min(5, int(self.for_s / 10)))
        return fitting if self.cold_rounds is None else self.cold_rounds


COST, STAGES, PACED, ALERTS, PROVIDERS = 0.08, 0.12, 0.3, 0.48, 0.3
"""Shares of `for_s`; the last only with `--provider all`, on top."""


def bench(
    options: Options,
    clock: Clock | None = None,
    on_part: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure everything. on_part: told what begins.

    Raises UsageError, ConfigError, SourceError, ModelError, BrokerError, StorageError.
    """
    clock = clock or SystemClock()
    _check(options)
    config = _config(options)
    before, busy = condition(), load_1min()
    on_part("recording the signal")
    recording = record(options.source, _signal_s(options), clock)
    model = model_facts(options.bundle, options.device, len(recording.form.leads))
    assembly = Assembly.of(recording, options.bundle, options.device)
    named = config.mqtt if options.mqtt else None
    with find_broker(named, config.storage.path(), clock) as broker:
        measured = _measured(assembly, options, broker, clock, on_part)
    report = Report(
        schema=1,
        task="bench",
        time=rfc3339(clock.utc_ns()),
        version=version("edge"),
        commit=commit(),
        command=options.command,
        environment=environment(before, busy),
        signal=recording.facts,
        model=model,
        notes=[],
        **measured,
    )
    return msgspec.structs.replace(report, notes=remarks(report))


def _check(options: Options) -> None:
    """What would be found out only after the signal is recorded."""
    if options.bundle != NO_BUNDLE:
        load_bundle(options.bundle)
    elif options.provider == ALL:
        raise UsageError("--provider all: compares runtimes of a bundle; name one with --bundle")


def _config(options: Options) -> Config:
    """Where the outbox lies and how the broker wants to be spoken to, as `edge run` has it."""
    flags: Tree = {"mqtt": {"url": options.mqtt}} if options.mqtt else {}
    return load(None, flags)


def _measured(
    assembly: Assembly,
    options: Options,
    broker: Broker | None,
    clock: Clock,
    on_part: Callable[[str], None],
) -> dict[str, Any]:
    """The parts of the report that are measured, by the names of its fields."""
    on_part("as fast as possible")
    cost = measure_cost(assembly, COST * options.for_s, clock)
    timed = StageRun(assembly, clock)
    timed.run(STAGES * options.for_s)
    on_part("in real time")
    paced = _paced(assembly, options, broker, clock)
    alerts = None
    if broker is not None:
        on_part("in real time, with alerts")
        alerts = run_alerts(assembly, options.streams, ALERTS * options.for_s, broker, clock)
    rows = []
    if options.provider == ALL:
        on_part("providers side by side")
        budget_s = PROVIDERS * options.for_s
        rows = provider_rows(assembly.recording, options.bundle, budget_s, clock)
    on_part("cold start")
    cold = cold_start(options.bundle, options.device, options.rounds, clock)
    return {
        "unpaced": _unpaced(cost, timed, clock),
        "delays": timed.delays,
        "paced": paced,
        "alerts": alerts,
        "providers": rows,
        "cold_start": cold,
    }


def _signal_s(options: Options) -> float:
    """As much as the paced runs play; more where the signal costs no time."""
    free_s = min(MOST_SIGNAL_S, max(LEAST_SIGNAL_S, 4 * options.for_s))
    played_s = max(PACED, ALERTS) * options.for_s + 1.0
    return max(played_s, free_s) if at_once(options.source) else played_s


def _unpaced(cost: Cost, timed: StageRun, clock: Clock) -> Unpaced:
    return Unpaced(
        signal_s=round(cost.signal_s, 2),
        wall_s=round(cost.wall_s, 4),
        real_time_factor=cost.real_time_factor,
        cpu_s_per_signal_hour=cost.cpu_s_per_signal_hour,
        streams_a_core=cost.streams_a_core,
        packet_us=distribution(cost.packet_us),
        stages=timed.stages,
        timer_us=timer_us(clock),
    )


def _paced(assembly: Assembly, options: Options, broker: Broker | None, clock: Clock) -> Paced:
    meter = find_meter(clock)
    idle_w = None if meter is None else _idle_w(meter)
    for_s = PACED * options.for_s
    return run_paced(assembly, options.streams, for_s, broker, clock, meter, idle_w)


def _idle_w(meter: Meter) -> float:
    """What the counter sees while this process rests."""
    before_j = meter.joules()
    threading.Event().wait(IDLE_S)
    return (meter.joules() - before_j) / IDLE_S
