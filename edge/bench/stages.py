"""Where the time goes: each stage of the pipeline timed, and the delays that algorithms have."""

from __future__ import annotations

from statistics import median

from edge.alert import Phase
from edge.bench.assembly import Assembly, TimedPipeline
from edge.bench.cost import WARM_UP_PACKETS
from edge.bench.distribution import distribution
from edge.bench.laps import Laps
from edge.bench.report import DecisionDelay, Delays, Stage
from edge.clock import Clock
from edge.events import Beat
from edge.pipeline import Step
from firmware_bridge.stream import NS_PER_S

__all__ = ["StageRun"]

REST = "signal"
"""The rest of a packet's way: ring, conditioning, quality, QRS detection, reading the encoder."""

STAGES = {
    "decode": "packet",
    "timeline": "frame",
    REST: "packet",
    "encoder": "hop",
    "beat stage": "beat",
    "alarm": "observation",
}
"""Stage to what one call of it handles."""

NS_PER_MS = NS_PER_S // 1000


class StageRun:
    """Plays the recording through pipelines whose stages are timed."""

    def __init__(self, assembly: Assembly, clock: Clock) -> None:
        self._assembly = assembly
        self._clock = clock
        self._laps = Laps(clock)
        self._beat_ms: list[float] = []
        self._alert_s: dict[str, list[float]] = {}

    def run(self, for_s: float) -> None:
        """Play for so long, and at least once to the end."""
        until_ns = self._clock.monotonic_ns() + round(for_s * NS_PER_S)
        self._play(None)
        while self._clock.monotonic_ns() < until_ns:
            self._play(until_ns)

    @property
    def stages(self) -> list[Stage]:
        """Those that ran, in the order of the way of a sample."""
        taken = {name: self._laps.us(name) for name in STAGES}
        all_us = sum(float(us.sum()) for us in taken.values())
        return [
            Stage(
                name=name,
                per=STAGES[name],
                share_percent=round(100 * float(us.sum()) / all_us, 1),
                time_us=distribution(us),
            )
            for name, us in taken.items()
            if len(us)
        ]

    @property
    def delays(self) -> Delays:
        """Of the first play, as they are the same in each."""
        alerts = [
            DecisionDelay(kind=kind, n=len(s), median_s=round(median(s), 3), max_s=round(max(s), 3))
            for kind, s in self._alert_s.items()
        ]
        return Delays(beat_ms=distribution(self._beat_ms), alerts=alerts)

    def _play(self, until_ns: int | None) -> None:
        pipeline, now_ns = self._assembly.timed(self._laps), self._clock.monotonic_ns
        for number, packet in enumerate(self._assembly.recording.packets()):
            self._laps.keep = number >= WARM_UP_PACKETS
            self._laps.sum_ns()
            began_ns = now_ns()
            step = pipeline.push(packet)
            ended_ns = now_ns()
            self._laps.note(REST, ended_ns - began_ns - self._laps.sum_ns())
            if until_ns is None:
                self._note_delays(pipeline, step)
            elif ended_ns >= until_ns:
                return

    def _note_delays(self, pipeline: TimedPipeline, step: Step) -> None:
        known_ns = pipeline.now_ns
        for each in step.observations:
            if isinstance(each, Beat):
                self._beat_ms.append((known_ns - each.time_ns) / NS_PER_MS)
        for alert in step.alerts:
            if alert.phase is Phase.START:
                delay_s = (known_ns - alert.onset_ns) / NS_PER_S
                self._alert_s.setdefault(alert.kind, []).append(delay_s)
