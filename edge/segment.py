"""The signal stages of one stretch of one format: ring, conditioning, quality, beats, encoder."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from edge.analysis import Analysis
from edge.events import Beat, BeatLabel, LeadQuality, Observation, Quality, shifted
from edge.networks import Networks
from edge.ring import Ring
from edge.signal_path import SignalPath
from firmware_bridge.stream import NS_PER_S, Chunk, Gap, StreamFormat
from models.encoder import Encoder

NOISY_WEIGHT = 0.05
"""Trust in a lead that is nothing but noise, relative to 1 for a clean one."""

RING_S = 30.0
"""Seconds of raw signal kept for evidence strips and views."""

TWIN_NS = 200_000_000
"""No two QRS are closer (300 to the minute). Where networks change within one, both tell it."""

BRIDGES_KEPT = 256
"""Bridges remembered for the RR intervals of beats that are known late: far more than seconds
that still count as clean can hold."""


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Samples that wait to be analysed. missing: a line over a gap, not the device's own."""

    samples_uv: NDArray[np.float32]
    lead_off: int
    missing: bool


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
    Samples that cannot complete one are held, and analysed together with those that do, once a
    second; where the QRS detector listens every sample can, and none is held.
    """

    def __init__(
        self,
        format: StreamFormat,
        start: int,
        start_time_ns: int,
        settings: SegmentSettings,
        networks: Networks | None,
    ) -> None:
        leads = len(format.leads)
        self.format = format
        self.ring = Ring(round(RING_S * format.rate_hz), leads)
        self._start = start
        self._start_time_ns = start_time_ns
        self._settings = settings
        self._path = SignalPath(
            format.rate_hz,
            leads,
            highpass_hz=settings.highpass_hz,
            lowpass_hz=settings.lowpass_hz,
            mains_hz=settings.mains_hz or None,
        )
        self._analysis = Analysis(format.rate_hz, leads, self._path.delay_s, networks)
        self._weights = [1.0] * leads
        self._last = np.zeros(leads, dtype=np.float32)
        self._position = 0
        self._held: list[_Held] = []
        self._taken = 0
        self._bridging = 0
        self._bridged = 0
        self._bridges_ns: deque[tuple[int, int]] = deque(maxlen=BRIDGES_KEPT)
        self._beat_ns: int | None = None
        self._twin_ns = -1
        self._fresh = True

    @property
    def encoder(self) -> Encoder | None:
        """The encoder at work, None on rules alone."""
        return self._analysis.encoder

    @property
    def encoder_failure(self) -> str:
        """Why the encoder was switched off, in words; empty where it was not."""
        return self._analysis.encoder_failure

    @property
    def bundle_sha256(self) -> str:
        """Of the manifest of the bundle at work; empty on rules alone."""
        return self._analysis.bundle_sha256

    @property
    def start_time_ns(self) -> int:
        """Stream time of the segment's first sample, index 0 of the ring."""
        return self._start_time_ns

    @property
    def stop_time_ns(self) -> int:
        """Stream time one past the newest sample."""
        return self.time_ns(self._start + self._taken)

    def time_ns(self, index: int) -> int:
        """Stream time of a sample, by its index on the stream's axis."""
        return self._start_time_ns + self._local_ns(index - self._start)

    def push(self, chunk: Chunk) -> list[Observation]:
        """Observations that these samples complete."""
        if not len(chunk.samples_uv):
            return []
        if self._bridging:
            self._bridge(chunk.samples_uv[0], chunk.lead_off)
        if self._analysis.detector and not self._held:
            self._taken += len(chunk.samples_uv)
            self._fresh = False
            return self._placed(self._process(chunk.samples_uv, chunk.lead_off, False, self.ring))
        samples = np.array(chunk.samples_uv, np.float32, order="C")  # held, so a copy of our own
        self.ring.append(samples)
        self._hold(samples, chunk.lead_off)
        return self._placed(self._settle()) if self._taken >= self._due() else []

    def gap(self, gap: Gap) -> list[Observation]:
        """A short gap is bridged once the next samples come; after a longer one all begins anew."""
        if not self._bridging and not self._fresh:
            newest, _ = self.ring.window(self.ring.stop - 1, self.ring.stop)
            self._last = newest[0].copy()
        self.ring.append_gap(gap.length)
        self._bridging += gap.length
        if not self._fresh and self._bridging <= self._settings.bridge_s * self.format.rate_hz:
            return []
        missing, self._bridging = self._bridging, 0
        observed = [*self._settle(), *self._flush()]
        verdicts = self._path.gap(self._position, missing)
        self._position += missing
        self._taken = self._position
        self._weigh(verdicts)
        observed += [*verdicts, *self._restart(missing)]
        return self._placed(observed)

    def renew(self, networks: Networks | None) -> list[Observation]:
        """Other networks from the next sample on; filters and quality go on."""
        settled = self._settle()
        observed = self._analysis.renew(networks, self._position)
        return self._placed([*settled, *sorted(self._honest(observed), key=_known_ns)])

    def finish(self) -> list[Observation]:
        """No more samples will come: the beats that are not known yet, as far as they can be."""
        observed = [*self._settle(), *self._flush()]
        self._restart(0)
        return self._placed(observed)

    def _bridge(self, following: NDArray[np.float32], lead_off: int) -> None:
        """Straight lines over the gap keep the filters and the encoder's past."""
        count, self._bridging = self._bridging, 0
        share = np.arange(1, count + 1, dtype=np.float32)[:, None] / np.float32(count + 1)
        line = self._last + share * (following - self._last)
        stop_ns = self._local_ns(self._taken + count)
        self._bridges_ns.append((self._local_ns(self._taken), stop_ns))
        self._hold(np.ascontiguousarray(line, dtype=np.float32), lead_off, missing=True)

    def _hold(self, samples_uv: NDArray[np.float32], lead_off: int, missing: bool = False) -> None:
        self._held.append(_Held(samples_uv, lead_off, missing))
        self._taken += len(samples_uv)
        self._fresh = False

    def _due(self) -> int:
        """Samples after which something may become known."""
        return min(self._path.second_end(self._position), self._analysis.due(self._position))

    def _settle(self) -> list[Observation]:
        """Analyse what is held."""
        held, self._held = self._held, []
        observed: list[Observation] = []
        for (lead_off, missing), alike in groupby(held, lambda h: (h.lead_off, h.missing)):
            pieces = [each.samples_uv for each in alike]
            samples = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
            observed += self._process(samples, lead_off, missing)
        return observed

    def _process(
        self,
        samples: NDArray[np.float32],
        lead_off: int,
        missing: bool,
        ring: Ring | None = None,
    ) -> list[Observation]:
        """One piece for each second, so that a second's quality weighs all that follows it. ring:
        where the samples are to be kept as well."""
        observed: list[Observation] = []
        start = self._position
        while self._position < start + len(samples):
            observed += self._piece(samples[self._position - start :], lead_off, missing, ring)
        return observed

    def _piece(
        self, samples: NDArray[np.float32], lead_off: int, missing: bool, ring: Ring | None
    ) -> list[Observation]:
        """Samples up to the end of the second."""
        start, detector = self._position, self._analysis.detector
        count, beats, verdicts = self._path.process(
            start, samples, lead_off, self._weights, detector, ring
        )
        self._position += count
        conditioned = self._path.conditioned(count)
        said = self._analysis.process(start, conditioned, self._weights, beats)
        self._bridged += count if missing else 0
        if not (said or verdicts):
            return []
        observed = self._honest(said)
        quality = self._with_bridged(verdicts)
        self._weigh(quality)
        known = [each for q in quality for each in self._analysis.second_ended(q.time_ns)]
        return sorted([*observed, *quality, *known], key=_known_ns)

    def _with_bridged(self, judged: list[Quality]) -> list[Quality]:
        """Quality of the second that ends here, if one does; bridged samples count as missing."""
        if not judged:
            return judged
        bridged, self._bridged = self._bridged / self.format.rate_hz, 0
        return [replace(each, missing=min(1.0, each.missing + bridged)) for each in judged]

    def _flush(self) -> list[Observation]:
        return sorted(self._honest(self._analysis.flush()), key=_known_ns)

    def _restart(self, missing: int) -> list[Observation]:
        """Begin anew at the present position, after `missing` samples that never came."""
        self._path.reset()
        self._fresh = True
        return [*self._analysis.begin(self._position, missing)]

    def _honest(self, observed: Sequence[Observation]) -> list[Observation]:
        """What is passed on: no beat twice, and no RR interval that may hide a beat, over a bridged
        gap or from a beat left out."""
        return [each for each in map(self._passed_on, observed) if each is not None]

    def _passed_on(self, observation: Observation) -> Observation | None:
        match observation:
            case Beat():
                return self._single(observation)
            case BeatLabel():
                return None if observation.time_ns == self._twin_ns else observation
            case _:
                return observation

    def _single(self, beat: Beat) -> Beat | None:
        before_ns, after_twin = self._beat_ns, self._beat_ns == self._twin_ns
        self._beat_ns = beat.time_ns
        if beat.rr_ms is None and before_ns is not None and beat.time_ns - before_ns < TWIN_NS:
            self._twin_ns = beat.time_ns
            return None
        is_unsure = after_twin or self._spans_bridge(beat)
        return replace(beat, rr_ms=None) if is_unsure else beat

    def _spans_bridge(self, beat: Beat) -> bool:
        if beat.rr_ms is None:
            return False
        before_ns = beat.time_ns - beat.rr_ms * 1e6
        return any(start < beat.time_ns and before_ns <= stop for start, stop in self._bridges_ns)

    def _weigh(self, observed: Sequence[Quality]) -> None:
        for quality in observed:
            self._weights = [_weight(lead) for lead in quality.leads]

    def _placed(self, observed: Sequence[Observation]) -> list[Observation]:
        if not self._start and not self._start_time_ns:
            return list(observed)
        return [shifted(each, self._start, self._start_time_ns) for each in observed]

    def _local_ns(self, position: int) -> int:
        return round(position / self.format.rate_hz * NS_PER_S)


def _weight(lead: LeadQuality) -> float:
    """Trust in a lead: noise lowers it, but only where there is no signal at all is it not heard,
    for beats in noise are better than none; the alarms know how good they are."""
    silent = lead.lead_off or lead.flat or lead.saturated
    return 0.0 if silent else max(lead.score, NOISY_WEIGHT)


def _known_ns(observation: Observation) -> int:
    match observation:
        case Beat():
            return observation.detected_ns
        case BeatLabel():
            return observation.known_ns
        case _:
            return observation.time_ns
