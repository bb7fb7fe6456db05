"""Running amplitude normalisation: microvolts in, numbers of the order of 1 out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest

__all__ = ["Normaliser"]

_TRACE = 1e-9  # weight of the prior that never fades, so that there is always a scale


class Normaliser:
    """Divides each lead by its running mean of |x|, as `models.manifest.Normalisation` says.

    Deterministic, and defined hop by hop: how hops are grouped on the way does not matter.
    """

    def __init__(self, manifest: Manifest, leads: int) -> None:
        self._facts = manifest.normalisation
        self._leads = leads
        self._keep = math.exp(-manifest.hop_s / self._facts.tau_s)
        hop = manifest.input.hop_samples
        self._ramp = np.arange(1, hop + 1, dtype=np.float64) / hop
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._weight = np.full(self._leads, self._facts.prior_s / self._facts.tau_s)
        self._total = self._weight * self._facts.prior_uv
        self._scale = self._scale_now()

    def _scale_now(self) -> NDArray[np.float64]:
        level = (self._total + _TRACE * self._facts.prior_uv) / (self._weight + _TRACE)
        return np.maximum(level, self._facts.floor_uv)

    def step(
        self, samples: NDArray[np.float32], lead_weights: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Normalised samples, same shape (leads, hop_samples).

        A lead counts for its own running mean by its weight; one with weight 0 becomes 0.
        """
        share = (1 - self._keep) * lead_weights
        level = np.abs(samples).mean(axis=1, dtype=np.float64)
        before = self._scale
        self._total = self._keep * self._total + share * level
        self._weight = self._keep * self._weight + share
        self._scale = self._scale_now()
        divisor = before[:, None] + (self._scale - before)[:, None] * self._ramp
        clip = self._facts.clip
        scaled = np.clip(samples / divisor, -clip, clip) * (lead_weights > 0)[:, None]
        return scaled.astype(np.float32)
