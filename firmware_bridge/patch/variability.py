"""Heart-rate variability: a bimodal spectrum of RR intervals, as in McSharry et al. (2003)."""

from __future__ import annotations

import numpy as np

__all__ = ["RESPIRATION_HZ", "HeartRateVariability"]

RESPIRATION_HZ = 0.25
"""Fifteen breaths a minute: the centre of the HF peak."""

_MAYER_HZ = 0.1
_PEAK_WIDTH_HZ = 0.01
_LF_TO_HF = 0.5
_LINES = 12


class HeartRateVariability:
    """A stationary process of zero mean and unit variance with peaks at 0.1 and 0.25 Hz.

    Each peak is a Gaussian in frequency of 0.01 Hz standard deviation, and the ratio LF/HF of
    their power is 0.5 (McSharry et al., section III). A sum of lines of random frequency and
    phase realises it, so that it can be asked for any moment, in any order.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        centre_hz = np.repeat([_MAYER_HZ, RESPIRATION_HZ], _LINES)
        self._frequency_hz = rng.normal(centre_hz, _PEAK_WIDTH_HZ)
        self._phase_rad = rng.uniform(0, 2 * np.pi, 2 * _LINES)
        power = np.repeat([_LF_TO_HF / (1 + _LF_TO_HF), 1 / (1 + _LF_TO_HF)], _LINES) / _LINES
        self._amplitude = np.sqrt(2 * power)

    def at(self, time_s: float) -> float:
        """Deviation at `time_s` since the stream began, in standard deviations."""
        angle = 2 * np.pi * self._frequency_hz * time_s + self._phase_rad
        return float(self._amplitude @ np.cos(angle))
