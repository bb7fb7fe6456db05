"""What the trace shows besides beats: fibrillation, flutter, motion of the electrodes.

A texture is a function of time, fixed by its generator when it is made, so that any part of
it can be rendered alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.patch.morphology import lead_gains

__all__ = ["TEXTURES", "Texture"]

Texture = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Seconds since the episode began, shape (n,), to microvolts, shape (n, leads)."""

_TWO_PI = 2 * np.pi
_MOTION_PERIOD_S = 60.0
_MOTION_BUMPS = 150


def _ventricular_fibrillation(rng: np.random.Generator, leads: Sequence[str]) -> Texture:
    """Narrow-band noise around a dominant frequency that drifts, waxing and waning.

    Dominant frequency 4 to 7 Hz (Clayton, Murray and Campbell, Med Biol Eng Comput
    33:224-229, 1995 find it between 3 and 9 Hz); coarse at onset, finer as it goes on.
    """
    lines = 18
    offset_hz = rng.normal(0, 0.45, lines)
    phase_rad = rng.uniform(0, _TWO_PI, lines)
    dominant_hz, drift_hz = rng.uniform(4.8, 5.8), rng.uniform(0.5, 0.9)
    drift_rate_hz, drift_rad = rng.uniform(0.05, 0.12), rng.uniform(0, _TWO_PI)
    gains = lead_gains(rng.normal(60.0, 35.0, lines), leads)
    amplitude_uv = rng.uniform(520, 680) / np.sqrt(lines / 2)

    def render(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        swing = drift_hz / drift_rate_hz * np.sin(_TWO_PI * drift_rate_hz * time_s + drift_rad)
        carrier = dominant_hz * time_s + swing / _TWO_PI
        angle = _TWO_PI * (carrier[:, None] + offset_hz * time_s[:, None]) + phase_rad
        decay = 0.55 + 0.45 * np.exp(-time_s / 40.0)
        waves = np.cos(angle) + 0.18 * np.cos(2 * angle)
        return np.asarray(amplitude_uv * decay[:, None] * (waves @ gains))

    return render


def _ventricular_flutter(rng: np.random.Generator, leads: Sequence[str]) -> Texture:
    """A large, almost regular sine near 240 a minute without an isoelectric line."""
    rate_hz, phase_rad = rng.uniform(3.8, 4.3), rng.uniform(0, _TWO_PI)
    wander_hz, wander_rad = rng.uniform(0.1, 0.2), rng.uniform(0, _TWO_PI)
    gains = lead_gains(np.array([70.0, 45.0, 95.0]), leads)
    size_uv = np.array([1000.0, 260.0, 90.0])

    def render(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        wander = np.sin(_TWO_PI * wander_hz * time_s + wander_rad)
        angle = _TWO_PI * rate_hz * time_s + 0.6 * wander + phase_rad
        waves = np.stack([np.cos(angle), np.cos(2 * angle + 0.9), np.cos(3 * angle + 2.0)], axis=1)
        return np.asarray((1 + 0.12 * wander[:, None]) * ((waves * size_uv) @ gains))

    return render


def _atrial_fibrillation(rng: np.random.Generator, leads: Sequence[str]) -> Texture:
    """f-waves: a sawtooth of three harmonics with modulated frequency and amplitude.

    Stridh and Sornmo, IEEE Trans Biomed Eng 48:105-111, 2001: 4 to 9 Hz, here near 6 Hz.
    """
    rate_hz = rng.uniform(5.6, 6.8)
    slow_hz, phase_rad = rng.uniform(0.08, 0.3, 3), rng.uniform(0, _TWO_PI, 3)
    harmonic = np.arange(1, 4)
    gains = lead_gains(np.array([75.0, 65.0, 55.0]), leads)

    def render(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        slow = np.sin(_TWO_PI * slow_hz * time_s[:, None] + phase_rad)
        angle = _TWO_PI * rate_hz * time_s + 2.2 * slow[:, 0] + 1.3 * slow[:, 1]
        amplitude_uv = 60.0 + 25.0 * slow[:, 2]
        saw = np.sin(angle[:, None] * harmonic) / harmonic
        return np.asarray(amplitude_uv[:, None] * (saw @ gains))

    return render


def _motion(rng: np.random.Generator, leads: Sequence[str]) -> Texture:
    """Electrode motion: bumps of 50 to 400 ms, millivolts high, and the muscles that cause it.

    The pattern repeats every minute.
    """
    centre_s = np.sort(rng.uniform(1, _MOTION_PERIOD_S - 1, _MOTION_BUMPS))
    width_s = rng.uniform(0.03, 0.2, _MOTION_BUMPS)
    size_uv = rng.normal(0, 1000, (_MOTION_BUMPS, len(leads)))
    muscle_hz, phase_rad = rng.uniform(12, 45, 40), rng.uniform(0, _TWO_PI, 40)
    muscle_uv = rng.normal(0, 25, (40, len(leads)))

    def render(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        distance = (time_s[:, None] % _MOTION_PERIOD_S - centre_s) / width_s
        muscle = np.cos(_TWO_PI * muscle_hz * time_s[:, None] + phase_rad) @ muscle_uv
        return np.asarray(np.exp(-0.5 * distance**2) @ size_uv + muscle)

    return render


TEXTURES: dict[str, Callable[[np.random.Generator, Sequence[str]], Texture]] = {
    "vf": _ventricular_fibrillation,
    "vfl": _ventricular_flutter,
    "af": _atrial_fibrillation,
    "motion": _motion,
}
