"""Noise of a worn device: baseline wander, muscles, electrodes that move, mains.

Each page of a second has its own generators, so that any page can be rendered alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.patch.variability import RESPIRATION_HZ

__all__ = ["Noise", "NoiseLevels"]

_TWO_PI = 2 * np.pi
_WANDER_KEY, _MUSCLE_KEY, _MOTION_KEY = 11, 12, 13
_MOTION_REACH_S = 2.0
_MOTION_PER_MIN = 3.0


@dataclass(frozen=True, slots=True)
class NoiseLevels:
    """How strong each kind is, in microvolts: wander, muscle and mains RMS, motion SD of peaks.

    mains_hz: 50 or 60.
    """

    wander_uv: float = 60.0
    muscle_uv: float = 8.0
    motion_uv: float = 120.0
    mains_uv: float = 4.0
    mains_hz: float = 50.0

    def scaled(self, factor: float) -> NoiseLevels:
        """All levels times `factor`; 0 is a clean trace."""
        return replace(
            self,
            wander_uv=self.wander_uv * factor,
            muscle_uv=self.muscle_uv * factor,
            motion_uv=self.motion_uv * factor,
            mains_uv=self.mains_uv * factor,
        )


class Noise:
    """Noise of one device: deterministic by seed, independent of how it is asked for."""

    def __init__(self, levels: NoiseLevels, leads: int, seed: int) -> None:
        self._levels = levels
        self._leads = leads
        self._seed = seed
        rng = np.random.default_rng([seed, _WANDER_KEY])
        drift_hz = rng.uniform(0.03, 0.15, 5)
        self._wander_hz = np.append(drift_hz, RESPIRATION_HZ)
        self._wander_rad = rng.uniform(0, _TWO_PI, 6)
        self._wander_gain = rng.normal(0, 1, (6, leads)) / np.sqrt(6 / 2)
        self._mains_rad = rng.uniform(0, _TWO_PI)
        self._mains_gain = rng.uniform(0.6, 1.4, leads) * np.sqrt(2)

    def page(self, number: int, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Noise of page `number` at its times (seconds), in microvolts: shape (n, leads)."""
        total = self._wander(time_s) + self._mains(time_s)
        total += self._muscle(number, time_s.shape[0])
        for size_uv, centre_s, width_s in self._motions(number, time_s):
            total += np.exp(-0.5 * ((time_s - centre_s) / width_s) ** 2)[:, None] * size_uv
        return total

    def _wander(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        waves = np.cos(_TWO_PI * self._wander_hz * time_s[:, None] + self._wander_rad)
        return np.asarray(self._levels.wander_uv * (waves @ self._wander_gain))

    def _mains(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        swell = 1 + 0.3 * np.cos(_TWO_PI * 0.07 * time_s)
        wave = swell * np.cos(_TWO_PI * self._levels.mains_hz * time_s + self._mains_rad)
        return np.asarray(self._levels.mains_uv * wave[:, None] * self._mains_gain)

    def _muscle(self, number: int, samples: int) -> NDArray[np.float64]:
        rng = np.random.default_rng([self._seed, _MUSCLE_KEY, number])
        white = rng.normal(0, 1, (samples + 1, self._leads))
        # A first difference of white noise: power that rises with frequency, unit variance.
        return np.asarray(self._levels.muscle_uv * np.diff(white, axis=0) / np.sqrt(2))

    def _motions(
        self, number: int, time_s: NDArray[np.float64]
    ) -> Iterator[tuple[NDArray[np.float64], float, float]]:
        page_s = time_s.shape[0] * float(time_s[1] - time_s[0])
        reach = int(np.ceil(_MOTION_REACH_S / page_s))
        for page in range(max(0, number - reach), number + reach + 1):
            rng = np.random.default_rng([self._seed, _MOTION_KEY, page])
            if rng.uniform() < _MOTION_PER_MIN / 60.0 * page_s:
                size_uv = self._levels.motion_uv * rng.normal(0, 1, self._leads)
                yield size_uv, (page + rng.uniform()) * page_s, rng.uniform(0.05, 0.4)
