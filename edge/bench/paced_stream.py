"""One stream of a paced run: a transport that plays the recording, a monitor that is watched."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.alert import AlarmType, Alert, Phase, Priority
from edge.bench.assembly import Assembly
from edge.bench.recording import staggered
from edge.clock import Clock
from edge.config import Patient
from edge.monitor import Monitor
from edge.pipeline import Pipeline, Step
from edge.runtime import Runtime
from firmware_bridge.link import LinkEvent
from firmware_bridge.pacing import PacedTransport, TimedBytes
from firmware_bridge.stream import NS_PER_S, Packet

__all__ = ["PROBE", "PROBES_HZ", "Handled", "add_streams", "probe_every"]

PROBE = "bench_probe"
"""Kind of the benchmark's own alerts."""

PROBES_HZ = 20.0
"""The benchmark's own alerts a second, of all streams: a broker and a memory card should not be
measured at more than a ward could raise."""


class Handled:
    """What became of the packets of one stream, in order: nanoseconds on the monotonic clock.

    All room is taken at the start, so that noting does not look like memory that grows.
    """

    def __init__(self, packets: int) -> None:
        self.read = 0
        self.done = 0
        self._late_ns = array("q", [0]) * packets
        self._times_ns = [array("q", [0]) * packets for _ in range(3)]

    def note_read(self, late_ns: int) -> None:
        """A packet was read so long after it was due; by the link's thread."""
        self._late_ns[self.read] = late_ns
        self.read += 1

    def note_done(self, arrived_ns: int, taken_ns: int, done_ns: int) -> None:
        """The engine has handled a packet, or one more piece of a long one; by its thread."""
        if self.done and self._times_ns[0][self.done - 1] == arrived_ns:
            self._times_ns[2][self.done - 1] = done_ns
            return
        for noted, at_ns in zip(self._times_ns, (arrived_ns, taken_ns, done_ns), strict=True):
            noted[self.done] = at_ns
        self.done += 1

    @property
    def times_ns(self) -> NDArray[np.int64]:
        """Of packets handled, (4, packets): late by, arrived at, taken up at, done at."""
        noted = [self._late_ns, *self._times_ns]
        return np.array([np.frombuffer(each, np.int64)[: self.done] for each in noted])


class WatchedTransport(PacedTransport):
    """Plays packets when they are due, and notes how late it was."""

    def __init__(self, items: Iterable[TimedBytes], handled: Handled, clock: Clock) -> None:
        kept = tuple(items)
        super().__init__("recording", kept, 1.0)
        self._due_ns = (item.due_ns for item in kept)
        self._handled = handled
        self._clock = clock
        self._opened_ns = 0

    def open(self) -> None:
        """Start the clock."""
        self._opened_ns = self._opened_ns or self._clock.monotonic_ns()
        super().open()

    def read(self, timeout_s: float) -> Packet | None:
        """Next packet once it is due."""
        packet = super().read(timeout_s)
        if packet is not None:
            due_ns = self._opened_ns + next(self._due_ns)
            self._handled.note_read(packet.host_time_ns - due_ns)
        return packet


class WatchedMonitor(Monitor):
    """A monitor that notes when it took up a packet and when it was done with it."""

    def __init__(
        self, handled: Handled, pipeline: Pipeline, name: str, runtime: Runtime, clock: Clock
    ) -> None:
        patient = Patient(id=name, source="bench")
        super().__init__(patient, "bench", pipeline, clock, runtime.stepped, runtime.link_changed)
        self._handled = handled
        self._host_ns = clock.monotonic_ns

    def handle(self, event: LinkEvent) -> None:
        """Take one event of the link."""
        if not isinstance(event, Packet):
            super().handle(event)
            return
        taken_ns = self._host_ns()
        super().handle(event)
        self._handled.note_done(event.host_time_ns, taken_ns, self._host_ns())


class ProbingPipeline(Pipeline):
    """The pipeline itself, and an alert of the benchmark's own at one of `every` packets.

    first: packets before the first such one. The alert is the end of a condition, so that the list
    of those present does not grow.
    """

    def __init__(self, *parts: Any, every: int, first: int) -> None:
        super().__init__(*parts)
        self._every = every
        self._left = first

    def push(self, packet: Packet) -> Step:
        """Take bytes as they arrived."""
        step = super().push(packet)
        self._left -= 1
        if not step.events or self._left >= 0:
            return step
        self._left = self._every - 1
        now_ns = self.now_ns
        probe = Alert(
            id=f"{PROBE}-{now_ns}",
            kind=PROBE,
            type=AlarmType.TECHNICAL,
            priority=Priority.LOW,
            phase=Phase.END,
            onset_ns=now_ns,
            time_ns=now_ns,
        )
        return msgspec.structs.replace(step, alerts=(*step.alerts, probe))


def probe_every(streams: int, interval_ns: int) -> int:
    """One of how many packets of a stream raises an alert, for at most `PROBES_HZ` in all."""
    return max(1, math.ceil(streams * NS_PER_S / interval_ns / PROBES_HZ))


def add_streams(
    runtime: Runtime, assembly: Assembly, streams: int, probing: bool, clock: Clock
) -> list[Handled]:
    """Put so many streams under watch, their packets spread evenly over the packet interval."""
    recording = assembly.recording
    every = probe_every(streams, recording.interval_ns)
    watched = []
    for number in range(streams):
        handled = Handled(len(recording.items))
        items = staggered(recording.items, number * recording.interval_ns // streams)
        transport = WatchedTransport(items, handled, clock)
        source = replace(recording.source(), transport=transport, finite=True, settle_s=0.0)
        probe = partial(ProbingPipeline, every=every, first=number % every)
        pipeline = assembly.pipeline(source.decoder, probe if probing else Pipeline)
        runtime.add(WatchedMonitor(handled, pipeline, f"bench-{number}", runtime, clock), source)
        watched.append(handled)
    return watched
