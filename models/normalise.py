"""Running amplitude normalisation: microvolts in, numbers of the order of 1 out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.kernels import normalise
from models.manifest import RunningMeanAbs

__all__ = ["Normaliser"]

_TRACE = 1e-9  # weight of the prior that never fades, so that there is always a scale


class Normaliser:
    """Divides each lead by its running mean of |x|, as `models.manifest.RunningMeanAbs` says.

    Deterministic, and defined hop by hop: how hops are grouped on the way does not matter.
    """

    def __init__(self, facts: RunningMeanAbs, rate_hz: float, hop_samples: int, leads: int) -> None:
        keep = math.exp(-hop_samples / rate_hz / facts.tau_s)
        self._numbers = (keep, facts.floor_uv, facts.clip, _TRACE)
        weight = facts.prior_s / facts.tau_s
        scale = max(facts.prior_uv, facts.floor_uv)
        first = [weight * facts.prior_uv, weight, scale, facts.prior_uv]
        self._first = np.tile(np.array(first, np.float64), (leads, 1))
        self._state = self._first.copy()

    @property
    def full(self) -> bool:
        """Whether enough has been heard to speak: always, since there is a prior."""
        return True

    def reset(self) -> None:
        """Forget the past."""
        self._state[:] = self._first

    def step(
        self,
        samples: NDArray[np.float32],
        lead_weights: NDArray[np.float64],
        out: NDArray[np.float32],
    ) -> bool:
        """Normalise one hop into `out`; both (leads, hop_samples), C-contiguous.

        A lead counts for its own running mean by its weight, (leads,); one with weight 0
        becomes 0. False where a sample is not finite: nothing is written or learnt then.
        """
        return bool(normalise(samples, lead_weights, *self._numbers, self._state, out))
