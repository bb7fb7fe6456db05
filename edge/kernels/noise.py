"""How much of a lead is noise: electrode motion and muscle, told from rhythms.

Ventricular fibrillation, ventricular tachycardia, asystole and baseline wander under clear
QRS complexes must not count as noise, for an alarm that they raise would be hidden. The
bounds were set on DS1 of the MIT-BIH Arrhythmia Database with noise of the MIT-BIH Noise
Stress Test Database added, and on records 418 to 430 of the MIT-BIH Malignant Ventricular
Ectopy Database.
"""

from __future__ import annotations

import math

from edge.kernels import part
from edge.kernels.quality_state import BAND, BAND2, BASE, BASE2, COUNT, HIGH2, QRS2, QRS4

# Electrode motion: baseline (below 1 Hz) and band both large, and 5-20 Hz neither as flat in
# its distribution as fibrillation (kurtosis 2 to 3.8) nor as peaked as a clear ECG (8 to 24).
MOTION_BASE_UV = (120.0, 320.0)
MOTION_BAND_UV = (120.0, 240.0)
MOTION_KURTOSIS = (3.8, 5.2)
CLEAR_KURTOSIS = (9.0, 12.0)
# Muscle noise: much above 40 Hz, both in itself and against the QRS band.
MUSCLE_UV = (50.0, 120.0)
MUSCLE_RATIO = (0.25, 0.6)


@part
def spread(total, squares, count):  # type: ignore[no-untyped-def]
    """Standard deviation from sums."""
    mean = total / count
    return math.sqrt(max(squares / count - mean * mean, 0.0))


@part
def ramp(value, bounds):  # type: ignore[no-untyped-def]
    """0 below the first bound, 1 above the second, straight between."""
    return min(max((value - bounds[0]) / (bounds[1] - bounds[0]), 0.0), 1.0)


@part
def noise_share(sums):  # type: ignore[no-untyped-def]
    """Noise from 0 (none) to 1 (nothing else), from the sums of some seconds; 0 where they sum
    up nothing."""
    if sums[COUNT] == 0.0:
        return 0.0
    base_uv = spread(sums[BASE], sums[BASE2], sums[COUNT])
    band_uv = spread(sums[BAND], sums[BAND2], sums[COUNT])
    qrs_uv = max(math.sqrt(sums[QRS2] / sums[COUNT]), 1e-3)
    high_uv = math.sqrt(sums[HIGH2] / sums[COUNT])
    kurtosis = sums[QRS4] / sums[COUNT] / math.pow(qrs_uv, 4.0)
    motion = (
        ramp(base_uv, MOTION_BASE_UV)
        * ramp(band_uv, MOTION_BAND_UV)
        * ramp(kurtosis, MOTION_KURTOSIS)
        * (1.0 - ramp(kurtosis, CLEAR_KURTOSIS))
    )
    muscle = ramp(high_uv, MUSCLE_UV) * ramp(high_uv / qrs_uv, MUSCLE_RATIO)
    return max(motion, muscle)


__all__ = ["noise_share"]
