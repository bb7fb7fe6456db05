"""Ring, conditioning, quality and QRS detection of one stream, in one compiled call a packet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.condition import Conditioner
from edge.events import Beat, Quality
from edge.kernels import direct
from edge.kernels.qrs_state import BEAT_COLUMNS, CONFIG, HISTORY_ROWS, STATE
from edge.kernels.signal_path import through
from edge.qrs import QrsDetector
from edge.quality import QualityMonitor
from edge.ring import Ring
from edge.samples import as_samples

__all__ = ["SignalPath"]

_NO_DETECTOR = (
    np.zeros(1, CONFIG),
    np.zeros(0, STATE),
    np.zeros((0, HISTORY_ROWS, 1)),
    np.array([0, -1]),
    np.empty((0, BEAT_COLUMNS)),
)
_NO_RING = np.empty((0, 0), np.float32), np.empty(0, np.uint8)

_through = direct(through)  # samples are checked, the rest is the stages' own


class SignalPath:
    """A conditioner and a quality monitor of one stream, with a ring and a QRS detector where
    there are any; the same as the stages one by one, bit for bit, and for any chunking.

    rate_hz, leads, highpass_hz, lowpass_hz, mains_hz: as the conditioner takes them.
    """

    def __init__(
        self,
        rate_hz: float,
        leads: int,
        *,
        highpass_hz: float = 0.5,
        lowpass_hz: float = 40.0,
        mains_hz: float | None = None,
    ) -> None:
        self._leads = leads
        self._conditioner = Conditioner(
            rate_hz, leads, highpass_hz=highpass_hz, lowpass_hz=lowpass_hz, mains_hz=mains_hz
        )
        self._quality = QualityMonitor(rate_hz, leads, mains_hz=mains_hz)
        self._conditioned = np.empty((math.ceil(rate_hz) + 1, leads), np.float32)
        self._join(None, None)

    @property
    def delay_s(self) -> float:
        """Group delay of the conditioner in the QRS band, in seconds."""
        return self._conditioner.delay_s

    def second_end(self, index: int) -> int:
        """Index at which the second of stream time that holds sample `index` is over."""
        return self._quality.second_end(index)

    def conditioned(self, count: int) -> NDArray[np.float32]:
        """What the last `process` has made of its `count` samples, microvolts, until the next."""
        return self._conditioned[:count]

    def process(
        self,
        start: int,
        samples_uv: NDArray[np.float32],
        lead_off_bits: int = 0,
        weights: Sequence[float] = (),
        detector: QrsDetector | None = None,
        ring: Ring | None = None,
    ) -> tuple[int, list[Beat], list[Quality]]:
        """Take samples up to the end of the second: how many, the beats that the detector has
        found, and the verdict on quality where the second is over.

        start: index of the first sample; must follow the last one taken, else ValueError.
        samples_uv: (n, leads), microvolts. lead_off_bits: bit k, lead k. weights: (leads,)
        usefulness of each lead to the detector. ring: where the samples are to be kept.
        """
        samples = as_samples(samples_uv, self._leads)
        if detector is not self._detector or ring is not self._ring:
            self._join(detector, ring)
        quality = self._quality
        left = quality.expect(start)
        count = len(samples) if len(samples) < left else left
        self._conditioner.prime(samples)
        if detector:
            detector.expect(start, count, weights)
        index = ring.advance(count) if ring else 0
        found = _through(samples, count, lead_off_bits, index, quality.slot, *self._memory)
        beats = detector.told(found) if detector and found else []
        return count, beats, quality.advance(count)

    def gap(self, start: int, length: int) -> list[Quality]:
        """Verdicts on the seconds that end in a gap, as the quality monitor gives them."""
        return self._quality.gap(start, length)

    def reset(self) -> None:
        """Forget the baseline, as after a gap; the next sample sets it."""
        self._conditioner.reset()

    def _join(self, detector: QrsDetector | None, ring: Ring | None) -> None:
        """From now on the kernel works with these; ValueError where they have other leads."""
        for each in (detector, ring):
            if each and each.leads != self._leads:
                name = type(each).__name__
                raise ValueError(f"{name} has {each.leads} leads, the path {self._leads}")
        self._detector, self._ring = detector, ring
        self._memory: tuple[NDArray[Any], ...] = (
            self._conditioned,
            *self._conditioner.memory,
            *self._quality.memory,
            *(detector.memory if detector else _NO_DETECTOR),
            *(ring.memory if ring else _NO_RING),
        )
