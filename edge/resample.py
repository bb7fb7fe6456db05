"""Resampling of a stream from the device's rate to the encoder's, causal and exact in time.

A Kaiser-windowed sinc, tabulated at 256 fractions of an input sample and interpolated
linearly between them (J. O. Smith, "Digital audio resampling", CCRMA), so that any ratio of
rates works and output k never drifts from its time.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.kernels.resample import interpolate
from edge.samples import as_samples, check_stream

PHASES = 256  # error of the linear interpolation below -90 dB
CROSSINGS = 6  # zero crossings of the sinc on each side: transition band against delay
KAISER_BETA = 5.0  # stop band about -54 dB, below the noise of an ECG front end
PASS_FRACTION = 0.9  # cutoff relative to half the lower rate


class Resampler:
    """Changes the rate of one stream, chunk by chunk; any chunking gives the same bits.

    Output k is the input at time k / rate_out_hz - delay_s, and is given as soon as the
    input at k / rate_out_hz has come. Before the first sample the input counts as constant.
    Equal rates pass through without delay.
    """

    def __init__(self, rate_in_hz: float, rate_out_hz: float, leads: int) -> None:
        check_stream(rate_in_hz, leads)
        check_stream(rate_out_hz, leads)
        self._rate_in_hz = float(rate_in_hz)
        self._rate_out_hz = float(rate_out_hz)
        self._leads = leads
        self._table = _table(self._rate_in_hz, self._rate_out_hz)
        taps = self._table.shape[1]
        self._history = np.zeros((2 * taps, leads))
        self._held = np.zeros(leads)
        self._counts = np.zeros(2, np.int64)

    @property
    def delay_s(self) -> float:
        """Exact delay of the output, in seconds, the same at all frequencies."""
        if self._passes_through:
            return 0.0
        return float(self._table.shape[1] / 2 / self._rate_in_hz)

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs that these samples complete: float32, (m, leads), microvolts.

        A sample that is not finite counts as the last finite one.
        """
        samples = as_samples(samples, self._leads)
        if self._passes_through or not samples.shape[0]:
            return samples.copy()
        if self._counts[0] == 0:
            self._held[:] = np.where(np.isfinite(samples[0]), samples[0], 0.0)
            self._history[:] = self._held
        room = math.ceil(samples.shape[0] * self._rate_out_hz / self._rate_in_hz) + 2
        out = np.empty((room, self._leads), np.float32)
        written = interpolate(
            samples,
            self._table,
            self._history,
            self._held,
            self._counts,
            self._rate_in_hz,
            self._rate_out_hz,
            out,
        )
        return out[:written]

    def reset(self) -> None:
        """Begin anew, as after a gap: the next sample is at time 0."""
        self._counts[:] = 0

    @property
    def _passes_through(self) -> bool:
        return self._rate_in_hz == self._rate_out_hz


@lru_cache(maxsize=16)
def _table(rate_in_hz: float, rate_out_hz: float) -> NDArray[np.float64]:
    """Impulse responses, shape (PHASES + 1, taps); row p is for an output p / PHASES of an
    input sample after the newest input but `taps / 2`; column 0 is the oldest input.

    All streams of a rate share it: nobody writes to it.
    """
    cutoff = PASS_FRACTION * min(rate_out_hz / rate_in_hz, 1.0)  # of half the input rate
    half = math.ceil(CROSSINGS / cutoff)
    fraction = np.arange(PHASES + 1)[:, None] / PHASES
    # The newest input lies `half` minus the fraction after the output's point in time.
    distance = np.arange(-half + 1, half + 1)[None, :] - fraction
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(1.0 - (distance / half) ** 2, 0.0)))
    taps = np.sinc(cutoff * distance) * window
    table: NDArray[np.float64] = taps / taps.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(table)


__all__ = ["Resampler"]
