"""Steps by which microvolts become whole numbers of 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MISSING", "STEP_MAX_UV", "Scale", "digital", "offset_scale", "scale_of"]

MISSING = -(1 << 15)
"""Stands for a sample that is not there; no sample has this value."""
FULL = (1 << 15) - 1

STEP_FINE_UV = 0.01
STEP_MAX_UV = 1.0
"""Coarser than this, another way is looked for: the smallest waves of an ECG have some 20 uV."""
CENTRE_UV = 1000.0


@dataclass(frozen=True, slots=True)
class Scale:
    """value_uv = centre_uv + step_uv * number."""

    step_uv: float
    centre_uv: float = 0.0

    @property
    def low_uv(self) -> float:
        """What the least number of 16 bits means."""
        return round(self.centre_uv + self.step_uv * MISSING, 6)

    @property
    def high_uv(self) -> float:
        """What the greatest number of 16 bits means."""
        return round(self.centre_uv + self.step_uv * FULL, 6)


def scale_of(low_uv: float, high_uv: float, full: int = FULL) -> Scale:
    """The finest step of 1, 2 or 5 times a power of ten with which both fit around 0 uV.

    full: the greatest number.
    """
    reach_uv = max(abs(low_uv), abs(high_uv), 0.0) if np.isfinite(low_uv + high_uv) else 0.0
    return Scale(_step(reach_uv, full, STEP_FINE_UV))


def offset_scale(low_uv: float, high_uv: float) -> Scale:
    """As `scale_of`, but around the middle where an electrode's offset would cost resolution:
    then a whole number of microvolts, as the eight characters of an EDF header have room for."""
    plain = scale_of(low_uv, high_uv)
    if plain.step_uv <= STEP_MAX_UV:
        return plain
    centre_uv = round((low_uv + high_uv) / 2 / CENTRE_UV) * CENTRE_UV
    reach_uv = max(high_uv - centre_uv, centre_uv - low_uv)
    shifted = Scale(_step(reach_uv, FULL, STEP_MAX_UV), centre_uv)
    return shifted if shifted.step_uv < plain.step_uv else plain


def digital(samples_uv: NDArray[np.float32], scales: list[Scale]) -> NDArray[np.int16]:
    """Samples, (samples, leads), as numbers; `MISSING` where they are NaN."""
    steps = np.array([scale.step_uv for scale in scales])
    centres = np.array([scale.centre_uv for scale in scales])
    numbers = np.rint((samples_uv.astype(np.float64) - centres) / steps)
    return np.where(np.isnan(numbers), MISSING, numbers).astype(np.int16)


def _step(reach_uv: float, full: int, finest_uv: float) -> float:
    exponent = 0
    while True:
        for factor in (1, 2, 5):
            step_uv = round(finest_uv * factor * 10.0**exponent, 6)
            if reach_uv <= step_uv * full:
                return step_uv
        exponent += 1
