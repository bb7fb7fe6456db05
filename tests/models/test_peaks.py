"""Peaks of a probability: found where they are, once, whatever the grouping."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.peaks import REFRACTORY_S, PeakPicker

RATE_HZ = 128


def bumps(at: list[float], heights: list[float], frames: int) -> np.ndarray:
    grid = np.arange(frames)[:, None]
    shape = np.exp(-(((grid - np.array(at)) / 2.5) ** 2) / 2) * np.array(heights)
    return shape.max(axis=1).astype(np.float32)


def picked(probability: np.ndarray, cuts: list[int]) -> list[tuple[float, float]]:
    picker = PeakPicker(RATE_HZ, 0.4)
    peaks = [p for piece in np.split(probability, cuts) for p in picker.push(piece)]
    return [(p.frame, p.probability) for p in peaks]


def test_each_bump_is_found_within_half_a_frame() -> None:
    at = [40.0, 120.3, 250.7, 330.0]
    found = picked(bumps(at, [1.0] * 4, 400), [])
    assert np.allclose([frame for frame, _ in found], at, atol=0.5)


def test_the_higher_of_two_near_bumps_stays() -> None:
    found = picked(bumps([100, 118, 200], [0.6, 0.9, 0.8], 300), [])
    assert [round(frame) for frame, _ in found] == [118, 200]


def test_a_low_bump_is_none() -> None:
    assert picked(bumps([100], [0.35], 300), []) == []


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300),
    st.lists(st.integers(0, 300), max_size=5).map(sorted),
)
def test_grouping_does_not_matter_and_peaks_keep_their_distance(
    values: list[float], cuts: list[int]
) -> None:
    probability = np.array(values + [0.0] * 40, np.float32)
    whole = picked(probability, [])
    assert picked(probability, cuts) == whole
    gaps = np.diff([frame for frame, _ in whole])
    assert (gaps > REFRACTORY_S * RATE_HZ - 2).all()
