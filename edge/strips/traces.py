"""The gain of a strip and the room of each lead, in millimetres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.messages import StripMessage
from edge.strips.rows import Band

__all__ = ["REACH_MM", "Traces", "traces_of"]

GAINS_MM_PER_MV = (10.0, 5.0, 2.5, 1.25)
REACH_MM = 30.0
"""No trace goes further from its base line; where it would have to, a smaller gain is taken."""
REACH_MIN_MM = 10.0
SQUARE_MM = 5.0
QRS_S = 0.08
"""On either side of a beat: never cut off."""
USUAL_PERCENT = 90.0
USUAL_FACTOR = 1.5
"""Between beats there is room for so much more than nine tenths of the signal take; what an
electrode does that comes off is cut off, lest it make the heart small."""


@dataclass(frozen=True, slots=True, eq=False)
class Traces:
    """What is drawn: samples in millimetres, upwards, (samples, leads), NaN in gaps.

    cut_off: whether some were beyond their band.
    """

    up_mm: NDArray[np.float32]
    gain_mm_per_mv: float
    bands: tuple[Band, ...]
    cut_off: bool


def traces_of(strip: StripMessage, shown_uv: NDArray[np.float32]) -> Traces:
    """Traces of samples that are band-limited for display, (samples, leads)."""
    heart = _near_beats(strip, len(shown_uv))
    low, high = _reach_uv(-shown_uv, heart), _reach_uv(shown_uv, heart)
    most_uv = float(np.concatenate([low, high]).max())
    gain = _gain(most_uv)
    below, above = ([_squares(each * gain / 1000) for each in reach] for reach in (low, high))
    up_mm = shown_uv * np.float32(gain / 1000)
    cut = np.clip(up_mm, -np.array(below, np.float32), np.array(above, np.float32))
    cut_off = bool((np.abs(cut - up_mm) > 0.0).any())  # NaN is not
    bands = tuple(Band(*each) for each in zip(strip.samples, above, below, strict=True))
    return Traces(cut, gain, bands, cut_off)


def _gain(most_uv: float) -> float:
    fitting = (each for each in GAINS_MM_PER_MV if most_uv * each / 1000 <= REACH_MM)
    return next(fitting, GAINS_MM_PER_MV[-1])


def _reach_uv(upwards_uv: NDArray[np.float32], heart: NDArray[np.bool_]) -> Sequence[float]:
    """How far each lead needs to go."""
    return [_of_lead(upwards_uv[:, lead], heart) for lead in range(upwards_uv.shape[1])]


def _of_lead(upwards_uv: NDArray[np.float32], heart: NDArray[np.bool_]) -> float:
    known = ~np.isnan(upwards_uv)
    if not known.any():
        return 0.0
    usual = float(np.percentile(np.abs(upwards_uv[known]), USUAL_PERCENT)) * USUAL_FACTOR
    greatest = max(0.0, float(upwards_uv[known].max()))
    beating = upwards_uv[known & heart]
    of_beats = max(0.0, float(beating.max())) if len(beating) else 0.0
    return max(of_beats, min(usual, greatest))


def _near_beats(strip: StripMessage, length: int) -> NDArray[np.bool_]:
    near = np.zeros(length, np.bool_)
    for beat in strip.beats:
        middle_s = beat.offset_ms / 1000
        first, stop = (round((middle_s + side) * strip.rate_hz) for side in (-QRS_S, QRS_S))
        near[max(0, first) : max(0, stop)] = True
    return near


def _squares(reach_mm: float) -> float:
    """In whole squares, with a millimetre to spare."""
    squares = math.ceil((reach_mm + 1.0) / SQUARE_MM) * SQUARE_MM
    return min(max(REACH_MIN_MM, squares), REACH_MM)
