"""The signal around an R peak: what the beat stage is told of a beat's shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel

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


@kernel("void(float32[::1], int64, float32[::1])")
def _cut(signal, near, out):  # type: ignore[no-untyped-def]
    nothing, samples = np.float32(0.0), len(signal)
    middle = first = max(0, near - _SEARCH)
    for k in range(first, min(near + _SEARCH + 1, samples)):
        if abs(signal[k]) > abs(signal[middle]):
            middle = k
    for k in range(len(out)):
        at = middle - _HALF + 2 * k
        one = signal[at] if 0 <= at < samples else nothing
        other = signal[at + 1] if 0 <= at + 1 < samples else nothing
        out[k] = (one + other) / np.float32(2.0)


def window_of(signal_uv: Floats, peak: float) -> Floats:
    """(WIDTH,) float32, microvolts: the window around a peak of one lead.

    signal_uv: (samples,), conditioned, at RATE_HZ. peak: place of the R peak in it, in samples;
    REACH samples follow it. What lies outside is 0.
    """
    near, window_uv = round(peak), np.empty(WIDTH, np.float32)
    first = max(0, near - REACH)
    around_uv = np.array(signal_uv[first : max(first, near + REACH + 1)], np.float32)
    _cut(around_uv, near - first, window_uv)
    return window_uv
