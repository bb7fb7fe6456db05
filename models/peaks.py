"""From the probability of an R peak, frame by frame, to the peaks themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["REFRACTORY_S", "Peak", "PeakPicker"]

REFRACTORY_S = 0.2
"""No two QRS complexes are nearer than at 300 beats a minute."""

_SMOOTHING = np.array([0.25, 0.5, 0.25])


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
        self._tail = np.zeros(2 + 2)  # smoothing looks one frame to either side, the summit too
        self._count = 0
        self._candidate: Peak | None = None

    def push(self, probability: NDArray[np.float32]) -> list[Peak]:
        """Peaks that these frames settle, in order. probability: shape (frames,), 0 to 1."""
        joined = np.concatenate([self._tail, probability])
        smooth = np.convolve(joined, _SMOOTHING, "valid")
        first = self._count - 3  # frame of smooth[0]
        self._tail = joined[-4:]
        self._count += len(probability)
        left, middle, right = smooth[:-2], smooth[1:-1], smooth[2:]
        is_top = (middle >= self._threshold) & (middle > left) & (middle >= right)
        settled: list[Peak] = []
        for k in np.flatnonzero(is_top):
            bend = left[k] - 2 * middle[k] + right[k]
            shift = 0.5 * (left[k] - right[k]) / bend if bend < 0 else 0.0
            settled += self._meet(Peak(float(first + 1 + k + shift), float(middle[k])))
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
