"""Frames in the order they came, to chunks and gaps on one gapless axis of sample indices.

Where a sample stands is told, in this order of preference, by the device's sample counter, by
its clock, or by arrival alone. In-order frames pass at once; early ones wait, a few at most.
A frame far from its place (behind by several windows, or ahead by more than an hour that the
host did not see pass) is believed only when the next frame continues it: then the device has
restarted, and the host's clock tells how long it was away.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from firmware_bridge.origin import Origin
from firmware_bridge.position import Arrival, continues, offset, offset_by_arrival
from firmware_bridge.reorder import GapMemory, ReorderWindow
from firmware_bridge.stream import (
    NS_PER_S,
    Chunk,
    FormatChange,
    Frame,
    Gap,
    GapCause,
    TimelineCount,
    TimelineEvent,
)
from firmware_bridge.stream_clock import StreamClock

__all__ = ["Timeline"]

FAR_WINDOWS = 4
"""Reorder windows by which a frame may be behind before a restart is suspected."""
WINDOW_FRAMES_MIN = 8
"""A smaller reorder window counts as this many frames there: links without order repeat too."""
JUMP_MAX_S = 3600
"""Longest jump ahead that a counter may make beyond the time that passed on the host."""


@dataclass(slots=True)
class _Counts:
    """What of TimelineCount grows sample by sample and event by event."""

    received: int = 0
    delivered: int = 0
    duplicate: int = 0
    late: int = 0
    bad: int = 0
    gap: int = 0
    reboots: int = 0
    format_changes: int = 0


class Timeline:
    """Places frames on the stream's axis; pure, and with bounded memory.

    reorder_frames: how many frames may wait for a missing one before it is declared lost; 0
        for links that keep the order. Only frames with a counter can wait.
    """

    def __init__(self, reorder_frames: int = 8) -> None:
        if reorder_frames < 0:
            raise ValueError(f"reorder_frames must not be negative, but is {reorder_frames}")
        self._reorder_frames = reorder_frames
        self._window = ReorderWindow()
        self._gaps = GapMemory()
        self._clock = StreamClock()
        self._counts = _Counts()
        self._origin: Origin | None = None
        self._former_origin: Origin | None = None
        self._frames_since_restart = 0
        self._frame_samples_max = 1
        self._next = 0
        self._counter_at_zero = 0
        self._anchor_start = 0
        self._last: Arrival | None = None
        self._suspect: Arrival | None = None
        self._broken_ns: int | None = None

    @property
    def count(self) -> TimelineCount:
        """Counts so far; both equations of TimelineCount hold after every call."""
        counts, suspected = self._counts, self._suspect.samples if self._suspect else 0
        return TimelineCount(
            received=counts.received,
            delivered=counts.delivered,
            duplicate=counts.duplicate,
            late=counts.late,
            bad=counts.bad,
            pending=self._window.samples + suspected,
            gap=counts.gap,
            span=self._next,
            reboots=counts.reboots,
            format_changes=counts.format_changes,
            drift_ppm=self._clock.drift_ppm,
        )

    def push(self, frame: Frame, host_time_ns: int) -> list[TimelineEvent]:
        """Take a frame that arrived at `host_time_ns` (host monotonic clock)."""
        samples = frame.samples_uv.shape[0]
        self._counts.received += samples
        if not _is_sound(frame):
            self._counts.bad += samples
            return []
        if not samples:
            return []
        self._frames_since_restart += 1
        return self._accept(Arrival(frame, host_time_ns, samples, NS_PER_S / frame.format.rate_hz))

    def flush(self) -> list[TimelineEvent]:
        """End of the stream: release all that waits."""
        self._drop_suspect()
        events: list[TimelineEvent] = []
        while self._window:
            events += self._release_window()
        return events

    def disconnected(self, host_time_ns: int) -> list[TimelineEvent]:
        """The link broke at `host_time_ns`: release all that waits.

        The first frame that arrives later says how long the gap is; its cause is "disconnect".
        """
        events = self.flush()
        if self._origin is not None:
            self._broken_ns = host_time_ns
        return events

    def _accept(self, arrival: Arrival) -> list[TimelineEvent]:
        if self._origin is None:
            self._anchor(arrival, Origin.of(arrival.frame))
        elif not self._origin.fits(arrival.frame):
            origin = Origin.of(arrival.frame)
            if origin == self._former_origin and self._is_reordering():
                self._counts.late += arrival.samples
                return []
            return self._begin_anew(arrival, origin)
        ahead = self._offset(arrival)
        if ahead == 0 or self._is_plausible(arrival, ahead):
            self._drop_suspect()
            return self._place(arrival.at(self._next + ahead))
        if self._is_after_break(arrival) and arrival.frame.boot_id is None:
            return self._begin_anew(arrival, Origin.of(arrival.frame))
        return self._doubt(arrival, ahead)

    def _is_reordering(self) -> bool:
        return self._frames_since_restart <= self._reorder_frames

    def _is_after_break(self, arrival: Arrival) -> bool:
        return self._broken_ns is not None and arrival.host_time_ns >= self._broken_ns

    def _offset(self, arrival: Arrival) -> int:
        expected = self._counter_at_zero + self._next
        return offset(arrival, self._last, expected, self._is_after_break(arrival))

    def _is_plausible(self, arrival: Arrival, ahead: int) -> bool:
        if ahead > 0:
            passed = offset_by_arrival(arrival, self._last)
            return ahead <= passed + JUMP_MAX_S * arrival.frame.format.rate_hz
        if self._is_after_break(arrival) and arrival.frame.boot_id is None:
            return ahead + arrival.samples > 0
        return -ahead <= FAR_WINDOWS * self._window_samples()

    def _window_samples(self) -> int:
        return max(WINDOW_FRAMES_MIN, self._reorder_frames) * self._frame_samples_max

    def _doubt(self, arrival: Arrival, ahead: int) -> list[TimelineEvent]:
        """Hold back a frame far from its place, until the next one speaks for or against it."""
        suspect = self._suspect
        if suspect is None or not continues(suspect, arrival, self._window_samples()):
            self._drop_suspect()
            self._suspect = arrival.at(self._next + ahead)
            return []
        self._suspect = None
        events = self._begin_anew(suspect, Origin.of(suspect.frame))
        return events + self._accept(arrival)

    def _drop_suspect(self) -> None:
        if self._suspect is not None:
            samples, is_behind = self._suspect.samples, self._suspect.start < self._next
            self._suspect = None
            if is_behind:
                self._counts.late += samples
            else:
                self._counts.bad += samples

    def _begin_anew(self, arrival: Arrival, origin: Origin) -> list[TimelineEvent]:
        """Another boot or another format: the axis goes on, counter and clock begin anew."""
        events = self.flush()
        is_reboot, has_new_format = origin.changes(self._origin)
        if has_new_format:
            events.append(FormatChange(self._next, origin.format))
            self._counts.format_changes += 1
        if is_reboot:
            self._counts.reboots += 1
        self._clock.begin_anew(is_reboot)
        if is_reboot or self._is_after_break(arrival):
            missing = offset_by_arrival(arrival, self._last)
            events += self._declare_gap(self._next + missing, arrival, "reboot")
        self._former_origin, self._frames_since_restart = self._origin, 1
        self._anchor(arrival, origin)
        return events + self._place(arrival.at(self._next))

    def _anchor(self, arrival: Arrival, origin: Origin) -> None:
        """From here on this frame's first sample is the next on the axis."""
        self._origin = origin
        self._frame_samples_max = arrival.samples
        self._last = None
        self._anchor_start = self._next
        self._counter_at_zero = (arrival.frame.counter or 0) - self._next

    def _place(self, arrival: Arrival) -> list[TimelineEvent]:
        if arrival.samples > self._frame_samples_max:
            self._frame_samples_max = arrival.samples
        if arrival.stop <= self._next:
            self._count_passed(arrival.start, arrival.stop)
            return []
        self._clock.observe(arrival, self._is_after_break(arrival))
        if arrival.start <= self._next:
            return self._deliver(arrival) + self._drain()
        can_wait = arrival.frame.counter is not None and not self._is_after_break(arrival)
        if not can_wait or not self._reorder_frames:
            return self._declare_gap(arrival.start, arrival, "loss") + self._deliver(arrival)
        if not self._window.add(arrival):
            self._counts.duplicate += arrival.samples
        if len(self._window) < self._reorder_frames:
            return []
        return self._release_window()

    def _release_window(self) -> list[TimelineEvent]:
        """Give up what is missing before the earliest frame that waits."""
        first = self._window.pop()
        return self._declare_gap(first.start, first, "loss") + self._deliver(first) + self._drain()

    def _drain(self) -> list[TimelineEvent]:
        events: list[TimelineEvent] = []
        while due := self._window.pop_due(self._next):
            events += self._deliver(due)
        return events

    def _declare_gap(self, stop: int, arrival: Arrival, cause: GapCause) -> list[TimelineEvent]:
        length = stop - self._next
        if length <= 0:
            return []
        if self._is_after_break(arrival):
            cause = "disconnect"
        gap = Gap(arrival.frame.format, self._next, length, cause)
        self._gaps.add(self._next, stop)
        self._counts.gap += length
        self._next = stop
        return [gap]

    def _deliver(self, arrival: Arrival) -> list[TimelineEvent]:
        """The part of the frame that is new, if any."""
        known = self._next - arrival.start
        if known > 0:
            self._count_passed(arrival.start, min(self._next, arrival.stop))
        if known >= arrival.samples:
            return []
        if self._is_after_break(arrival):
            self._broken_ns = None
        chunk = self._chunk(arrival, known)
        self._counts.delivered += arrival.samples - known
        self._next = arrival.stop
        self._last = arrival
        return [chunk]

    def _chunk(self, arrival: Arrival, known: int) -> Chunk:
        frame = arrival.frame
        device_ns = frame.device_time_ns
        known_ns = round(known * arrival.period_ns)
        return Chunk(
            format=frame.format,
            start=self._next,
            samples_uv=frame.samples_uv[known:],
            host_time_ns=self._clock.first_ns(arrival) + known_ns,
            device_time_ns=None if device_ns is None else device_ns + known_ns,
            lead_off=frame.lead_off,
            battery_percent=frame.battery_percent,
        )

    def _count_passed(self, start: int, stop: int) -> None:
        """Samples whose place has passed: late where nothing stands there, else duplicate."""
        before = max(0, min(stop, self._anchor_start) - start)
        late = before + self._gaps.overlap(max(start, self._anchor_start), stop)
        self._counts.late += late
        self._counts.duplicate += stop - start - late


def _is_sound(frame: Frame) -> bool:
    shape, counter = frame.samples_uv.shape, frame.counter
    has_shape = len(shape) == 2 and shape[1] == len(frame.format.leads)
    has_rate = 0 < frame.format.rate_hz < inf
    return has_shape and has_rate and (counter is None or 0 <= counter < frame.counter_modulus)
