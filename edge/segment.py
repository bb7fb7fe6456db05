"""The signal stages of one stretch of one format: ring, conditioning, quality, beats, encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.condition import Conditioner
from edge.encode import EncoderStage
from edge.events import Beat, BeatLabel, LeadQuality, Observation, Quality, Rhythm, shifted
from edge.qrs import QrsDetector
from edge.quality import QualityMonitor
from edge.ring import Ring
from firmware_bridge.stream import NS_PER_S, Chunk, Gap, StreamFormat
from models.encoder import Encoder

NOISY_WEIGHT = 0.05
"""Trust in a lead that is nothing but noise, relative to 1 for a clean one."""

RING_S = 30.0
"""Seconds of raw signal kept for evidence strips and views."""


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """How the signal is conditioned. bridge_s: gaps up to this long are bridged by a line."""

    highpass_hz: float = 0.5
    lowpass_hz: float = 40.0
    mains_hz: int = 50
    bridge_s: float = 0.25


class Segment:
    """All stages for one stream format, from `start` on the stream's axis.

    Observations come out in the order in which they became known, the same for any chunking.
    """

    def __init__(
        self,
        format: StreamFormat,
        start: int,
        start_time_ns: int,
        settings: SegmentSettings,
        encoder: Encoder | None,
    ) -> None:
        leads = len(format.leads)
        self.format = format
        self.ring = Ring(round(RING_S * format.rate_hz), leads)
        self._start = start
        self._start_time_ns = start_time_ns
        self._settings = settings
        self._conditioner = Conditioner(
            format.rate_hz,
            leads,
            highpass_hz=settings.highpass_hz,
            lowpass_hz=settings.lowpass_hz,
            mains_hz=settings.mains_hz or None,
        )
        self._quality = QualityMonitor(format.rate_hz, leads, mains_hz=settings.mains_hz or None)
        self._detector = QrsDetector(format.rate_hz, leads, delay_s=self._conditioner.delay_s)
        self._encoder = _stage(encoder, format)
        self._encoder_start = 0
        self._weights = [1.0] * leads
        self._last = np.zeros(leads, dtype=np.float32)
        self._position = 0
        self._bridging = 0
        self._bridged = 0
        self._bridged_until_ns = -1
        self._fresh = True

    @property
    def encoder(self) -> Encoder | None:
        """The encoder at work, None on rules alone."""
        return self._encoder.encoder if self._encoder else None

    @property
    def stop_time_ns(self) -> int:
        """Stream time one past the newest sample."""
        return self.time_ns(self._start + self._position)

    def time_ns(self, index: int) -> int:
        """Stream time of a sample, by its index on the stream's axis."""
        return self._start_time_ns + self._local_ns(index - self._start)

    def push(self, chunk: Chunk) -> list[Observation]:
        """Observations that these samples complete."""
        samples = np.ascontiguousarray(chunk.samples_uv, dtype=np.float32)
        observed: list[Observation] = []
        if self._bridging:
            observed += self._bridge(samples[0], chunk.lead_off)
        self.ring.append(samples)
        observed += self._process(samples, chunk.lead_off)
        return observed

    def gap(self, gap: Gap) -> list[Observation]:
        """A short gap is bridged once the next samples come; after a longer one all begins anew."""
        self.ring.append_gap(gap.length)
        self._bridging += gap.length
        if not self._fresh and self._bridging <= self._settings.bridge_s * self.format.rate_hz:
            return []
        missing, self._bridging = self._bridging, 0
        observed = self._quality.gap(self._position, missing)
        self._detector.gap(self._position, missing)
        self._position += missing
        self._restart()
        self._weigh(observed)
        return self._placed(observed)

    def _bridge(self, following: NDArray[np.float32], lead_off: int) -> list[Observation]:
        """Straight lines over the gap keep the filters and the encoder's past."""
        count, self._bridging = self._bridging, 0
        share = np.arange(1, count + 1, dtype=np.float32)[:, None] / np.float32(count + 1)
        line = self._last + share * (following - self._last)
        self._bridged_until_ns = self._local_ns(self._position + count)
        return self._process(np.ascontiguousarray(line, dtype=np.float32), lead_off, missing=True)

    def _process(
        self, samples: NDArray[np.float32], lead_off: int, missing: bool = False
    ) -> list[Observation]:
        """One piece for each second, so that a second's quality weighs all that follows it."""
        observed: list[Observation] = []
        taken = 0
        while taken < len(samples):
            left = self._quality.second_end(self._position) - self._position
            count = min(len(samples) - taken, left)
            observed += self._piece(samples[taken : taken + count], lead_off, missing)
            taken += count
        if len(samples):
            self._last = samples[-1].copy()
            self._fresh = False
        return self._placed(observed)

    def _piece(
        self, samples: NDArray[np.float32], lead_off: int, missing: bool
    ) -> list[Observation]:
        start = self._position
        self._position += len(samples)
        conditioned = self._conditioner.process(samples)
        beats = [self._honest(b) for b in self._detector.process(start, conditioned, self._weights)]
        observed: list[Observation] = [*beats]
        if self._encoder:
            observed += self._encode(self._encoder, conditioned, beats)
        self._bridged += len(samples) if missing else 0
        quality = self._judge(start, samples, conditioned, lead_off)
        self._weigh(quality)
        return sorted([*observed, *quality], key=_known_ns)

    def _encode(
        self, stage: EncoderStage, conditioned: NDArray[np.float32], beats: Sequence[Beat]
    ) -> list[Observation]:
        origin_ns = self._local_ns(self._encoder_start)
        known: list[Rhythm | BeatLabel] = [*stage.push(conditioned, self._weights)]
        own = [shifted(beat, 0, -origin_ns) for beat in beats]
        known += stage.label(beat for beat in own if isinstance(beat, Beat) and beat.time_ns >= 0)
        return [shifted(each, 0, origin_ns) for each in known]

    def _judge(
        self,
        start: int,
        samples: NDArray[np.float32],
        conditioned: NDArray[np.float32],
        lead_off: int,
    ) -> list[Quality]:
        """Quality of the second that ends here, if one does; bridged samples count as missing."""
        judged = self._quality.process(start, samples, conditioned, lead_off)
        if not judged:
            return judged
        bridged, self._bridged = self._bridged / self.format.rate_hz, 0
        return [replace(each, missing=min(1.0, each.missing + bridged)) for each in judged]

    def _restart(self) -> None:
        self._conditioner.reset()
        self._fresh = True
        self._encoder_start = self._position
        if self._encoder:
            self._encoder.reset()

    def _honest(self, beat: Beat) -> Beat:
        """An RR interval over a bridged gap may hide a beat: it is not one."""
        if beat.rr_ms is None or beat.time_ns - beat.rr_ms * 1e6 > self._bridged_until_ns:
            return beat
        return replace(beat, rr_ms=None)

    def _weigh(self, observed: Sequence[Quality]) -> None:
        for quality in observed:
            self._weights = [_weight(lead) for lead in quality.leads]

    def _placed(self, observed: Sequence[Observation]) -> list[Observation]:
        return [shifted(each, self._start, self._start_time_ns) for each in observed]

    def _local_ns(self, position: int) -> int:
        return round(position / self.format.rate_hz * NS_PER_S)


def _weight(lead: LeadQuality) -> float:
    """Trust in a lead: noise lowers it, but only where there is no signal at all is it not heard,
    for beats in noise are better than none; the alarms know how good they are."""
    silent = lead.lead_off or lead.flat or lead.saturated
    return 0.0 if silent else max(lead.score, NOISY_WEIGHT)


def _stage(encoder: Encoder | None, format: StreamFormat) -> EncoderStage | None:
    if encoder is None:
        return None
    heard = min(len(format.leads), encoder.manifest.input.leads_max)
    return EncoderStage(encoder, format.rate_hz, range(heard))


def _known_ns(observation: Observation) -> int:
    match observation:
        case Beat():
            return observation.detected_ns
        case BeatLabel():
            return observation.known_ns
        case _:
            return observation.time_ns
