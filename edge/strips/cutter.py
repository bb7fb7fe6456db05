"""Cuts strips as alerts start. Runs in the engine's thread, and only copies there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from edge.actions import AskStrip, Outcome
from edge.alert import Alert
from edge.messages import StateMessage
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Step
from edge.segment import Segment
from edge.strips.beats import RecentBeats
from edge.strips.cut import ASKED_S, Cut, copied, span_ns
from edge.strips.wanted import Recurrences, Wanted, made, rate_bpm
from firmware_bridge.stream import NS_PER_S

__all__ = ["StripCutter"]

LATE_NS = 2 * NS_PER_S
"""How long after the end of a strip its last beats and their classes may become known."""
QUIET_TICKS = 6
"""Seconds of host time without a sample after which no more are waited for, 5 at the least."""
WAITING_MAX = 32
"""Alerts of one patient that may wait for their strip: more than there are kinds."""
ASKED_AGAIN_NS = 5 * NS_PER_S
"""Who asks for strips gets one in so much of the stream."""


@dataclass(slots=True)
class _Watch:
    """What is known of one patient. quiet: ticks since the last sample."""

    monitor: Monitor
    recurrences: Recurrences
    segment: Segment | None = None
    beats: RecentBeats = field(default_factory=RecentBeats)
    wanted: list[Wanted] = field(default_factory=list)
    quiet: int = 0
    asked_ns: int = -ASKED_AGAIN_NS


class StripCutter:
    """An `Observer` that cuts a strip for every alert whose condition starts, or returns, while
    there are samples.

    take: gets each strip, in the engine's thread; must not block.
    """

    def __init__(self, take: Callable[[Cut], bool]) -> None:
        self._take = take
        self._watches: dict[str, _Watch] = {}
        self.left_out = 0
        """Strips that found no room to wait."""

    def watch(self, monitors: Iterable[Monitor]) -> None:
        """Give these monitors' patients strips on request, too. Before the run begins."""
        for monitor in monitors:
            monitor.on_ask_strip = self.asked
            self._watch(monitor)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Note alerts that start, and cut what is complete."""
        watch = self._watch(monitor)
        watch.beats.observe(step.observations)
        if step.events:
            watch.quiet = 0
        before, watch.segment = watch.segment, monitor.pipeline.segment
        if before is not None and before is not watch.segment:
            self._cut_all(watch, before)  # another format: the old one brings no more
        for alert in step.alerts:
            if watch.recurrences.begins(alert):
                self._want(watch, alert, before)
        if watch.wanted:
            self._cut_due(watch)

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """A source that has ended brings no more."""
        if monitor.finished:
            self._cut_rest(self._watch(monitor))

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """A source that stays silent is waited for no longer."""
        watch = self._watch(monitor)
        watch.quiet += 1
        if watch.quiet >= QUIET_TICKS:
            self._cut_rest(watch)

    def asked(self, monitor: Monitor, action: AskStrip) -> Outcome:
        """The last 15 s, now."""
        watch, now_ns = self._watch(monitor), monitor.now_ns
        segment = monitor.pipeline.segment
        if segment is None:
            return Outcome(False, f"{monitor.patient.id} sends no ECG")
        if now_ns - watch.asked_ns < ASKED_AGAIN_NS:
            return Outcome(False, "a strip was made of these seconds; ask again in 5 s")
        from_ns = now_ns - round(ASKED_S * NS_PER_S)
        wanted = Wanted(str(uuid.uuid4()), None, from_ns, now_ns, rate_bpm(monitor))
        if not self._cut(watch, segment, wanted):
            return Outcome(False, "no strip: no signal in the last 15 s, or too many strips wait")
        watch.asked_ns = now_ns
        return Outcome(True, f"strip {wanted.id}")

    def finish(self) -> None:
        """Cut what waits: the run is over."""
        for watch in self._watches.values():
            self._cut_rest(watch)

    def _watch(self, monitor: Monitor) -> _Watch:
        watch = self._watches.get(monitor.patient.id)
        if watch is None:
            watch = _Watch(monitor, Recurrences(monitor.active))
            self._watches[monitor.patient.id] = watch
        return watch

    def _want(self, watch: _Watch, alert: Alert, before: Segment | None) -> None:
        segment = watch.segment
        if segment is None:
            return
        from_ns, until_ns = span_ns(alert.onset_ns, alert.time_ns)
        now_bpm = rate_bpm(watch.monitor, alert.kind)
        wanted = Wanted(alert.id, alert, from_ns, until_ns, now_bpm)
        if before is not None and before is not segment and alert.time_ns <= segment.start_time_ns:
            self._cut(watch, before, wanted)
        elif len(watch.wanted) < WAITING_MAX:
            watch.wanted.append(wanted)
        else:
            self.left_out += 1

    def _cut_due(self, watch: _Watch) -> None:
        segment = watch.segment
        if segment is None:
            return
        known_ns = segment.stop_time_ns - LATE_NS
        for wanted in [each for each in watch.wanted if each.until_ns <= known_ns]:
            watch.wanted.remove(wanted)
            self._cut(watch, segment, wanted)

    def _cut_rest(self, watch: _Watch) -> None:
        if watch.segment is not None and watch.wanted:
            self._cut_all(watch, watch.segment)

    def _cut_all(self, watch: _Watch, segment: Segment) -> None:
        wanted, watch.wanted = watch.wanted, []
        for each in wanted:
            self._cut(watch, segment, each)

    def _cut(self, watch: _Watch, segment: Segment, wanted: Wanted) -> bool:
        signal = copied(segment, wanted.from_ns, wanted.until_ns)
        return signal is not None and self._take(made(watch.monitor, watch.beats, signal, wanted))
