"""The way of a sample, for one patient: bytes in, observations and alerts out.

    packet --decoder--> frame --timeline--> chunk | gap
          --> ring --> condition --> quality, beats, encoder --> alarm

A device that sends no samples but tells RR intervals goes another way:

    packet --decoder--> reading --> beats told --> alarm

Everything here is deterministic: the same bytes give the same alerts, whatever the chunking
and whatever the time of day. Nothing here does I/O or asks a clock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from edge.actions import Action, Outcome
from edge.alarming import Alarms, Attended
from edge.alert import Alert
from edge.encoder_lease import EncoderFactory, EncoderLease
from edge.events import AnalysisLimited, Observation, Silence, StorageFault
from edge.networks import Networks
from edge.segment import Segment, SegmentSettings
from edge.told_beats import ToldBeats
from firmware_bridge.protocols import Decoder, Telling
from firmware_bridge.stream import (
    NS_PER_S,
    Chunk,
    DecodeCount,
    FormatChange,
    Frame,
    Gap,
    HeartRate,
    Packet,
    StreamFormat,
    TimelineCount,
    TimelineEvent,
)
from firmware_bridge.timeline import Timeline

REORDER_FRAMES = 8
RATE_MIN_HZ, RATE_MAX_HZ = 50.0, 10_000.0
"""Rates at which an ECG can be judged: below, the QRS band (5 to 20 Hz) does not fit."""

CONTACT_HELD_NS = 5 * NS_PER_S
"""A lost contact that the device told beside its samples holds for so long unless told again."""

LAG_MAX_NS = 5 * NS_PER_S
"""A link that was silent for so long may deliver what it held back, and catches up by itself."""

log = logging.getLogger(__name__)


class Step(msgspec.Struct, frozen=True):
    """What one push brought forth, in order.

    readings: where the device sends no samples, what it told of the heart instead.
    arrived_ns: host monotonic time of the packet that was pushed; 0 where none was.
    """

    events: tuple[TimelineEvent, ...] = ()
    observations: tuple[Observation, ...] = ()
    alerts: tuple[Alert, ...] = ()
    readings: tuple[HeartRate, ...] = ()
    arrived_ns: int = 0


class Anchor(msgspec.Struct, frozen=True):
    """Ties stream time to the clocks outside, at the newest chunk."""

    stream_ns: int
    host_ns: int
    device_ns: int | None

    def host_time_ns(self, stream_ns: int) -> int:
        """Host monotonic time at a stream time."""
        return self.host_ns + stream_ns - self.stream_ns

    def device_time_ns(self, stream_ns: int) -> int | None:
        """Device clock at a stream time, None where the device has no clock."""
        return None if self.device_ns is None else self.device_ns + stream_ns - self.stream_ns


class Pipeline:
    """One patient's stream, from packets to alerts.

    encoder_for: called when the format of the stream becomes known or changes; gives the
        networks for it, or None to run on rules alone.
    reorder_frames: newer frames that a missing one is waited for before it counts as lost.
    encoder_is_optional: where `encoder_for` raises, the stream goes on rules alone, and an alarm
        tells of it.
    """

    def __init__(
        self,
        decoder: Decoder,
        alarm: Alarms,
        settings: SegmentSettings,
        encoder_for: EncoderFactory = lambda _: None,
        reorder_frames: int = REORDER_FRAMES,
        encoder_is_optional: bool = False,
    ) -> None:
        self.alarm = alarm
        self.attended = alarm if isinstance(alarm, Attended) else None
        """The alarms, where people can attend to them."""
        self._decoder = decoder
        self._telling = decoder if isinstance(decoder, Telling) else None
        self._told = ToldBeats()
        self._told_battery_percent: int | None = None
        self._contact_lost_ns: int | None = None
        self._timeline = Timeline(reorder_frames)
        self._settings = settings
        self.lease = EncoderLease(encoder_for, encoder_is_optional)
        """Whether the stream has its encoder, or goes without for a while."""
        self._limitation = ""
        self._segment: Segment | None = None
        self._anchor: Anchor | None = None
        self._refused = 0

    @property
    def format(self) -> StreamFormat | None:
        """Rate and leads, once the first frame has come."""
        return self._segment.format if self._segment else None

    @property
    def segment(self) -> Segment | None:
        """The signal stages at work since the format was last known to change."""
        return self._segment

    @property
    def now_ns(self) -> int:
        """Stream time one past the newest sample, or of the newest reading where none came."""
        return self._segment.stop_time_ns if self._segment else self._told.now_ns

    @property
    def told_battery_percent(self) -> int | None:
        """Charge that the device told beside its samples, None where it told none."""
        return self._told_battery_percent

    @property
    def anchor(self) -> Anchor | None:
        """Where stream time stands on the host's and the device's clocks."""
        return self._anchor

    @property
    def counts(self) -> tuple[DecodeCount, TimelineCount]:
        """What became of bytes, frames and samples; a frame of a rate refused counts as bad."""
        count, refused = self._decoder.count, self._refused
        if refused:
            frames, bad_frames = count.frames - refused, count.bad_frames + refused
            count = DecodeCount(frames, bad_frames, count.bytes, count.skipped_bytes)
        return count, self._timeline.count

    def push(self, packet: Packet) -> Step:
        """Take bytes as they arrived."""
        step = self.push_frames(self._decoder.push(packet), packet.host_time_ns)
        return self._hear(step, packet.host_time_ns) if self._telling else step

    def push_frames(self, frames: Iterable[Frame], host_time_ns: int) -> Step:
        """Take frames that were decoded elsewhere and arrived at `host_time_ns`."""
        events: list[TimelineEvent] = []
        for frame in frames:
            if self._fits(frame.format.rate_hz):
                events += self._timeline.push(frame, host_time_ns)
        observations = self._observed(events)
        if observations:
            self._catch_up()
        return self._and_then(Step(tuple(events), arrived_ns=host_time_ns), observations)

    def link_opened(self) -> None:
        """The link is new: what was left of a frame belongs to the old one."""
        self._decoder.reset()
        self._contact_lost_ns = None

    def link_lost(self, host_time_ns: int) -> Step:
        """The link broke: release what waits for reordering; the next frame follows a gap."""
        self._told.break_off()
        return self._run(self._timeline.disconnected(host_time_ns))

    def renew(self, form: StreamFormat | None, networks: Networks | None) -> Step:
        """Other networks from the next sample on: these where the stream still has the format
        that they were opened for, else those that `encoder_for` gives now."""
        segment = self._segment
        if segment is None:
            return Step()
        fitting = self.lease.replace(form, networks, segment.format)
        return self._and_then(Step(), self._renewed(segment, fitting))

    def shed(self, is_shed: bool) -> Step:
        """Rules alone from the next sample on, or the encoder again, which begins anew."""
        segment = self._segment
        if segment is None or is_shed == self.lease.is_shed or (is_shed and not segment.encoder):
            return Step()
        fitting = self.lease.shed(is_shed, segment.format)
        return self._and_then(Step(), self._renewed(segment, fitting))

    def finish(self) -> Step:
        """The source ended: release what waits for reordering, and beats not known yet."""
        step = self._run(self._timeline.flush())
        return self._and_then(step, self._segment.finish()) if self._segment else step

    def resume(self, utc_ns: int) -> Step:
        """Alarms that were on before a restart go on; to be called before the first packet,
        `utc_ns` being the time now."""
        return Step(alerts=self.attended.resume(utc_ns)) if self.attended else Step()

    def act(self, action: Action) -> tuple[Outcome, Step]:
        """Do what a person asks of the alarms: what came of it, and what it brought forth."""
        if self.attended is None:
            return Outcome(False, "nobody attends to these alarms"), Step()
        outcome, alerts = self.attended.act(action)
        return outcome, Step(alerts=alerts)

    def silence(self, silent_ns: int, reason: str = "") -> Step:
        """Nothing has come for `silent_ns`: the technical alarm conditions may begin."""
        observation = Silence(self.now_ns + silent_ns, silent_ns, reason)
        return Step((), (observation,), self.alarm.observe(observation))

    def storage_fault(self, silent_ns: int, reason: str) -> Step:
        """Alerts may not be stored, or can be again where `reason` is empty."""
        observation = StorageFault(self.now_ns + silent_ns, reason)
        return Step((), (observation,), self.alarm.observe(observation))

    def _hear(self, step: Step, host_time_ns: int) -> Step:
        """Readings of the heart: charge and contact always, beats where no samples come."""
        said = self._telling.readings() if self._telling else ()
        readings = tuple(each for each in said if isinstance(each, HeartRate))
        for each in readings:
            if each.battery_percent is not None:
                self._told_battery_percent = each.battery_percent
            self._contact_lost_ns = host_time_ns if each.contact is False else None
        if not readings or self._segment:
            return step
        observed = self._told.push(readings, host_time_ns)
        self._anchor = Anchor(self._told.now_ns, host_time_ns, None)
        return self._and_then(replace(step, readings=readings), observed)

    def _fits(self, rate_hz: float) -> bool:
        """Whether an ECG can be judged at this rate; if not, that is counted, and said once."""
        if RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
            return True
        if not self._refused:
            log.warning(
                "samples at %g Hz: an ECG needs %g to %g Hz; such frames count as damaged",
                *(rate_hz, RATE_MIN_HZ, RATE_MAX_HZ),
            )
        self._refused += 1
        return False

    def _run(self, events: list[TimelineEvent]) -> Step:
        return self._and_then(Step(tuple(events)), self._observed(events))

    def _observed(self, events: list[TimelineEvent]) -> list[Observation]:
        return [each for event in events for each in self._observe(event)]

    def _catch_up(self) -> None:
        """A device whose counter stood still while it was away leaves no gap, but the alarms were
        told of silence meanwhile: their time must not wait for the stream to get there."""
        lag_ns = self.attended.now_ns - self.now_ns if self.attended else 0
        if self.attended and lag_ns > LAG_MAX_NS:
            self.attended.catch_up(lag_ns)

    def _and_then(self, step: Step, observations: list[Observation]) -> Step:
        """The step with more observations, and the alerts that they bring."""
        if not observations:
            return step
        alerts = [alert for each in observations for alert in self.alarm.observe(each)]
        return replace(
            step,
            observations=(*step.observations, *observations),
            alerts=(*step.alerts, *alerts),
        )

    def _observe(self, event: TimelineEvent) -> list[Observation]:
        segment, observed = self._segment_for(event)
        if isinstance(event, Chunk):
            self.lease.passed(event)
            if self.lease.is_due:
                observed += self._renewed(segment, self.lease.open_late(segment.format))
            observed += segment.push(self._with_contact(event))
            self._anchor = Anchor(
                segment.time_ns(event.start), event.host_time_ns, event.device_time_ns
            )
        elif isinstance(event, Gap):
            observed += segment.gap(event)
        return observed

    def _with_contact(self, chunk: Chunk) -> Chunk:
        """The chunk, all its leads off where the device has told so beside its samples."""
        lost_ns = self._contact_lost_ns
        if lost_ns is None or chunk.lead_off or chunk.host_time_ns - lost_ns > CONTACT_HELD_NS:
            return chunk
        return replace(chunk, lead_off=(1 << len(chunk.format.leads)) - 1)

    def _segment_for(self, event: TimelineEvent) -> tuple[Segment, list[Observation]]:
        """The segment of the event's format; where that is new, what the old one still held."""
        current = self._segment
        if current and not isinstance(event, FormatChange) and event.format == current.format:
            return current, []
        networks = self.lease.begin(event.format)
        observed = current.finish() if current else self._told.end()
        time_ns = current.time_ns(event.start) if current else self._told.now_ns
        self._segment = Segment(event.format, event.start, time_ns, self._settings, networks)
        had_failed = current is not None and bool(current.encoder_failure)
        return self._segment, [*observed, *self._limited(time_ns, had_failed)]

    def _renewed(self, segment: Segment, networks: Networks | None) -> list[Observation]:
        """Other networks from the next sample on."""
        observed = segment.renew(networks)
        return [*observed, *self._limited(segment.stop_time_ns)]

    def _limited(self, time_ns: int, had_failed: bool = False) -> list[Observation]:
        """Why the stream is given no encoder, where that has changed. A segment tells itself that
        its encoder has failed: what is said of the next one is then new in any case."""
        before, self._limitation = self._limitation, self.lease.limitation
        is_new = had_failed or before != self._limitation
        return [AnalysisLimited(time_ns, self._limitation)] if is_new else []
