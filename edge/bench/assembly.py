"""Pipelines and monitors as `edge run` makes them, and one whose stages are timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from edge.alarm.limits import AlarmLimits
from edge.alarming import Alarms
from edge.assemble import alarms, encoder_factory, segment_settings
from edge.bench.laps import Laps, Timed
from edge.bench.recording import Recording
from edge.config import Signal
from edge.encoder_lease import EncoderFactory
from edge.networks import Networks
from edge.pipeline import Pipeline
from firmware_bridge.protocols import Decoder
from firmware_bridge.stream import StreamFormat
from firmware_bridge.timeline import Timeline
from models.beat_stage import BeatStage
from models.encoder import Encoder

__all__ = ["Assembly", "TimedPipeline"]


@dataclass(frozen=True, slots=True)
class Assembly:
    """What all streams of one measurement share: recording, bundle and device."""

    recording: Recording
    encoder_for: EncoderFactory

    @classmethod
    def of(cls, recording: Recording, bundle: str, device: str) -> Assembly:
        """Raises ModelError where the bundle cannot be trusted, or not run on the device."""
        return cls(recording, encoder_factory(bundle, device))

    def pipeline(self, decoder: Decoder, kind: Callable[..., Pipeline] = Pipeline) -> Pipeline:
        """A pipeline as `edge run` has it without a configuration."""
        return kind(decoder, alarms(AlarmLimits()), segment_settings(Signal()), self.encoder_for)

    def timed(self, laps: Laps) -> TimedPipeline:
        """A pipeline that notes what its stages take."""
        return TimedPipeline(
            self.recording.source().decoder, alarms(AlarmLimits()), self.encoder_for, laps
        )


class TimedPipeline(Pipeline):
    """The pipeline itself; its parts are stand-ins that time the originals."""

    def __init__(
        self, decoder: Decoder, alarm: Alarms, encoder_for: EncoderFactory, laps: Laps
    ) -> None:
        super().__init__(
            cast(Decoder, Timed(decoder, laps, "decode", "push")),
            cast(Alarms, Timed(alarm, laps, "alarm", "observe")),
            segment_settings(Signal()),
            _timed_networks(encoder_for, laps),
        )
        self._timeline = cast(Timeline, Timed(self._timeline, laps, "timeline", "push"))


def _timed_networks(encoder_for: EncoderFactory, laps: Laps) -> EncoderFactory:
    def networks_for(form: StreamFormat) -> Networks | None:
        networks = encoder_for(form)
        if networks is None:
            return None
        encoder = cast(Encoder, Timed(networks.encoder, laps, "encoder", "step"))
        stage = networks.beat_stage
        judge = Timed(stage, laps, "beat stage", "push") if stage else None
        return Networks(encoder, cast("BeatStage | None", judge))

    return networks_for
