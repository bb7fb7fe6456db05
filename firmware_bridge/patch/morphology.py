"""Shapes of heart beats: Gaussian waves on a dipole in the frontal plane.

Sums of Gaussians are the closed form of the dynamical model of McSharry, Clifford, Tarassenko
and Smith (IEEE Trans Biomed Eng 50:289-294, 2003) without its relaxation term, on a dipole as
in Sameni, Clifford, Jutten and Shamsollahi (EURASIP J Adv Signal Process 2007:43407). Time
stands in for phase, so that each interval can follow the heart rate by its own law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAD_AXES_DEG", "MORPHOLOGIES", "Beat", "Wave", "lead_gains", "wave_table"]

LEAD_AXES_DEG = {"I": 0.0, "II": 60.0, "III": 120.0}
"""Einthoven's equilateral triangle; projections on it satisfy II = I + III."""

RR_RANGE_S = (0.3, 1.6)
"""Intervals beyond these stretch and shrink no wave any further."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One Gaussian of a beat at an RR interval of one second.

    amplitude_uv: of the dipole, along axis_deg (0 is lead I, clockwise as in the clinic).
    centre_s: from the R peak. before_s, after_s: standard deviation on either side.
    stretch: exponent of the RR interval (seconds) that scales centre and widths.
    """

    amplitude_uv: float
    axis_deg: float
    centre_s: float
    before_s: float
    after_s: float
    stretch: float = 0.0


@dataclass(frozen=True, slots=True)
class Beat:
    """One beat of the heart as it truly happened.

    time_s: R peak, since the stream began. label: EC57 class, "N" or "V". rr_s: since the
    beat before. shape: key of `MORPHOLOGIES`. gain: factor on all amplitudes.
    """

    time_s: float
    label: str
    rr_s: float
    shape: str
    gain: float = 1.0


_CONDUCTED = (
    Wave(-120.0, 70.0, -0.030, 0.0085, 0.0085),
    Wave(1350.0, 55.0, 0.0, 0.0110, 0.0110),
    Wave(-330.0, 75.0, 0.031, 0.0100, 0.0120),
    # Fridericia: QT goes with the cube root of RR; QTc of these waves is about 0.40 s.
    Wave(330.0, 45.0, 0.270, 0.058, 0.036, stretch=1 / 3),
)
_P_WAVE = Wave(140.0, 58.0, -0.160, 0.020, 0.022, stretch=0.2)

_VENTRICULAR = (
    Wave(-220.0, 60.0, -0.062, 0.013, 0.013),
    Wave(1750.0, 75.0, 0.0, 0.019, 0.026),
    Wave(620.0, 40.0, 0.056, 0.014, 0.020),
    # Discordant: repolarisation points away from the wide complex.
    Wave(-620.0, 70.0, 0.290, 0.085, 0.060, stretch=1 / 3),
)
_TACHYCARDIC = (
    Wave(-180.0, 60.0, -0.062, 0.012, 0.014),
    Wave(1450.0, 80.0, 0.0, 0.021, 0.026),
    Wave(420.0, 50.0, 0.052, 0.016, 0.020),
    Wave(-560.0, 78.0, 0.285, 0.070, 0.050, stretch=1 / 3),
)

MORPHOLOGIES: dict[str, tuple[Wave, ...]] = {
    "sinus": (_P_WAVE, *_CONDUCTED),
    "conducted": _CONDUCTED,
    "ventricular": _VENTRICULAR,
    "tachycardic": _TACHYCARDIC,
}


def lead_gains(axis_deg: NDArray[np.float64], leads: Sequence[str]) -> NDArray[np.float64]:
    """Share of a dipole along `axis_deg` that each lead sees: shape (axes, leads)."""
    lead_deg = np.array([LEAD_AXES_DEG[lead] for lead in leads])
    return np.asarray(np.cos(np.radians(axis_deg[:, None] - lead_deg)))


def wave_table(beats: Sequence[Beat]) -> NDArray[np.float64]:
    """All waves of the beats, one a row: amplitude (uV), axis (deg), centre since the stream
    began, width before and width after it (s).
    """
    rows = [_placed(wave, beat) for beat in beats for wave in MORPHOLOGIES[beat.shape]]
    return np.array(rows, dtype=np.float64).reshape(-1, 5)


def _placed(wave: Wave, beat: Beat) -> tuple[float, float, float, float, float]:
    rr_s = min(max(beat.rr_s, RR_RANGE_S[0]), RR_RANGE_S[1])
    scale = math.pow(rr_s, wave.stretch)
    return (
        wave.amplitude_uv * beat.gain,
        wave.axis_deg,
        beat.time_s + wave.centre_s * scale,
        wave.before_s * scale,
        wave.after_s * scale,
    )
