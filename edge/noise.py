"""How much of a lead is noise: electrode motion and muscle, told from rhythms.

Ventricular fibrillation, ventricular tachycardia, asystole and baseline wander under clear
QRS complexes must not count as noise, for an alarm that they raise would be hidden. The
bounds were set on DS1 of the MIT-BIH Arrhythmia Database with noise of the MIT-BIH Noise
Stress Test Database added, and on records 418 to 430 of the MIT-BIH Malignant Ventricular
Ectopy Database.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

# Electrode motion: baseline (below 1 Hz) and band both large, and 5-20 Hz neither as flat in
# its distribution as fibrillation (kurtosis 2 to 3.8) nor as peaked as a clear ECG (8 to 24).
MOTION_BASE_UV = (120.0, 320.0)
MOTION_BAND_UV = (120.0, 240.0)
MOTION_KURTOSIS = (3.8, 5.2)
CLEAR_KURTOSIS = (9.0, 12.0)
# Muscle noise: much above 40 Hz, both in itself and against the QRS band.
MUSCLE_UV = (50.0, 120.0)
MUSCLE_RATIO = (0.25, 0.6)


def noise_share(sums: Mapping[str, float]) -> float:
    """Noise from 0 (none) to 1 (nothing else), from the sums of `edge.kernels.quality`; 0 where
    they sum up nothing."""
    count = sums["count"]
    if not count:
        return 0.0
    base_uv = _spread(sums["base"], sums["base2"], count)
    band_uv = _spread(sums["band"], sums["band2"], count)
    qrs_uv = max(math.sqrt(sums["qrs2"] / count), 1e-3)
    high_uv = math.sqrt(sums["high2"] / count)
    kurtosis = sums["qrs4"] / count / qrs_uv**4
    motion = (
        _ramp(base_uv, MOTION_BASE_UV)
        * _ramp(band_uv, MOTION_BAND_UV)
        * _ramp(kurtosis, MOTION_KURTOSIS)
        * (1.0 - _ramp(kurtosis, CLEAR_KURTOSIS))
    )
    muscle = _ramp(high_uv, MUSCLE_UV) * _ramp(high_uv / qrs_uv, MUSCLE_RATIO)
    return max(motion, muscle)


def _spread(total: float, squares: float, count: float) -> float:
    """Standard deviation from sums."""
    mean = total / count
    return math.sqrt(max(squares / count - mean * mean, 0.0))


def _ramp(value: float, bounds: tuple[float, float]) -> float:
    """0 below the first bound, 1 above the second, straight between."""
    return min(max((value - bounds[0]) / (bounds[1] - bounds[0]), 0.0), 1.0)


__all__ = ["noise_share"]
