"""Beats, their classes and rhythm of one conditioned stream, from whoever can tell them.

Beats come from the encoder where its bundle has a QRS head, otherwise from the QRS detector,
which then is the only one at work without an encoder, or after one has failed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.encode import EncoderStage
from edge.events import Beat, BeatsKnown, Observation
from edge.networks import Networks
from edge.qrs import QrsDetector
from firmware_bridge.stream import NS_PER_S
from models.encoder import Encoder

__all__ = ["Analysis"]

DETECTOR_LATENCY_NS = 500_000_000
"""Within this time the QRS detector knows a beat, but for one that it finds by searching back."""

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
        self._detector: QrsDetector | None = None
        self._detector_start = 0
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
        """The QRS detector, where beats come from it."""
        return self._detector

    def process(
        self,
        start: int,
        conditioned_uv: NDArray[np.float32],
        weights: Sequence[float],
        beats: Sequence[Beat] | None = None,
    ) -> list[Observation]:
        """What these samples make known. weights: trust in each lead, 0 to 1. beats: what
        `detector` has found in them, where it has been given them already."""
        heard = self._detector if beats is not None else None
        said = self._stage.push(conditioned_uv, weights) if self._stage else []
        if self._stage and self._stage.failed_at is not None:
            self._switch_off(self._stage.failed_at)
        if self._detector and self._detector is not heard:
            early = max(0, self._detector_start - start)
            beats = self._detector.process(start + early, conditioned_uv[early:], weights)
        return [*(beats or ()), *said]

    def due(self, position: int) -> int:
        """Index at which, from `position` on, something may become known, and not before."""
        if self._stage is None or self._detector is not None:
            return position
        return self._stage.due

    def renew(self, networks: Networks | None, start: int) -> list[Observation]:
        """Other networks from sample `start` on; what the former still held.

        Where beats come from the QRS detector before and after, it goes on as it is.
        """
        said = self.flush()
        time_ns = self._time_ns(start)
        if self._detector is None:
            said.append(BeatsKnown(time_ns, time_ns))
        self._stage = (
            EncoderStage(networks, self._rate_hz, self._leads, self._filter_delay_s)
            if networks
            else None
        )
        if self._stage:
            self._stage.begin(start)
        if self._stage and self._stage.hears_beats:
            self._detector = None
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

    def begin(self, start: int, missing: int) -> list[BeatsKnown]:
        """Time goes on at `start`, after `missing` samples that never came."""
        if self._detector:
            self._detector.gap(start - missing, missing)
        if self._stage and self._stage.failed_at is not None:
            self._switch_off(start)
        if self._stage:
            self._stage.begin(start)
        time_ns = self._time_ns(start)
        return [BeatsKnown(time_ns, time_ns)]

    def _switch_off(self, at: int) -> None:
        """The encoder has failed: without it, and beats from the detector, from here on."""
        self._stage = None
        if self._detector is None:
            self._start_detector(at)

    def _start_detector(self, start: int) -> None:
        self._detector = QrsDetector(self._rate_hz, self._leads, delay_s=self._filter_delay_s)
        self._detector_start = start

    def _time_ns(self, index: int) -> int:
        return round(index / self._rate_hz * NS_PER_S)
