"""What a device says of itself, and what is measured of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from edge.clock import Clock
from edge.source_reading import packets
from firmware_bridge.source import Source
from firmware_bridge.stream import NS_PER_S, Chunk, DecodeCount, StreamFormat, TimelineCount
from firmware_bridge.timeline import Timeline


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """measured_rate_hz: samples a lead that were sent (lost ones included) a second of host time,
    between the first and the last packet. packet_interval_ms: median, and the largest.
    """

    source: str
    seconds: float
    format: StreamFormat | None
    measured_rate_hz: float | None
    battery_percent: int | None
    leads_off: tuple[str, ...]
    decoded: DecodeCount
    samples: TimelineCount
    packet_interval_ms: float | None
    packet_interval_max_ms: float | None


def probe(source: Source, for_s: float, clock: Clock) -> ProbeReport:
    """Listen for `for_s` seconds. Raises SourceError where the source cannot be opened."""
    arrivals_ns: list[int] = []
    chunks: list[Chunk] = []
    timeline = Timeline()
    for packet in packets(source, for_s, clock):
        arrivals_ns.append(packet.host_time_ns)
        for frame in source.decoder.push(packet):
            chunks += _chunks(timeline.push(frame, packet.host_time_ns))
    chunks += _chunks(timeline.flush())
    return _report(source, arrivals_ns, chunks, timeline.count)


def _chunks(events: Iterable[object]) -> list[Chunk]:
    return [event for event in events if isinstance(event, Chunk)]


def _report(
    source: Source, times: list[int], chunks: list[Chunk], count: TimelineCount
) -> ProbeReport:
    gaps_ms = [(b - a) / 1e6 for a, b in pairwise(times)]
    span_s = (times[-1] - times[0]) / NS_PER_S if times else 0.0
    newest = chunks[-1] if chunks else None
    sent = count.span - len(chunks[0].samples_uv) if chunks else 0
    return ProbeReport(
        source=source.description,
        seconds=round(span_s, 3),
        format=newest.format if newest else None,
        measured_rate_hz=round(sent / span_s, 3) if newest and span_s > 0 else None,
        battery_percent=newest.battery_percent if newest else None,
        leads_off=_leads_off(newest),
        decoded=source.decoder.count,
        samples=count,
        packet_interval_ms=round(median(gaps_ms), 3) if gaps_ms else None,
        packet_interval_max_ms=round(max(gaps_ms), 3) if gaps_ms else None,
    )


def _leads_off(chunk: Chunk | None) -> tuple[str, ...]:
    if chunk is None:
        return ()
    return tuple(name for k, name in enumerate(chunk.format.leads) if chunk.lead_off >> k & 1)
