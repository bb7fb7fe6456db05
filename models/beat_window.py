"""The signal around an R peak: what the beat stage is told of a beat's shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE_HZ", "REACH", "WIDTH", "window_of"]

RATE_HZ = 128
"""Rate of the signal that windows are cut from."""

WIDTH = 64
"""Numbers in a window: the second around the peak, two samples in each."""

_HALF = 64  # samples to either side: P wave, QRS complex and most of the T wave
_SEARCH = 4  # samples within which the largest deflection is put in the middle

REACH = _HALF + _SEARCH
"""Samples that a window needs from the peak on."""

Floats = NDArray[np.float32]


def window_of(signal_uv: Floats, peak: float) -> Floats:
    """(WIDTH,) float32, microvolts: the window around a peak of one lead.

    signal_uv: (samples,), conditioned, at RATE_HZ. peak: place of the R peak in it, in samples;
    REACH samples follow it. What lies before the first sample is 0.
    """
    near = round(peak)
    first = max(0, near - _SEARCH)
    middle = first + int(np.abs(signal_uv[first : near + _SEARCH + 1]).argmax())
    part = signal_uv[max(0, middle - _HALF) : middle + _HALF]
    whole = np.zeros(2 * _HALF, np.float32)
    whole[2 * _HALF - len(part) :] = part
    return np.asarray(whole.reshape(-1, 2).mean(axis=1), np.float32)
