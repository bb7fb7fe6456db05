"""A conditioned stream cut into the hops that an encoder takes: resampled, in order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.resample import Resampler
from models.manifest import Input

__all__ = ["Hop", "HopCutter"]


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """What one step takes.

    number: hops before it since `begin`. known_at: index on the stream's axis of the sample
    that follows the last one that it needed. samples_uv: float32, (leads, hop_samples).
    """

    number: int
    known_at: int
    samples_uv: NDArray[np.float32]


class HopCutter:
    """Resamples one stream to the encoder's rate; any chunking gives the same hops.

    leads: of the stream, how many the encoder hears: the first ones.
    """

    def __init__(self, rate_hz: float, facts: Input, leads: int) -> None:
        self._ratio = rate_hz / facts.rate_hz
        self._leads = leads
        self._resampler = Resampler(rate_hz, facts.rate_hz, leads)
        self._samples = np.empty((leads, facts.hop_samples), np.float32)
        self.begin(0)

    @property
    def delay_s(self) -> float:
        """How far the hops lag the stream, in seconds."""
        return self._resampler.delay_s

    @property
    def due(self) -> int:
        """Index of the sample that follows the last one which the next hop needs."""
        last_output = (self._number + 1) * self._samples.shape[1] - 1
        return self._start + math.ceil(last_output * self._ratio) + 1

    def begin(self, start: int) -> None:
        """Forget the past, as after a gap; the next sample has this index."""
        self._resampler.reset()
        self._start = start
        self._filled = 0
        self._number = 0

    def push(self, conditioned_uv: NDArray[np.float32]) -> Iterator[Hop]:
        """Hops that these samples complete. conditioned_uv: float32, (samples, leads)."""
        resampled = self._resampler.process(conditioned_uv[:, : self._leads])
        taken = 0
        while taken < len(resampled):
            taken += self._fill(resampled[taken:])
            if self._filled == self._samples.shape[1]:
                yield self._whole()

    def _fill(self, samples: NDArray[np.float32]) -> int:
        count = min(len(samples), self._samples.shape[1] - self._filled)
        self._samples[:, self._filled : self._filled + count] = samples[:count].T
        self._filled += count
        return count

    def _whole(self) -> Hop:
        hop = Hop(self._number, self.due, self._samples.copy())
        self._number += 1
        self._filled = 0
        return hop
