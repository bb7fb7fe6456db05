"""The newest samples of a stream, readable as one contiguous window without a copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.kernels.store import store
from edge.samples import as_samples


class Ring:
    """Bounded buffer over the stream's own sample axis. One thread writes.

    Each sample is written twice, `capacity` apart, so that every window of up to `capacity`
    samples lies in one piece.
    """

    def __init__(self, capacity: int, leads: int) -> None:
        if capacity < 1 or leads < 1:
            raise ValueError(f"ring of {capacity} samples, {leads} leads: both must be 1 or more")
        self._capacity = capacity
        self._samples = np.zeros((2 * capacity, leads), np.float32)
        self._valid = np.zeros(2 * capacity, np.uint8)
        self._stop = 0

    @property
    def leads(self) -> int:
        """Leads of each sample."""
        return self._samples.shape[1]

    @property
    def start(self) -> int:
        """Index of the oldest sample held."""
        return max(0, self._stop - self._capacity)

    @property
    def stop(self) -> int:
        """Index one past the newest sample."""
        return self._stop

    def append(self, samples: NDArray[np.float32]) -> None:
        """Add samples, (n, leads), microvolts, at `stop`; the oldest make room."""
        samples = as_samples(samples, self._samples.shape[1])
        store(samples, 1, self.advance(samples.shape[0]), *self.memory)

    def append_gap(self, length: int) -> None:
        """Add `length` samples that never came: zeros, marked invalid."""
        if length < 0:
            raise ValueError(f"gap of {length} samples: must be 0 or more")
        kept = min(length, self._capacity)
        self.advance(length - kept)
        zeros = np.zeros((kept, self._samples.shape[1]), np.float32)
        store(zeros, 0, self.advance(kept), *self.memory)

    def window(self, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Read-only views of samples [start, stop) and of their validity (1 valid, 0 gap).

        The views hold until as many samples as the capacity have been added. Raises
        IndexError where a sample was overwritten, has not come yet, or the window is empty
        the wrong way round.
        """
        if not self.start <= start <= stop <= self._stop:
            raise IndexError(
                f"window [{start}, {stop}) is not held: the ring holds [{self.start}, {self._stop})"
            )
        at = start % self._capacity
        samples = self._samples[at : at + stop - start]
        valid = self._valid[at : at + stop - start]
        samples.flags.writeable = False
        valid.flags.writeable = False
        return samples, valid

    @property
    def memory(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """What the kernel `store` writes to."""
        return self._samples, self._valid

    def advance(self, count: int) -> int:
        """Move on by `count` samples, which the kernel is to store where `stop` was: there."""
        start = self._stop
        self._stop += count
        return start


__all__ = ["Ring"]
