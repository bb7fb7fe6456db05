"""From the parts of a run to one health message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edge.announce import Announcer
from edge.clock import Clock, rfc3339
from edge.commands.desk import Desk
from edge.health.figures import board, process
from edge.health.message import (
    BoardHealth,
    BrokerHealth,
    CommandsHealth,
    EngineHealth,
    HealthMessage,
    OutboxState,
    PartHealth,
    PatientHealth,
    RecordingHealth,
    SinksHealth,
)
from edge.health.watch import PatientFigures, ServiceWatch
from edge.outbox import Outbox
from edge.publish import Publisher
from edge.record.recorder import Recorder
from edge.runtime import Runtime
from edge.supervision import Supervisor
from edge.told_text import without_folders
from firmware_bridge.stream import NS_PER_S

__all__ = ["HealthReporter", "Parts"]

LATE_MS = 1000.0
"""A tick that comes so late delays alarms by as much."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a run that have something to say."""

    runtime: Runtime
    announcer: Announcer
    watch: ServiceWatch
    supervisor: Supervisor
    outbox: Outbox | None = None
    publisher: Publisher | None = None
    recorder: Recorder | None = None
    desk: Desk | None = None


@dataclass(slots=True)
class HealthReporter:
    """Makes the health message. `message` may take as long as the disk does: not for the engine.

    look_at_board: how the machine is.
    """

    parts: Parts
    clock: Clock
    version: str
    look_at_board: Callable[[], BoardHealth] = board
    _began_ns: int = field(init=False)
    _since: str = field(init=False)

    def __post_init__(self) -> None:
        self._began_ns = self.clock.monotonic_ns()
        self._since = rfc3339(self.clock.utc_ns())

    def message(self, restart_window: bool = True) -> HealthMessage:
        """How the service fares now.

        restart_window: begin a new window for the lateness of ticks.
        """
        parts = self.parts
        engine = self._engine(restart_window)
        outbox = _outbox(parts.outbox) if parts.outbox else None
        broker = _broker(parts.publisher) if parts.publisher else None
        recording = _recording(parts.recorder) if parts.recorder else None
        supervised = _supervised(parts.supervisor)
        figures = list(parts.watch.patients.values())
        patients = [_patient(each) for each in figures]
        troubles = list(_troubles(engine, outbox, broker, supervised, figures))
        return HealthMessage(
            time=rfc3339(self.clock.utc_ns()),
            since=self._since,
            uptime_s=round((self.clock.monotonic_ns() - self._began_ns) / NS_PER_S, 1),
            version=self.version,
            state="degraded" if troubles else "ok",
            troubles=troubles,
            engine=engine,
            process=process(),
            board=self.look_at_board(),
            sinks=SinksHealth(queued=parts.announcer.queued, dropped=parts.announcer.dropped),
            outbox=outbox,
            broker=broker,
            recording=recording,
            parts=supervised,
            patients=patients,
            commands=_commands(parts.desk) if parts.desk else None,
        )

    def _engine(self, restart_window: bool) -> EngineHealth:
        runtime = self.parts.runtime
        late_ms = round(runtime.late_ns / 1e6, 1)
        if restart_window:
            runtime.late_ns = 0
        return EngineHealth(late_ms=late_ms, queued=runtime.queued)


def _outbox(outbox: Outbox) -> OutboxState:
    counts, health = outbox.counts, outbox.health
    return OutboxState(
        raised=counts.raised,
        delivered=counts.delivered,
        evicted=counts.evicted,
        pending=counts.pending,
        held=counts.held,
        failures=counts.failures,
        fault=without_folders(health.fault),
        file_bytes=health.file_bytes,
        reserved=health.reserved,
        set_aside=health.quarantined.name if health.quarantined else None,
        rescued=health.rescued,
    )


def _broker(publisher: Publisher) -> BrokerHealth:
    seen = publisher.statistics
    return BrokerHealth(
        connected=seen.connected,
        connects=seen.connects,
        failed_connects=seen.failed_connects,
        lost_connections=seen.lost_connections,
        sent=seen.sent,
        acked=seen.acked,
        refused=seen.refused,
        dropped=seen.dropped,
        in_flight=seen.in_flight,
        last_error=without_folders(seen.last_error),
        put_to_puback_p50_ms=_ms(seen.put_to_puback.p50),
        put_to_puback_p99_ms=_ms(seen.put_to_puback.p99),
        put_to_puback_max_ms=_ms(seen.put_to_puback.max),
    )


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _recording(recorder: Recorder) -> RecordingHealth:
    counts = recorder.counts
    return RecordingHealth(
        written_bytes=counts.bytes, unrecorded=counts.unrecorded, queued=recorder.queued
    )


def _commands(desk: Desk) -> CommandsHealth:
    counts = desk.counts
    return CommandsHealth(done=counts.done, failed=counts.failed, refused=counts.refused)


def _supervised(supervisor: Supervisor) -> dict[str, PartHealth]:
    troubles = supervisor.troubles
    return {
        name: PartHealth(restarts=count, trouble=troubles.get(name, ""))
        for name, count in supervisor.restarts.items()
    }


def _patient(figures: PatientFigures) -> PatientHealth:
    state = figures.state
    return PatientHealth(
        patient=state.patient,
        link=state.link,
        silent_s=round(figures.silent_s, 1),
        reconnects=figures.reconnects,
        model_failures=figures.model_failures,
        battery_percent=state.battery_percent,
        quality=state.quality,
        encoder_shed=state.encoder_shed,
        late_hops=state.late_hops,
    )


def _troubles(
    engine: EngineHealth,
    outbox: OutboxState | None,
    broker: BrokerHealth | None,
    parts: Mapping[str, PartHealth],
    patients: Sequence[PatientFigures],
) -> Iterator[str]:
    """What an operator should know, in words."""
    yield from (f"{name}: {part.trouble}" for name, part in parts.items() if part.trouble)
    if outbox and outbox.fault:
        yield f"alerts may not be stored: {outbox.fault}"
    if outbox and outbox.set_aside:
        yield f"a damaged store was set aside as {outbox.set_aside}"
    if broker and not broker.connected:
        yield f"no connection to the broker: {broker.last_error or 'not yet'}"
    if engine.late_ms > LATE_MS:
        yield f"the engine was {engine.late_ms:.0f} ms late"
    if shed := sum(each.state.encoder_shed for each in patients):
        yield f"the engine is behind: rules alone for {shed} of {len(patients)} patients"
    for each in patients:
        state = each.state
        if state.link not in ("streaming", "connecting"):
            yield f"{state.patient}: link {state.link}"
        if each.model_failures and not (state.bundle or state.encoder_shed):
            yield f"{state.patient}: the encoder failed; alarms come from rules alone"
