"""What a device says of itself, and what is measured of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from edge.clock import Clock
from edge.source_reading import packets
from firmware_bridge.lookalike import Sample, looks_like
from firmware_bridge.protocols import Introducing, Telling
from firmware_bridge.source import Source
from firmware_bridge.stream import (
    NS_PER_S,
    Chunk,
    DecodeCount,
    Gap,
    HeartRate,
    Packet,
    Reading,
    StreamFormat,
    TimelineCount,
    TimelineEvent,
    Waveform,
)
from firmware_bridge.timeline import Timeline

JITTER_PERCENTILES = (5, 95)


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """Readings besides the ECG. kind: "heart rate", "acc", "ppg" and so on. newest: in words."""

    kind: str
    count: int
    newest: str


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """about: what the device says of itself. measured_rate_hz: samples a lead that were sent (lost
    ones included) a second of host time, between the first and the last packet with samples.
    packet_interval_ms: median, and the largest. jitter_ms: spread of the arrivals around the even
    pace, from their 5th to their 95th percentile. contact: whether all leads, or the heart rate
    sensor, feel skin; None where the device does not tell. resembles: what the bytes look like
    where the decoder makes nothing of them.
    """

    source: str
    seconds: float
    about: Mapping[str, str]
    format: StreamFormat | None
    measured_rate_hz: float | None
    battery_percent: int | None
    contact: bool | None
    leads_off: tuple[str, ...]
    readings: tuple[ReadingReport, ...]
    decoded: DecodeCount
    samples: TimelineCount
    gaps: int
    longest_gap_ms: float
    packet_interval_ms: float | None
    packet_interval_max_ms: float | None
    jitter_ms: float | None
    resembles: str


def probe(source: Source, for_s: float, clock: Clock) -> ProbeReport:
    """Listen for `for_s` seconds. Raises SourceError where the source cannot be opened, or refuses
    a command."""
    heard = _Heard(source)
    reading = packets(source, for_s, clock, on_open=heard.introduce)
    with contextlib.closing(reading):
        for packet in reading:
            heard.take(packet)
    heard.finish()
    return heard.report()


class _Heard:
    """What came of a source so far."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._timeline = Timeline()
        self._about: dict[str, str] = {}
        self._times_ns: list[int] = []
        self._arrivals: list[tuple[int, int]] = []
        self._newest: Chunk | None = None
        self._sample = Sample()
        self._gaps_ms: list[float] = []
        self._readings: dict[str, tuple[int, Reading]] = {}

    def introduce(self) -> None:
        """Ask the device who it is."""
        for part in (self._source.transport, self._source.decoder):
            if isinstance(part, Introducing):
                self._about |= part.about()

    def take(self, packet: Packet) -> None:
        """Decode a packet and note what it brought."""
        self._sample.add(packet)
        decoder = self._source.decoder
        channels = self._source.data_channels
        if not channels or packet.channel in channels:
            self._times_ns.append(packet.host_time_ns)
        for frame in decoder.push(packet):
            self._note(self._timeline.push(frame, packet.host_time_ns), packet.host_time_ns)
        if isinstance(decoder, Telling):
            for reading in decoder.readings():
                kind = reading.kind if isinstance(reading, Waveform) else "heart rate"
                self._readings[kind] = (self._readings.get(kind, (0, reading))[0] + 1, reading)

    def finish(self) -> None:
        """Release what waits for its order; let the decoder say what it learnt of its device."""
        self._note(self._timeline.flush(), None)
        if isinstance(self._source.decoder, Introducing):
            self._about |= self._source.decoder.about()

    def report(self) -> ProbeReport:
        """All of it in figures."""
        newest, steps_ms = self._newest, [(b - a) / 1e6 for a, b in pairwise(self._times_ns)]
        rate_hz, jitter_ms = _pace(self._arrivals)
        return ProbeReport(
            source=self._source.description,
            seconds=round(sum(steps_ms) / 1e3, 3),
            about=self._about,
            format=newest.format if newest else None,
            measured_rate_hz=rate_hz,
            battery_percent=self._battery_percent(),
            contact=self._contact(),
            leads_off=_leads_off(newest),
            readings=tuple(_reading_report(kind, *told) for kind, told in self._readings.items()),
            decoded=self._source.decoder.count,
            samples=self._timeline.count,
            gaps=len(self._gaps_ms),
            longest_gap_ms=round(max(self._gaps_ms, default=0.0), 1),
            packet_interval_ms=round(median(steps_ms), 3) if steps_ms else None,
            packet_interval_max_ms=round(max(steps_ms), 3) if steps_ms else None,
            jitter_ms=jitter_ms,
            resembles="" if self._source.decoder.count.frames else looks_like(self._sample.data),
        )

    def _note(self, events: Sequence[TimelineEvent], arrived_ns: int | None) -> None:
        """What waited for its order says nothing about the pace of the arrivals."""
        for event in events:
            if isinstance(event, Chunk):
                self._newest = event
                if len(events) == 1 and arrived_ns is not None:
                    self._arrivals.append((event.stop, arrived_ns))
            elif isinstance(event, Gap):
                self._gaps_ms.append(event.length / event.format.rate_hz * 1000)

    def _heart_rate(self) -> HeartRate | None:
        reading = self._readings.get("heart rate", (0, None))[1]
        return reading if isinstance(reading, HeartRate) else None

    def _battery_percent(self) -> int | None:
        if self._newest is not None and self._newest.battery_percent is not None:
            return self._newest.battery_percent
        heart = self._heart_rate()
        return heart.battery_percent if heart else None

    def _contact(self) -> bool | None:
        if _leads_off(self._newest):
            return False
        heart = self._heart_rate()
        return heart.contact if heart else None


def _pace(arrivals: list[tuple[int, int]]) -> tuple[float | None, float | None]:
    """Samples a second of host time, and how far arrivals lie from that even pace, in ms."""
    if len(arrivals) < 2:
        return None, None
    stops, times_ns = np.array(arrivals, np.float64).T
    span_ns = times_ns[-1] - times_ns[0]
    if span_ns <= 0:
        return None, None
    rate_hz = (stops[-1] - stops[0]) / span_ns * NS_PER_S
    late_ms = (times_ns - times_ns[0] - (stops - stops[0]) / rate_hz * NS_PER_S) / 1e6
    low, high = np.percentile(late_ms, JITTER_PERCENTILES)
    return round(float(rate_hz), 3), round(float(high - low), 3)


def _leads_off(chunk: Chunk | None) -> tuple[str, ...]:
    if chunk is None:
        return ()
    return tuple(name for k, name in enumerate(chunk.format.leads) if chunk.lead_off >> k & 1)


def _reading_report(kind: str, count: int, newest: Reading) -> ReadingReport:
    if isinstance(newest, HeartRate):
        rr = f", RR {', '.join(f'{each:.0f}' for each in newest.rr_ms)} ms" if newest.rr_ms else ""
        return ReadingReport(kind, count, f"{newest.bpm:g} bpm{rr}")
    last = newest.samples[-1] if len(newest.samples) else ()
    values = ", ".join(
        f"{name} {value:g}" for name, value in zip(newest.channels, last, strict=False)
    )
    return ReadingReport(kind, count, f"{newest.rate_hz:g} Hz, {values} {newest.unit}")
