"""What every stage of the signal path takes: float32, (n, leads), C order, aligned, writeable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOAT32 = np.dtype(np.float32)


def as_samples(samples: NDArray[np.float32], leads: int) -> NDArray[np.float32]:
    """The array itself where it has the right type and layout, else a converted copy.

    Raises ValueError where the shape is not (n, leads).
    """
    if samples.ndim != 2 or samples.shape[1] != leads:
        raise ValueError(f"samples of shape {samples.shape}: expected (n, {leads})")
    if samples.dtype is FLOAT32 and samples.flags.carray:
        return samples
    return np.require(samples, FLOAT32, ["C", "A", "W"])


def check_stream(rate_hz: float, leads: int) -> None:
    """Raises ValueError where rate or number of leads make no stream."""
    if not (np.isfinite(rate_hz) and rate_hz > 0.0):
        raise ValueError(f"rate of {rate_hz} Hz: must be finite and above 0")
    if leads < 1:
        raise ValueError(f"{leads} leads: at least one is needed")


__all__ = ["as_samples", "check_stream"]
