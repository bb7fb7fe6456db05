"""What the trunk hears of a lead's beats: their times and, of each, the signal around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.beat_window import REACH, WIDTH, window_of
from models.peaks import PeakPicker
from models.training.architecture import (
    HOP_SAMPLES,
    QRS_DELAY_S,
    QRS_THRESHOLD,
    RATE_HZ,
)
from models.training.model import Encoder, normalise

__all__ = ["Heard", "Listener", "nearest"]

MATCH_S = 0.15  # ANSI/AAMI EC57

Floats = NDArray[np.float32]
Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """peak_s: (beats,), increasing. windows_uv: (beats, WIDTH)."""

    peak_s: Seconds
    windows_uv: Floats


class Listener:
    """Runs a trained trunk over whole leads, as the runtime does over hops."""

    def __init__(self, trunk: Encoder) -> None:
        self._trunk = trunk.eval()

    def __call__(self, signal_uv: Floats) -> Heard:
        """signal_uv: (samples,) of one lead, conditioned, at RATE_HZ; only whole hops count."""
        whole = signal_uv[: len(signal_uv) // HOP_SAMPLES * HOP_SAMPLES]
        with torch.no_grad():
            tensors = self._trunk.tensors(normalise(torch.from_numpy(whole)[None]))
        qrs = torch.sigmoid(tensors["peak"]).transpose(1, 2).reshape(-1).numpy()
        picker = PeakPicker(RATE_HZ, QRS_THRESHOLD)
        peaks = picker.push(qrs) + picker.push(np.zeros(RATE_HZ, np.float32))
        peak_s = np.array([p.frame for p in peaks]) / RATE_HZ - QRS_DELAY_S
        peak_s = peak_s[(peak_s >= 0) & (peak_s * RATE_HZ + REACH + 1 < len(whole))]
        windows = [window_of(whole, at_s * RATE_HZ) for at_s in peak_s]
        return Heard(peak_s, np.reshape(np.array(windows, np.float32), (-1, WIDTH)))


def nearest(found_s: Seconds, truth_s: Seconds) -> NDArray[np.int64]:
    """(found,): for each beat found, the true beat within MATCH_S that is mutually the nearest,
    or -1."""
    answer = np.full(len(found_s), -1, np.int64)
    if not len(found_s) or not len(truth_s):
        return answer
    there, back = _closest(found_s, truth_s), _closest(truth_s, found_s)
    close = np.abs(found_s - truth_s[there]) <= MATCH_S
    mutual = close & (back[there] == np.arange(len(found_s)))
    answer[mutual] = there[mutual]
    return answer


def _closest(times: Seconds, others: Seconds) -> NDArray[np.int64]:
    """For each time, the index of the nearest of the others."""
    right = np.clip(np.searchsorted(others, times), 1, max(1, len(others) - 1))
    right = np.minimum(right, len(others) - 1)
    left = np.maximum(right - 1, 0)
    nearer_left = np.abs(times - others[left]) <= np.abs(times - others[right])
    return np.where(nearer_left, left, right)
