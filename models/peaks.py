"""From the probability of an R peak, frame by frame, to the peaks themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel

__all__ = ["REFRACTORY_S", "Peak", "PeakPicker"]

REFRACTORY_S = 0.2
"""No two QRS complexes are nearer than at 300 beats a minute."""

_TAIL = 4  # frames: smoothing looks one frame to either side, a summit too


@kernel("int64(float64[::1], float32[::1], int64, float64, float64[:, ::1])")
def _summits(tail, probability, before, threshold, out):  # type: ignore[no-untyped-def]
    """How many maxima of the smoothed probability there are, their frames and heights in `out`.

    tail: the last frames before these; those of these afterwards. before: frames before these.
    """
    count, found = len(probability), 0
    joined = np.empty(_TAIL + count)
    joined[:_TAIL], joined[_TAIL:] = tail, probability
    tail[:] = joined[count:]
    smooth = 0.25 * joined[:-2] + 0.5 * joined[1:-1] + 0.25 * joined[2:]
    for k in range(count):
        left, middle, right = smooth[k], smooth[k + 1], smooth[k + 2]
        if middle >= threshold and middle > left and middle >= right:
            bend = left - 2 * middle + right
            shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
            out[found, 0] = before - 2 + k + shift
            out[found, 1] = middle
            found += 1
    return found


@dataclass(frozen=True, slots=True)
class Peak:
    """A settled peak: `frame`, to a fraction, since the picker's first; its probability."""

    frame: float
    probability: float


class PeakPicker:
    """Finds the local maxima of a smoothed probability, at least REFRACTORY_S apart.

    Within that time the higher of two stays. A peak is settled when REFRACTORY_S have passed
    without a higher one; what comes out does not depend on how the frames are grouped.
    rate_hz: of the frames. threshold: least smoothed probability, 0 to 1.
    """

    def __init__(self, rate_hz: float, threshold: float) -> None:
        self._reach = round(REFRACTORY_S * rate_hz)
        self._threshold = threshold
        self.reset()

    @property
    def lag_frames(self) -> int:
        """Frames after a peak until it is settled, if no higher one follows."""
        return self._reach + 1

    def reset(self) -> None:
        """Begin again at frame 0."""
        self._tail = np.zeros(_TAIL)
        self._count = 0
        self._candidate: Peak | None = None

    def push(self, probability: NDArray[np.float32]) -> list[Peak]:
        """Peaks that these frames settle, in order. probability: shape (frames,), 0 to 1."""
        summits = np.empty((len(probability), 2))
        frames = np.array(probability, np.float32)
        found = _summits(self._tail, frames, self._count, self._threshold, summits)
        self._count += len(probability)
        settled: list[Peak] = []
        for frame, height in summits[:found].tolist():
            settled += self._meet(Peak(frame, height))
        return settled + self._settle(self._count - 3)

    def _meet(self, peak: Peak) -> list[Peak]:
        """A new summit: it replaces a lower one near before it, or gives way to a higher one."""
        known = self._settle(peak.frame)
        if self._candidate is None or peak.probability > self._candidate.probability:
            self._candidate = peak
        return known

    def _settle(self, frame: float) -> list[Peak]:
        """The candidate, if `frame` is beyond its reach."""
        if self._candidate is None or frame - self._candidate.frame <= self._reach:
            return []
        known, self._candidate = self._candidate, None
        return [known]
