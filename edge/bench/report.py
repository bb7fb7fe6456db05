"""What `edge bench` reports: one struct, one JSON Schema (`edge/schemas/bench.json`).

Units are in the names: `_us`, `_ms`, `_s`, `_mb` (10^6 bytes), `_w` (watts), `_j` (joules).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.bench.distribution import Count, Distribution, Histogram
from edge.messages import UtcTime

__all__ = [
    "SCHEMA",
    "Alerts",
    "ColdStart",
    "Condition",
    "DecisionDelay",
    "Delays",
    "Energy",
    "Environment",
    "Memory",
    "Model",
    "Paced",
    "Part",
    "ProviderRow",
    "ProviderUse",
    "Report",
    "Second",
    "Signal",
    "Stage",
    "Unpaced",
]

SCHEMA = 1
"""Version of the report; reports of another version are not compared."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How the board is at one moment; null where it does not tell.

    throttled: reasons why the clock is or was held down since boot; empty where there are none.
    """

    temperature_c: float | None = None
    clock_mhz: float | None = None
    throttled: list[str] | None = None


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What it ran on. load_1min: runnable processes, averaged, before the measurement began."""

    board: str
    cpu: str
    architecture: str
    cores: int
    cores_usable: int
    governor: str | None
    clock_max_mhz: float | None
    kernel: str
    python: str
    libraries: dict[str, str]
    load_1min: float | None
    before: Condition
    after: Condition


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """What was played. seconds: of signal recorded; it is played as often as a run needs it.

    packet_interval_ms: median time between packets, the deadline of the paced run.
    """

    uri: str
    description: str
    rate_hz: float
    leads: int
    packets: int
    packet_interval_ms: float
    seconds: float


class ProviderUse(msgspec.Struct, frozen=True, kw_only=True):
    """Which execution provider was asked for, and what became of it.

    nodes: provider to number of nodes that it ran, null where the runtime does not tell.
    fallback: what ran elsewhere than asked, in words; empty where nothing did.
    measured_us: device to the time of a hop, as `edge warmup` had it, by which `auto` chose.
    """

    asked: str
    used: list[str]
    nodes: dict[str, int] | None
    fallback: str
    measured_us: dict[str, float] = {}


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle. sha256: of its manifest, and so of everything in it."""

    name: str
    version: str
    sha256: str
    parameters: int
    hop_ms: float
    provider: ProviderUse


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the start. median_ms: over the rounds. first_ms: in the first round."""

    name: str
    median_ms: float
    first_ms: float


class ColdStart(msgspec.Struct, frozen=True, kw_only=True):
    """Fresh processes, one after another, from their spawning to the encoder's first result.

    memory_mb: resident memory then, median; null where the system does not tell.
    """

    rounds: int
    parts: list[Part]
    total_median_ms: float
    total_first_ms: float
    memory_mb: float | None


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Time of one stage, a call. per: what one call handles. share_percent: of all stages' time."""

    name: str
    per: str
    share_percent: float
    time_us: Distribution


class Unpaced(msgspec.Struct, frozen=True, kw_only=True):
    """As fast as possible, in one thread, from bytes to alerts, without outbox and broker.

    real_time_factor: seconds of computing a second of signal and stream, by the clock.
    cpu_s_per_signal_hour: CPU seconds an hour of one stream.
    streams_a_core: whole streams that one core can follow at most, computed from CPU time.
    stages: from a second run, in which each call is timed; timer_us is what the timing of a call
    adds to it, by itself. packet_us: the whole way of a packet, untimed inside.
    """

    signal_s: float
    wall_s: float
    real_time_factor: float
    cpu_s_per_signal_hour: float
    streams_a_core: int
    packet_us: Distribution
    stages: list[Stage]
    timer_us: float


class DecisionDelay(msgspec.Struct, frozen=True, kw_only=True):
    """From the onset of a condition to the end of the packet that raises the alert, in stream
    time: the alarm's own definition is in it, computing and the radio are not."""

    kind: str
    n: Count
    median_s: float
    max_s: float


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """Algorithmic delay, sample time to result: the same on every machine.

    beat_ms: from an R peak to the end of the packet that makes the beat known, in stream time.
    """

    beat_ms: Distribution
    alerts: list[DecisionDelay]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Resident memory of the process, the benchmark's own included.

    slope_mb_per_h: Theil-Sen over the paced run, null where that is shorter than 60 s.
    mb_per_stream: growth over the paced run by the number of streams, null below 10.
    """

    start_mb: float | None
    peak_mb: float
    end_mb: float | None
    slope_mb_per_h: float | None
    mb_per_stream: float | None


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """Of what the counter sees, other programs included.

    counter: `rapl` (processor packages) or `pmic` (rails of a Raspberry Pi 5, added up).
    idle_w: over a second before the run. joule_per_signal_hour: of one stream, above idle.
    """

    counter: Literal["rapl", "pmic"]
    mean_w: float
    idle_w: float
    joule_per_signal_hour: float


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """One second of the paced run."""

    at_s: float
    memory_mb: float | None
    cpu_percent: float
    response_max_ms: float | None


class Paced(msgspec.Struct, frozen=True, kw_only=True):
    """In real time, through links, queue, engine, outbox and publisher, as `edge run` does.

    seconds: of the whole run, its start and end included.
    warm_up_s: left out at the start, until all streams have their networks and no packet waits for
    that any more.
    lateness_ms: from the moment at which a packet is due to the moment at which it was read;
    its spread is the jitter. wait_ms: from there to the engine's taking it up. response_ms: from
    its last byte to the end of its processing in the engine.
    deadline_misses: packets whose response took longer than the interval of packets.
    busy_percent: of one core, the engine's processing by the clock. cpu_percent: of one core, the
    CPU time of the whole process; cpu_s_per_signal_hour is made of it.
    kept_up: all packets handled, and at most one in a hundred too late.
    """

    seconds: float
    warm_up_s: float
    streams: int
    packets: Count
    lateness_ms: Distribution
    wait_ms: Distribution
    response_ms: Distribution
    response_histogram_ms: Histogram
    deadline_ms: float
    deadline_misses: Count
    busy_percent: float
    cpu_percent: float | None
    cpu_s_per_signal_hour: float | None
    kept_up: bool
    memory: Memory
    energy: Energy | None
    timeline: list[Second]


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """In real time, with an alert of the benchmark's own at each packet, 20 a second at most.

    end_to_end_ms: last byte received to PUBACK. It is the sum of decide_ms (last byte to the
    decision), announce_ms (to the outbox), commit_ms (on disk) and publish_ms (to PUBACK).
    filesystem: of the outbox, null where the system does not tell.
    undelivered: alerts without PUBACK when time was up.
    """

    broker: str
    filesystem: str | None
    seconds: float
    raised: Count
    undelivered: Count
    decide_ms: Distribution
    announce_ms: Distribution
    commit_ms: Distribution
    publish_ms: Distribution
    end_to_end_ms: Distribution
    end_to_end_histogram_ms: Histogram


class ProviderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime or execution provider beside the others. error: why it could not be measured;
    the figures are then null. open_ms: loading and self-test."""

    provider: ProviderUse
    error: str = ""
    open_ms: float | None = None
    step_us: Distribution | None = None
    cpu_s_per_signal_hour: float | None = None
    streams_a_core: int | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole. notes: what a reader should know before believing a figure."""

    schema: Literal[1]
    task: Literal["bench"]
    time: UtcTime
    version: str
    commit: str
    command: str
    environment: Environment
    signal: Signal
    model: Model | None
    cold_start: ColdStart | None
    unpaced: Unpaced
    delays: Delays
    paced: Paced
    alerts: Alerts | None
    providers: list[ProviderRow]
    notes: list[str]
