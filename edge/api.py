"""The same path for programs: open a source and iterate, or push samples of one's own.

import edge

for event in edge.watch("sim:?scenario=vf&speed=max", for_s=60):
    if isinstance(event, edge.Alert):
        print(event.kind, event.phase)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from edge.alarm.limits import AlarmLimits
from edge.alert import Alert
from edge.assemble import alarms, encoder_factory
from edge.clock import SystemClock
from edge.encoder_lease import EncoderFactory
from edge.events import Observation
from edge.pipeline import REORDER_FRAMES, Pipeline, Step
from edge.segment import SegmentSettings
from edge.source_reading import packets
from firmware_bridge.protocols import Decoder
from firmware_bridge.source import open_source
from firmware_bridge.stream import (
    NS_PER_S,
    Chunk,
    DecodeCount,
    FormatChange,
    Frame,
    Gap,
    Packet,
    StreamFormat,
    TimelineCount,
)

DEFAULT_BUNDLE = "tcn-s"

Event = Chunk | Gap | FormatChange | Observation | Alert
Callback = Callable[[Event], None]


class Session:
    """Samples in, events out, with no device: for data that a program has in hand.

    rate_hz: sampling rate. leads: their names. bundle: encoder bundle by name or folder, or
    "none" for rules alone. device: what runs the encoder, as `edge.config.Encoder` says.
    on_event: called with every event, before `push` returns it. Any chunking of the same
    samples gives the same events.
    """

    def __init__(
        self,
        rate_hz: float,
        leads: Sequence[str] = ("lead1",),
        *,
        bundle: str = DEFAULT_BUNDLE,
        device: str = "auto",
        limits: AlarmLimits | None = None,
        settings: SegmentSettings | None = None,
        on_event: Callback | None = None,
    ) -> None:
        self._format = StreamFormat(rate_hz, tuple(leads))
        networks = encoder_factory(bundle, device)
        self._pipeline = _pipeline(_NoDecoder(), networks, limits, settings, reorder_frames=0)
        self._on_event = on_event
        self._position = 0

    def push(self, samples_uv: ArrayLike, lead_off: int = 0) -> list[Event]:
        """Take the next samples, shape (samples,) or (samples, leads), in microvolts.

        lead_off: bit k set means that lead k has no contact. Raises ValueError for a shape
        that does not fit the leads.
        """
        samples = np.asarray(samples_uv, dtype=np.float32)
        samples = samples[:, None] if samples.ndim == 1 else samples
        if samples.ndim != 2 or samples.shape[1] != len(self._format.leads):
            expected = f"(samples, {len(self._format.leads)})"
            raise ValueError(f"samples of shape {samples.shape}: expected {expected}")
        if not len(samples):
            return []
        frame = Frame(
            self._format, samples, self._position, counter_modulus=1 << 62, lead_off=lead_off
        )
        self._position += len(samples)
        host_ns = round(self._position / self._format.rate_hz * NS_PER_S)
        return self._told(self._pipeline.push_frames([frame], host_ns))

    def skip(self, count: int) -> None:
        """`count` samples never came; the next ones follow a gap of that length."""
        if count < 0:
            raise ValueError(f"skip of {count} samples: must be 0 or more")
        self._position += count

    def finish(self) -> list[Event]:
        """The samples have ended: what still waited for more, such as the last beats.

        Samples pushed after it are heard as after a gap.
        """
        return self._told(self._pipeline.finish())

    @property
    def active(self) -> tuple[Alert, ...]:
        """Alarm conditions present, most urgent first."""
        return self._pipeline.alarm.active

    @property
    def counts(self) -> TimelineCount:
        """What became of the samples."""
        return self._pipeline.counts[1]

    def _told(self, step: Step) -> list[Event]:
        events: list[Event] = [*step.events, *step.observations, *step.alerts]
        if self._on_event:
            for event in events:
                self._on_event(event)
        return events


def watch(
    uri: str,
    *,
    bundle: str = DEFAULT_BUNDLE,
    limits: AlarmLimits | None = None,
    settings: SegmentSettings | None = None,
    for_s: float | None = None,
) -> Iterator[Event]:
    """Events of a source, in order, until it ends or `for_s` of its time have passed.

    Opens the source once: a live device that may vanish wants `edge run`, which opens it again.
    Raises SourceError and ModelError.
    """
    source = open_source(uri)
    pipeline = _pipeline(source.decoder, encoder_factory(bundle, "auto"), limits, settings)
    limit_ns = None if for_s is None else round(for_s * NS_PER_S)
    for packet in packets(source, None, SystemClock()):
        yield from _in_order(pipeline.push(packet))
        if limit_ns is not None and pipeline.now_ns >= limit_ns:
            break
    yield from _in_order(pipeline.finish())


def _in_order(step: Step) -> Iterator[Event]:
    yield from step.events
    yield from step.observations
    yield from step.alerts


def _pipeline(
    decoder: Decoder,
    networks: EncoderFactory,
    limits: AlarmLimits | None,
    settings: SegmentSettings | None,
    reorder_frames: int = REORDER_FRAMES,
) -> Pipeline:
    return Pipeline(
        decoder,
        alarms(limits or AlarmLimits()),
        settings or SegmentSettings(),
        networks,
        reorder_frames,
    )


class _NoDecoder:
    """Stands where frames come ready-made."""

    count = DecodeCount()

    def push(self, packet: Packet) -> list[Frame]:
        return []

    def start_commands(self) -> tuple[bytes, ...]:
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        return ()

    def reset(self) -> None:
        return
