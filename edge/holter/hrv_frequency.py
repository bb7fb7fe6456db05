"""Heart rate variability in the frequency domain, by the Task Force of the ESC and NASPE
(Circulation 93:1043-1065, 1996).

The periodogram is Lomb's (Astrophys Space Sci 39:447-462, 1976) of NN intervals at the times of
their beats. It needs neither resampling, which acts as a low-pass filter, nor made-up beats in
place of ectopic ones (Clifford and Tarassenko, IEEE Trans Biomed Eng 52:630-638, 2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.holter.hrv_time import SEGMENT_S, segments
from edge.holter.intervals import NN

__all__ = ["BANDS_HZ", "LONG_S", "FrequencyDomain", "frequency_domain", "lomb_psd"]

BANDS_HZ = {"ulf": (0.0, 0.003), "vlf": (0.003, 0.04), "lf": (0.04, 0.15), "hf": (0.15, 0.4)}
LONG_S = 18 * 3600.0
"""NN intervals of so long make 24 hours of a recording, or all of it, fit for ULF and norms."""
DAY_S = 24 * 3600.0
POWER_MIN_MS2 = 1e-6
"""Less is the rounding of a rhythm that does not vary, and has no ratio."""
OVERSAMPLING = 4
AT_ONCE = 1 << 18
"""Products of frequencies and intervals computed together, of 8 bytes each."""

TINY = 1e-9
"""Where all beats lie at zeros of the sine, its part is none."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FrequencyDomain:
    """Powers in ms², means over segments of five minutes; ulf_ms2 of 24 hours.

    total_ms2: up to 0.4 Hz, of five minutes. lf_nu, hf_nu: percent of the power above VLF.
    lf_hf: ratio of the mean powers. None where too little is known.
    """

    segments: int = 0
    ulf_ms2: float | None = None
    vlf_ms2: float | None = None
    lf_ms2: float | None = None
    hf_ms2: float | None = None
    total_ms2: float | None = None
    lf_hf: float | None = None
    lf_nu: float | None = None
    hf_nu: float | None = None


def frequency_domain(nn: NN) -> FrequencyDomain:
    """All measures."""
    found = segments(nn) if len(nn) else []
    if not found:
        return FrequencyDomain(ulf_ms2=_ulf_ms2(nn))
    step_hz = 1.0 / (SEGMENT_S * OVERSAMPLING)
    freqs_hz: Floats = np.arange(1.0, round(BANDS_HZ["hf"][1] / step_hz) + 1) * step_hz
    psd = np.stack([_segment_psd(nn, each, freqs_hz) for each in found]).mean(axis=0)
    power = {name: _power(psd, freqs_hz, *band) for name, band in BANDS_HZ.items()}
    lf, hf = power["lf"], power["hf"]
    return FrequencyDomain(
        segments=len(found),
        ulf_ms2=_ulf_ms2(nn),
        vlf_ms2=power["vlf"],
        lf_ms2=lf,
        hf_ms2=hf,
        total_ms2=_power(psd, freqs_hz, 0.0, BANDS_HZ["hf"][1]),
        lf_hf=lf / hf if hf > POWER_MIN_MS2 else None,
        lf_nu=100 * lf / (lf + hf) if lf + hf > POWER_MIN_MS2 else None,
        hf_nu=100 * hf / (lf + hf) if lf + hf > POWER_MIN_MS2 else None,
    )


def lomb_psd(time_s: Floats, values: Floats, freqs_hz: Floats) -> Floats:
    """One-sided power spectral density, in squared units of the values per hertz.

    freqs_hz: above 0. Integrated over all independent frequencies it gives the variance.
    """
    centred, time_s = values - values.mean(), time_s - time_s.mean()
    psd = np.empty(len(freqs_hz))
    block = max(1, AT_ONCE // max(1, len(values)))
    for at in range(0, len(freqs_hz), block):
        angle = 2 * np.pi * freqs_hz[at : at + block, None] * time_s
        cos, sin = np.cos(angle), np.sin(angle)
        c, s = cos @ centred, sin @ centred
        cc, cs = (cos * cos).sum(1), (cos * sin).sum(1)
        ss = len(values) - cc
        shift = np.arctan2(2 * cs, cc - ss) / 2  # that makes cosine and sine orthogonal
        ct, st = np.cos(shift), np.sin(shift)
        in_phase = (c * ct + s * st) ** 2 / np.maximum(
            cc * ct**2 + 2 * cs * ct * st + ss * st**2, TINY
        )
        across = (s * ct - c * st) ** 2 / np.maximum(
            ss * ct**2 - 2 * cs * ct * st + cc * st**2, TINY
        )
        psd[at : at + block] = (in_phase + across) / 2
    spacing_s = (time_s[-1] - time_s[0]) / max(1, len(time_s) - 1)
    return np.asarray(psd * 2 * spacing_s)


def _segment_psd(nn: NN, each: slice, freqs_hz: Floats) -> Floats:
    """Of five minutes, their trend taken away."""
    time_s, values = nn.time_s[each], nn.nn_ms[each]
    slope, level = np.polyfit(time_s - time_s[0], values, 1)
    return lomb_psd(time_s, values - level - slope * (time_s - time_s[0]), freqs_hz)


def _ulf_ms2(nn: NN) -> float | None:
    """The mean of the days from the beginning on that have enough intervals."""
    if not len(nn):
        return None
    edges = np.searchsorted(nn.time_s, np.arange(0.0, nn.time_s[-1] + DAY_S, DAY_S))
    days = [slice(a, b) for a, b in pairwise(edges.tolist())]
    powers = [
        _day_ulf_ms2(nn.time_s[each], nn.nn_ms[each])
        for each in days
        if nn.nn_ms[each].sum() / 1000 >= LONG_S
    ]
    return float(np.mean(powers)) if powers else None


def _day_ulf_ms2(time_s: Floats, nn_ms: Floats) -> float:
    step_hz = 1.0 / (time_s[-1] - time_s[0])
    freqs_hz = np.arange(1, int(BANDS_HZ["ulf"][1] / step_hz) + 1) * step_hz
    return float(lomb_psd(time_s, nn_ms, freqs_hz).sum() * step_hz)


def _power(psd: Floats, freqs_hz: Floats, low_hz: float, high_hz: float) -> float:
    inside = (freqs_hz > low_hz) & (freqs_hz <= high_hz)
    return float(psd[inside].sum() * (freqs_hz[1] - freqs_hz[0]))
