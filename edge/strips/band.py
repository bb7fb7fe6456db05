"""The band in which a strip is displayed, without a shift of time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.condition import Conditioner

__all__ = ["HIGH_HZ", "LOW_HZ", "displayed", "top_hz"]

LOW_HZ, HIGH_HZ = 0.5, 40.0
"""As monitors show it (IEC 60601-2-27); run forwards and backwards, so that waves stay in place."""
PADDING_S = 1.5
NYQUIST_SHARE = 0.45


def top_hz(rate_hz: float) -> float:
    """The upper corner at this sampling rate."""
    return min(HIGH_HZ, NYQUIST_SHARE * rate_hz)


def displayed(samples_uv: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Band-limited samples of the same shape, (samples, leads); NaN stays NaN, and nothing is
    inferred across it. Raises ValueError for a rate that the band does not fit.
    """
    shown = np.full_like(samples_uv, np.nan)
    for lead in range(samples_uv.shape[1]):
        known = ~np.isnan(samples_uv[:, lead])
        edges = np.flatnonzero(np.diff(known, prepend=False, append=False))
        for first, stop in pairwise(edges):
            if known[first]:
                shown[first:stop, lead] = _filtered(samples_uv[first:stop, lead], rate_hz)
    return shown


def _filtered(stretch_uv: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Forwards and backwards, the ends continued by what lies before them, mirrored."""
    padding = min(round(PADDING_S * rate_hz), len(stretch_uv) - 1)
    padded = np.pad(stretch_uv, padding, mode="reflect")
    there = _once(padded, rate_hz)
    back = _once(there[::-1], rate_hz)[::-1]
    return back[padding : padding + len(stretch_uv)]


def _once(samples_uv: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    conditioner = Conditioner(rate_hz, 1, highpass_hz=LOW_HZ, lowpass_hz=top_hz(rate_hz))
    column = np.ascontiguousarray(samples_uv[:, None], dtype=np.float32)
    return conditioner.process(column)[:, 0]
