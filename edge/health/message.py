"""What operators receive: the message on `<base>/health`. No secret and no folder is in it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edge.messages import Count, Fraction, LinkState, PatientId, Percent, UtcTime

__all__ = [
    "BoardHealth",
    "BrokerHealth",
    "CommandsHealth",
    "EngineHealth",
    "HealthMessage",
    "OutboxState",
    "PartHealth",
    "PatientHealth",
    "ProcessHealth",
    "RecordingHealth",
    "SinksHealth",
]

Amount = Annotated[float, msgspec.Meta(ge=0.0)]


class EngineHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's thread. late_ms: the most that a tick came late since the last message.

    queued: events that wait for it.
    """

    late_ms: Amount
    queued: Count


class ProcessHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The process, as the kernel sees it; null where it does not tell."""

    rss_bytes: Count | None
    cpu_s: Amount
    threads: Count
    open_files: Count | None


class BoardHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The machine. throttled: the firmware of a Raspberry Pi slows it down now, for heat or for
    want of power. Null where it does not tell.
    """

    temperature_c: float | None
    throttled: bool | None


class OutboxState(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts wait: raised = delivered + evicted + pending, since the store was made.

    held: those of `pending` that the disk refused. fault: why it refuses now, empty where it
    does not. reserved: whether the file has taken all the room it will ever need.
    set_aside: name of the file into which a damaged store was moved since the start, null
    without; rescued: messages brought over from it.
    """

    raised: Count
    delivered: Count
    evicted: Count
    pending: Count
    held: Count
    failures: Count
    fault: str
    file_bytes: Count
    reserved: bool
    set_aside: str | None
    rescued: Count


class BrokerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker since the start. dropped: retained values that a newer one
    replaced before any broker was there. put_to_puback_*: from `put` to the acknowledgement, of
    the newest messages raised while connected; p99 from 662 messages on.
    """

    connected: bool
    connects: Count
    failed_connects: Count
    lost_connections: Count
    sent: Count
    acked: Count
    refused: Count
    dropped: Count
    in_flight: Count
    last_error: str
    put_to_puback_p50_ms: Amount | None
    put_to_puback_p99_ms: Amount | None
    put_to_puback_max_ms: Amount | None


class SinksHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The way from the engine to the sinks. dropped: states that found no room; no alert does."""

    queued: Count
    dropped: Count


class RecordingHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The recorder. unrecorded: samples a lead that found no place."""

    written_bytes: Count
    unrecorded: Count
    queued: Count


class CommandsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Commands heard. failed: accepted, yet the monitor could not do them. refused: how many for
    each reason.
    """

    done: Count
    failed: Count
    refused: dict[str, Count]


class PartHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One thread. restarts: how often it died and was replaced. trouble: empty when well."""

    restarts: Count
    trouble: str


class PatientHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One patient's equipment. silent_s: since the newest sample or reading.

    reconnects: how often the link was opened again. model_failures: how often the encoder
    failed and rules alone went on. encoder_shed: it rests because the engine is behind.
    late_hops: those that it has missed so.
    """

    patient: PatientId
    link: LinkState
    silent_s: Amount
    reconnects: Count
    model_failures: Count
    battery_percent: Percent | None
    quality: Fraction | None
    encoder_shed: bool = False
    late_hops: Count = 0


class HealthMessage(msgspec.Struct, frozen=True, kw_only=True):
    """How the service fares, every 10 s, on `<base>/health`. Retained; expires after 30 s.

    state: `degraded` where `troubles` says why in words.
    """

    time: UtcTime
    since: UtcTime
    uptime_s: Amount
    version: str
    state: Literal["ok", "degraded"]
    troubles: list[str]
    engine: EngineHealth
    process: ProcessHealth
    board: BoardHealth
    sinks: SinksHealth
    outbox: OutboxState | None
    broker: BrokerHealth | None
    recording: RecordingHealth | None
    parts: dict[str, PartHealth]
    patients: list[PatientHealth]
    commands: CommandsHealth | None = None
