"""Second-order filter sections by the bilinear transform with pre-warping.

A design is a float64 array, shape (sections, 5), of rows b0 b1 b2 a1 a2 (a0 = 1).
Formulas: R. Bristow-Johnson, "Audio EQ Cookbook"; Butterworth pole angles from
A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal Processing", 3rd ed., appendix B.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Sections = NDArray[np.float64]


def butterworth_lowpass(order: int, cutoff_hz: float, rate_hz: float) -> Sections:
    """Butterworth low-pass of even order; -3 dB at `cutoff_hz`, unit gain at 0 Hz."""
    k = _warped(cutoff_hz, rate_hz)
    rows = []
    for q in _pole_qualities(order):
        norm = 1.0 / (1.0 + k / q + k * k)
        b0 = k * k * norm
        rows.append((b0, 2.0 * b0, b0, 2.0 * (k * k - 1.0) * norm, (1.0 - k / q + k * k) * norm))
    return np.array(rows)


def butterworth_highpass(order: int, cutoff_hz: float, rate_hz: float) -> Sections:
    """Butterworth high-pass of even order; -3 dB at `cutoff_hz`, no gain at 0 Hz."""
    k = _warped(cutoff_hz, rate_hz)
    rows = []
    for q in _pole_qualities(order):
        norm = 1.0 / (1.0 + k / q + k * k)
        rows.append(
            (norm, -2.0 * norm, norm, 2.0 * (k * k - 1.0) * norm, (1.0 - k / q + k * k) * norm)
        )
    return np.array(rows)


def notch(frequency_hz: float, quality: float, rate_hz: float) -> Sections:
    """Notch with zeros on the unit circle; -3 dB width is `frequency_hz / quality`."""
    k = _warped(frequency_hz, rate_hz)
    # The width is warped apart from the centre, as scipy.signal.iirnotch does.
    beta = math.tan(math.pi * frequency_hz / quality / rate_hz)
    cos_w = (1.0 - k * k) / (1.0 + k * k)
    gain = 1.0 / (1.0 + beta)
    return np.array([(gain, -2.0 * gain * cos_w, gain, -2.0 * gain * cos_w, 2.0 * gain - 1.0)])


def group_delay_s(sections: Sections, frequency_hz: float, rate_hz: float) -> float:
    """Group delay of the cascade at one frequency, in seconds."""
    z = np.exp(-1j * 2.0 * math.pi * frequency_hz / rate_hz * np.arange(3))
    n = np.arange(3)
    delay_samples = 0.0
    for b0, b1, b2, a1, a2 in sections:
        for taps, sign in ((np.array([b0, b1, b2]), 1.0), (np.array([1.0, a1, a2]), -1.0)):
            delay_samples += sign * float(np.real(np.dot(n * taps, z) / np.dot(taps, z)))
    return delay_samples / rate_hz


def at_rest(sections: Sections) -> NDArray[np.float64]:
    """The cascade as the kernels take it: (sections, 7), rows b0 b1 b2 a1 a2 and two figures of
    state, zero."""
    return np.pad(sections, ((0, 0), (0, 2)))


def steady_state(sections: Sections, level: NDArray[np.float64]) -> NDArray[np.float64]:
    """State of the cascade, shape (leads, sections, 2), after a constant input for ever.

    level: (leads,) that constant input.
    """
    state = np.empty((level.size, sections.shape[0], 2))
    x = level.astype(np.float64)
    for s, (b0, b1, b2, a1, a2) in enumerate(sections):
        y = x * ((b0 + b1 + b2) / (1.0 + a1 + a2))
        state[:, s, 1] = b2 * x - a2 * y
        state[:, s, 0] = b1 * x - a1 * y + state[:, s, 1]
        x = y
    return state


def _warped(frequency_hz: float, rate_hz: float) -> float:
    if not 0.0 < frequency_hz < rate_hz / 2.0:
        raise ValueError(
            f"filter frequency {frequency_hz:g} Hz does not fit a rate of {rate_hz:g} Hz: "
            "it must lie above 0 and below half the rate"
        )
    return math.tan(math.pi * frequency_hz / rate_hz)


def _pole_qualities(order: int) -> list[float]:
    if order < 2 or order % 2:
        raise ValueError(f"filter order {order}: must be even and at least 2")
    angles = (math.pi * (2 * i + 1) / (2 * order) for i in range(order // 2))
    return [1.0 / (2.0 * math.sin(angle)) for angle in angles]


__all__ = [
    "Sections",
    "at_rest",
    "butterworth_highpass",
    "butterworth_lowpass",
    "group_delay_s",
    "notch",
    "steady_state",
]
