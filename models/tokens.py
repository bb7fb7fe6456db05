"""A sliding window of samples as whole numbers, for encoders that read tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.manifest import MinMaxTokens

__all__ = ["Tokeniser"]


class Tokeniser:
    """Turns the last samples of each lead into tokens, as `models.manifest.MinMaxTokens` says."""

    def __init__(self, facts: MinMaxTokens, leads: int) -> None:
        self._levels = facts.levels
        self._window = np.zeros((leads, facts.window_samples), np.float32)
        self._heard = 0

    @property
    def full(self) -> bool:
        """Whether a whole window has been heard since `reset`."""
        return self._heard >= self._window.shape[1]

    def reset(self) -> None:
        """Forget the past."""
        self._window[:] = 0
        self._heard = 0

    def step(
        self,
        samples: NDArray[np.float32],
        lead_weights: NDArray[np.float64],
        out: NDArray[np.int64],
    ) -> bool:
        """Take one hop (leads, hop_samples) and write the tokens, `out` (leads, window_samples).

        A lead with weight 0 is heard as it is: its answer has no weight. False where a sample
        is not finite: nothing is written or learnt then.
        """
        if not np.isfinite(samples).all():
            return False
        taken = min(samples.shape[1], self._window.shape[1])
        self._window = np.roll(self._window, -taken, axis=1)
        self._window[:, self._window.shape[1] - taken :] = samples[:, -taken:]
        self._heard += samples.shape[1]
        out[:] = self._tokens()
        return True

    def _tokens(self) -> NDArray[np.int64]:
        window = self._window.astype(np.float64)
        low = window.min(axis=1, keepdims=True)
        span = window.max(axis=1, keepdims=True) - low
        parts = (window - low) / np.where(span > 0, span, 1.0)
        return np.asarray(np.rint(self._levels * parts), np.int64)
