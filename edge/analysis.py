"""Beats, their classes and rhythm of one conditioned stream, from whoever can tell them.

Beats come from the encoder where its bundle has a QRS head, otherwise from the QRS detector,
which then is the only one at work without an encoder, or after one has failed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.encode import EncoderStage
from edge.events import AnalysisLimited, Beat, BeatsKnown, Observation
from edge.networks import Networks
from edge.qrs import QrsDetector
from firmware_bridge.stream import NS_PER_S
from models.encoder import Encoder

__all__ = ["Analysis"]

DETECTOR_LATENCY_NS = 500_000_000
"""Within this time the QRS detector knows a beat, but for one that it finds by searching back."""

SHARED_NS = 100_000_000
"""Of a QRS into which the encoder begins it may hear too little: the detector tells those that lie
so close behind as well. What both tell is told once (`TWIN_NS` in `edge.segment`)."""

LEARNING_NS = 3 * NS_PER_S
"""The QRS detector reports no beat in its first two seconds; then those of these seconds too."""


class Analysis:
    """Listens to the stream from sample 0 on. Times and indices are on its axis.

    filter_delay_s: of the conditioner before it. Any chunking gives the same observations.
    """

    def __init__(
        self, rate_hz: float, leads: int, filter_delay_s: float, networks: Networks | None
    ) -> None:
        self._rate_hz = rate_hz
        self._leads = leads
        self._filter_delay_s = filter_delay_s
        self._stage = EncoderStage(networks, rate_hz, leads, filter_delay_s) if networks else None
        self.encoder_failure = ""
        """Why the encoder was switched off, in words; empty where it was not."""
        self._stop = 0
        self._detector: QrsDetector | None = None
        self._detector_start = 0
        self._former: QrsDetector | None = None
        self._handed_over = 0
        self._unsaid: list[Observation] = []
        if self._stage is None or not self._stage.hears_beats:
            self._start_detector(0)

    @property
    def encoder(self) -> Encoder | None:
        """The encoder at work, None on rules alone."""
        return self._stage.encoder if self._stage else None

    @property
    def bundle_sha256(self) -> str:
        """Of the manifest of the bundle at work; empty on rules alone."""
        return self._stage.bundle_sha256 if self._stage else ""

    @property
    def detector(self) -> QrsDetector | None:
        """The QRS detector, where beats come from it and it listens from the next sample on: after
        a failure that is one later, where the hop in which it came ends with these samples."""
        return self._detector if self._detector_start <= self._stop else None

    def process(
        self,
        start: int,
        conditioned_uv: NDArray[np.float32],
        weights: Sequence[float],
        beats: Sequence[Beat] | None = None,
    ) -> list[Observation]:
        """What these samples make known. weights: trust in each lead, 0 to 1. beats: what
        `detector` has found in them, where it has been given them already."""
        heard = self.detector if beats is not None else None
        self._stop = start + len(conditioned_uv)
        last_words = self._last_words(start, conditioned_uv, weights)
        said = self._stage.push(conditioned_uv, weights) if self._stage else []
        if self._stage and self._stage.failed_at is not None:
            said.append(self._switch_off(self._stage, self._stage.failed_at))
        if self._detector and self._detector is not heard:
            early = max(0, self._detector_start - start)
            beats = self._detector.process(start + early, conditioned_uv[early:], weights)
        return [*last_words, *(beats or ()), *said]

    def due(self, position: int) -> int:
        """Index at which, from `position` on, something may become known, and not before."""
        if self._stage is None or self._detector is not None or self._former is not None:
            return position
        return self._stage.due

    def renew(self, networks: Networks | None, start: int) -> list[Observation]:
        """Other networks from sample `start` on; what the former still held.

        Where beats come from the QRS detector before and after, it goes on as it is. Where they
        come from it no more, it listens until it has told those before `start`.
        """
        said = self._taken_back() if self._former else self.flush()
        time_ns = self._time_ns(start)
        if self._detector is None:
            said.append(BeatsKnown(time_ns, time_ns))
        if self.encoder_failure:
            said.append(AnalysisLimited(time_ns))
            self.encoder_failure = ""
        self._stage = (
            EncoderStage(networks, self._rate_hz, self._leads, self._filter_delay_s)
            if networks
            else None
        )
        if self._stage:
            self._stage.begin(start)
        if self._stage and self._stage.hears_beats:
            self._former, self._detector = self._detector, None
            self._handed_over, self._unsaid = start, []
        elif self._detector is None:
            self._start_detector(start)
        return said

    def second_ended(self, time_ns: int) -> list[BeatsKnown]:
        """How far beats are known at the end of a second, where the QRS detector finds them."""
        if self._detector is None or time_ns < self._time_ns(self._detector_start) + LEARNING_NS:
            return []
        return [BeatsKnown(time_ns, time_ns - DETECTOR_LATENCY_NS)]

    def flush(self) -> list[Observation]:
        """What still waits for samples that will not come: before a gap, and at the end."""
        return self._stage.flush() if self._stage else []

    def begin(self, start: int, missing: int) -> list[Observation]:
        """Time goes on at `start`, after `missing` samples that never came."""
        self._stop = start
        self._former = None
        if self._detector:
            self._detector.gap(start - missing, missing)
            if self._detector.learns:
                self._detector_start = start
        time_ns = self._time_ns(start)
        said: list[Observation] = [BeatsKnown(time_ns, time_ns)]
        if self._stage and self._stage.failed_at is not None:
            said.append(self._switch_off(self._stage, start))
        if self._stage:
            self._stage.begin(start)
        return said

    def _last_words(
        self, start: int, conditioned_uv: NDArray[np.float32], weights: Sequence[float]
    ) -> list[Beat]:
        """Beats that the detector knows only now that the encoder has taken over."""
        if self._former is None:
            return []
        left = self._handed_over + self._samples(DETECTOR_LATENCY_NS) - start
        beats = self._former.process(start, conditioned_uv[:left], weights)
        if len(conditioned_uv) >= left:
            self._former = None
        stop = self._handed_over + self._samples(SHARED_NS)
        self._unsaid += [beat for beat in beats if beat.index >= stop]
        return [beat for beat in beats if beat.index < stop]

    def _taken_back(self) -> list[Observation]:
        """The detector goes on as if the encoder had never taken over, which has no beat so soon;
        what it has kept to itself since then."""
        self._detector, self._former = self._former, None
        return self._unsaid

    def _switch_off(self, failed: EncoderStage, at: int) -> AnalysisLimited:
        """Without the encoder, and beats from the detector, from here on."""
        self.encoder_failure = failed.failure
        self._stage = None
        if self._detector is None:
            self._start_detector(at)
        return AnalysisLimited(self._time_ns(at), failed.failure)

    def _start_detector(self, start: int) -> None:
        self._detector = QrsDetector(self._rate_hz, self._leads, delay_s=self._filter_delay_s)
        self._detector_start = start

    def _samples(self, time_ns: int) -> int:
        return round(time_ns * self._rate_hz / NS_PER_S)

    def _time_ns(self, index: int) -> int:
        return round(index / self._rate_hz * NS_PER_S)
