"""Made-up ventricular rhythms: there are too few patients with VF to learn it from them alone.

Rates as the textbooks give them: monomorphic VT 100 to 220 a minute, ventricular flutter 240
to 340 a minute and near sinusoidal, VF 3 to 8 Hz and irregular in rate and amplitude.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fibrillation", "flutter", "tachycardia"]

Floats = NDArray[np.float32]


def _slow(rng: np.random.Generator, samples: int, rate_hz: int) -> NDArray[np.float64]:
    """A random curve around 0 with a standard deviation near 1 that changes over about 0.5 s."""
    knots = rng.normal(0, 1, samples * 2 // rate_hz + 2)
    return np.interp(np.arange(samples) * 2 / rate_hz, np.arange(len(knots)), knots)


def _phase(
    rng: np.random.Generator,
    samples: int,
    rate_hz: int,
    low_hz: float,
    high_hz: float,
    wobble: float,
) -> NDArray[np.float64]:
    """Radians of an oscillation whose frequency wanders by the fraction `wobble`."""
    frequency = rng.uniform(low_hz, high_hz) * (1 + wobble * _slow(rng, samples, rate_hz))
    return rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(frequency) / rate_hz


def fibrillation(rng: np.random.Generator, samples: int, rate_hz: int) -> Floats:
    """VF of 0.1 to 1 mV: three wandering oscillations that beat against each other."""
    total = np.zeros(samples)
    for _ in range(3):
        level = np.abs(0.6 + 0.5 * _slow(rng, samples, rate_hz))
        total += level * np.sin(_phase(rng, samples, rate_hz, 3.0, 8.0, 0.15))
    return (total * rng.uniform(60, 600)).astype(np.float32)


def flutter(rng: np.random.Generator, samples: int, rate_hz: int) -> Floats:
    """Ventricular flutter of 0.3 to 2 mV: one oscillation with a second harmonic."""
    phase = _phase(rng, samples, rate_hz, 4.0, 5.7, 0.02)
    harmonic = rng.uniform(0, 0.4) * np.sin(2 * phase + rng.uniform(0, 2 * np.pi))
    level = rng.uniform(300, 2000) * (1 + 0.1 * _slow(rng, samples, rate_hz))
    return (level * (np.sin(phase) + harmonic)).astype(np.float32)


def tachycardia(rng: np.random.Generator, samples: int, rate_hz: int) -> Floats:
    """Monomorphic VT of 0.5 to 2 mV: wide complexes of one shape, each with a discordant T."""
    turn = np.mod(_phase(rng, samples, rate_hz, 1.7, 3.7, 0.02) / (2 * np.pi), 1.0)
    width, wave = rng.uniform(0.08, 0.13), rng.uniform(0.1, 0.15)
    notch = rng.uniform(-0.5, 0.5) * np.exp(-(((turn - 0.25 - width) / width) ** 2) / 2)
    complexes = np.exp(-(((turn - 0.25) / width) ** 2) / 2) + notch
    complexes -= rng.uniform(0.2, 0.6) * np.exp(-(((turn - 0.7) / wave) ** 2) / 2)
    return np.asarray(rng.uniform(500, 2000) * (complexes - complexes.mean()), np.float32)
