"""The shape of a beat against the one that is usual for its patient."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel
from models.errors import StepError

__all__ = ["DISTANCES", "UsualShape"]

DISTANCES = 6
_SPAN = 64  # beats over which the usual shape changes
_TRUST_AFTER = 8  # beats; from then on an unusual beat moves the usual shape only a little
_REACH = 2.0  # mean absolute deviations: how far one beat can be from it at most, to it
_FAR = 20.0
_TRACE = 1e-3
_LEVEL_SPAN = 16  # beats over which the usual amplitude changes
_LEVEL_REACH = 2.0  # by which one beat can be larger or smaller, to it
_LEVEL_FLOOR_UV = 10.0

Floats = NDArray[np.float32]


@kernel("void(float32[::1], float64[:, ::1], int64, float32[::1])")
def _describe(now, memory, beats, out):  # type: ignore[no-untyped-def]
    width = len(now)
    away = step = size = usual = last = with_usual = with_last = spread = 0.0
    for k in range(width):
        value, mean, before = np.float64(now[k]), memory[0, k], memory[2, k]
        difference = value - mean if beats else 0.0
        change = value - before if beats else 0.0
        away += difference * difference
        step += change * change
        size += value * value
        usual += mean * mean
        last += before * before
        with_usual += value * mean
        with_last += value * before
        spread += memory[1, k]
        out[6 + k] = value
        out[6 + width + k] = difference
    spread = spread / width + _TRACE
    out[0] = min(_FAR, math.sqrt(away / width) / spread)
    out[1] = min(_FAR, math.sqrt(step / width) / spread)
    out[2] = min(_FAR, math.sqrt(away / width))
    out[3] = with_usual / (math.sqrt(size * usual) + 1e-6)
    out[4] = with_last / (math.sqrt(size * last) + 1e-6)
    out[5] = 1.0


@kernel("void(float32[::1], float64[:, ::1], int64)")
def _learn(now, memory, beats):  # type: ignore[no-untyped-def]
    """beats: with this one, at most _SPAN."""
    for k in range(len(now)):
        away = np.float64(now[k]) - memory[0, k]
        if beats > _TRUST_AFTER:
            reach = _REACH * memory[1, k]
            away = min(max(away, -reach), reach)
        if beats > 1:
            memory[1, k] += (abs(away) - memory[1, k]) / (beats - 1)
        memory[0, k] += away / beats
        memory[2, k] = np.float64(now[k])


@kernel("void(float32[::1], float64, float64[:, ::1], int64, float32[::1])")
def _meet(window, level, memory, beats, out):  # type: ignore[no-untyped-def]
    """beats: before this one, at most _SPAN."""
    now = window / np.float32(level)
    _describe(now, memory, beats, out)
    _learn(now, memory, min(beats + 1, _SPAN))


class UsualShape:
    """A slow running mean of the windows around a patient's beats, robust against rare ones.

    Windows are divided by the usual root mean square of the windows before, so that neither the
    gain of a lead nor its electrode matters. width: how many numbers a window has.
    """

    def __init__(self, width: int) -> None:
        self._beats = 0
        self._level_uv = 0.0
        self._memory = np.zeros((3, width))  # usual window, mean deviation, the last beat's

    def step(self, window_uv: Floats, out: Floats) -> None:
        """Fill `out`, (DISTANCES + 2 * width,): distances, the window, its difference from the
        usual one. StepError: `window_uv` is not (width,), or not finite; nothing is learnt then.

        The distances are to the usual and to the last beat, against the patient's spread; to
        the usual; cosines with both; and 1, to tell that there is a window. Then the beat
        becomes part of what is usual.
        """
        window_uv = np.array(window_uv, np.float32)  # the caller's may be read-only
        level_uv = self._level_before(self._size_uv(window_uv))
        _meet(window_uv, level_uv, self._memory, self._beats, out)
        self._beats = min(self._beats + 1, _SPAN)

    def _size_uv(self, window_uv: Floats) -> float:
        """Root mean square of a window."""
        width = self._memory.shape[1]
        if window_uv.shape == (width,):
            power = np.add.reduce(np.square(window_uv, dtype=np.float64)) / width
            if math.isfinite(power):
                return math.sqrt(power)
        raise StepError(
            f"a beat has a window of shape {window_uv.shape}: expected {width} finite numbers"
        )

    def _level_before(self, size_uv: float) -> float:
        """The usual amplitude before a window of this size; the first one's own."""
        level_uv = self._level_uv if self._beats else size_uv
        bounded_uv = min(max(size_uv, level_uv / _LEVEL_REACH), level_uv * _LEVEL_REACH)
        self._level_uv = level_uv + (bounded_uv - level_uv) / min(self._beats + 1, _LEVEL_SPAN)
        return max(level_uv, _LEVEL_FLOOR_UV)
