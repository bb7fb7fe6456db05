"""A stretch of a source, taken down once and then played as often as a run needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from edge.bench.report import Signal
from edge.clock import Clock
from edge.errors import SourceFailedError
from edge.source_reading import packets
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.source import Source, open_source, redact
from firmware_bridge.stream import NS_PER_S, Packet, StreamFormat

__all__ = ["Recording", "at_once", "record", "staggered"]

AT_ONCE = ("sim:", "replay:")
"""Schemes of sources that can be read faster than they were sampled."""

NS_PER_MS = NS_PER_S // 1000


@dataclass(frozen=True, slots=True)
class Recording:
    """Packets with the times at which they came, in nanoseconds since the first one was due."""

    uri: str
    description: str
    form: StreamFormat
    items: tuple[TimedBytes, ...]
    samples: int

    @property
    def seconds(self) -> float:
        """Length of the signal."""
        return self.samples / self.form.rate_hz

    @property
    def interval_ns(self) -> int:
        """Median time between two packets."""
        due = [item.due_ns for item in self.items]
        return round(median(after - before for before, after in pairwise(due)))

    @property
    def facts(self) -> Signal:
        """For the report."""
        return Signal(
            uri=redact(self.uri),
            description=self.description,
            rate_hz=self.form.rate_hz,
            leads=len(self.form.leads),
            packets=len(self.items),
            packet_interval_ms=round(self.interval_ns / NS_PER_MS, 3),
            seconds=round(self.seconds, 3),
        )

    def source(self) -> Source:
        """A source of its own, with a fresh decoder; its transport is not for reading."""
        return open_source(self.uri)

    def packets(self) -> Iterator[Packet]:
        """All packets, stamped as they came."""
        return (Packet(item.data, item.due_ns, item.channel) for item in self.items)


def record(uri: str, seconds: float, clock: Clock) -> Recording:
    """The first `seconds` of a source; a recording or the virtual patch is read at once.

    Raises SourceError where it cannot be opened or breaks, SourceFailedError where nothing
    decodes, or too little came.
    """
    source = open_source(_hastened(uri))
    taken: list[Packet] = []
    samples, form = 0, None
    for packet in packets(source, seconds, clock):
        taken.append(packet)
        for frame in source.decoder.push(packet):
            form = frame.format
            samples += len(frame.samples_uv)
        if packet.host_time_ns - taken[0].host_time_ns >= seconds * NS_PER_S:
            break
    if form is None or len(taken) < 2:
        came = f"{len(taken)} packet(s) came and" if taken else "no bytes came in"
        raise SourceFailedError(
            f"{redact(uri)}: {came} {seconds:.3g} s, no signal to measure with; "
            "`edge probe URI` says what the device sends"
        )
    return Recording(uri, source.description, form, _timed(taken), samples)


def at_once(uri: str) -> bool:
    """Whether the source is read faster than it was sampled, as it does not say how fast."""
    return uri.startswith(AT_ONCE) and "speed=" not in uri and "via=" not in uri


def _hastened(uri: str) -> str:
    if not at_once(uri):
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}speed=max"


def _timed(taken: list[Packet]) -> tuple[TimedBytes, ...]:
    first_ns = taken[0].host_time_ns
    return tuple(TimedBytes(p.data, p.host_time_ns - first_ns, p.channel) for p in taken)


def staggered(items: tuple[TimedBytes, ...], offset_ns: int) -> Iterator[TimedBytes]:
    """The same packets, all later by `offset_ns`."""
    return (replace(item, due_ns=item.due_ns + offset_ns) for item in items)
