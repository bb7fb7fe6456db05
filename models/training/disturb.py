"""What a wearable does to a signal: gain, polarity, noise recorded and made up, drop-outs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.training.architecture import RATE_HZ

__all__ = ["GOOD_DB", "POOR_DB", "Disturber", "signal_power"]

Floats = NDArray[np.float32]

GOOD_DB, POOR_DB = 12.0, 0.0
"""Signal-to-noise ratios from which a second is good, and below which it is poor."""

_NOISY = 0.7  # fraction of the crops
_SNR_DB = (-6.0, 18.0)
_SHARES = {"em": 0.5, "ma": 0.3, "bw": 0.2}
_CLEAN_DB = 40.0


def signal_power(signal: Floats) -> float:
    """Power of a sine whose peak-to-peak amplitude is that of the QRS complexes, roughly:
    the squared 99.5th percentile of the deviation from the median, over 8."""
    peak = np.percentile(np.abs(signal - np.median(signal)), 99.5)
    return float(peak**2 / 8)


class Disturber:
    """Disturbs crops of RATE_HZ, and says how much.

    noise: name of a nstdb record to its signals, shape (signals, samples), microvolts.
    """

    def __init__(self, noise: dict[str, Floats], rng: np.random.Generator) -> None:
        self._noise = noise
        self._rng = rng

    def __call__(self, signal: Floats) -> tuple[Floats, Floats]:
        """The disturbed crop (samples,), and the signal-to-noise ratio of each second in dB."""
        rng = self._rng
        snr_db = np.full(len(signal) // RATE_HZ, _CLEAN_DB, np.float32)
        signal = signal * np.float32(math.exp(rng.normal(0, 0.4)) * rng.choice((-1, 1)))
        power = signal_power(signal)
        if rng.random() < _NOISY and power > 0:
            noise = self._mixed(len(signal)) * self._envelope(len(signal))
            level = 10 ** (-rng.uniform(*_SNR_DB) / 20)
            noise = noise * np.float32(math.sqrt(power) * level)
            signal = signal + noise
            loud = noise.reshape(-1, RATE_HZ).astype(np.float64)
            ratio = power / np.maximum((loud**2).mean(axis=1), power * 1e-4)
            snr_db = (10 * np.log10(ratio)).astype(np.float32)
        if rng.random() < 0.3:
            signal = signal + self._wander(signal)
        if rng.random() < 0.15:
            self._drop(signal, snr_db)
        return signal.astype(np.float32), snr_db

    def _mixed(self, samples: int) -> Floats:
        """A stretch of recorded noise, sometimes with made-up motion.

        Its level is that of the whole record, not of the stretch: motion comes in bursts that a
        network must have heard as loud as they are.
        """
        rng = self._rng
        name = str(rng.choice(list(_SHARES), p=list(_SHARES.values())))
        leads = self._noise[name]
        lead = leads[rng.integers(len(leads))]
        start = int(rng.integers(len(lead) - samples))
        noise = lead[start : start + samples] * (rng.choice((-1, 1)) / max(1.0, float(lead.std())))
        if rng.random() < 0.15:
            noise = noise + rng.uniform(0.2, 1) * self._jumps(samples)
        return np.asarray(noise, np.float32)

    def _jumps(self, samples: int) -> Floats:
        """Steps of the electrode's potential as a high-pass filter leaves them: they decay."""
        rng = self._rng
        total = np.zeros(samples, np.float32)
        for _ in range(int(rng.integers(1, 2 + samples // (2 * RATE_HZ)))):
            start = int(rng.integers(samples))
            fall_s = rng.uniform(0.03, 0.4)
            decay = np.exp(-np.arange(samples - start) / (fall_s * RATE_HZ))
            total[start:] += np.float32(rng.normal()) * decay.astype(np.float32)
        return np.asarray(total / max(1e-6, float(total.std())), np.float32)

    def _envelope(self, samples: int) -> Floats:
        """All of the crop, or a part of it with soft borders."""
        rng = self._rng
        if rng.random() < 0.5:
            return np.ones(samples, np.float32)
        middle, width = rng.uniform(0, samples), rng.uniform(1.5 * RATE_HZ, samples)
        inside = (width / 2 - np.abs(np.arange(samples) - middle)) / (0.2 * RATE_HZ)
        return np.asarray(np.clip(inside, 0, 1), np.float32)

    def _wander(self, signal: Floats) -> Floats:
        rng = self._rng
        cycles = rng.uniform(0, 1) + rng.uniform(0.1, 0.6) * np.arange(len(signal)) / RATE_HZ
        level = np.std(signal) * rng.uniform(0, 0.7)
        return np.asarray(level * np.sin(2 * np.pi * cycles), np.float32)

    def _drop(self, signal: Floats, snr_db: Floats) -> None:
        """Lost contact: nothing for a while, in place."""
        length = int(self._rng.integers(RATE_HZ // 4, 3 * RATE_HZ))
        start = int(self._rng.integers(len(signal) - length))
        signal[start : start + length] = 0.0
        first, last = -(-(start + RATE_HZ // 2) // RATE_HZ), (start + length) // RATE_HZ
        snr_db[max(0, first - 1) : last] = -_CLEAN_DB
