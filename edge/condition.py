"""Conditioning: baseline and muscle-band removal, causal and streaming.

High-pass 0.5 Hz keeps what monitoring mode keeps (IEC 60601-2-27 asks 0.67 Hz to 40 Hz), the
low-pass at 40 Hz removes muscle noise, the notch what remains of the mains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.biquad import (
    Sections,
    at_rest,
    butterworth_highpass,
    butterworth_lowpass,
    group_delay_s,
    notch,
    steady_state,
)
from edge.kernels.filters import condition
from edge.samples import as_samples, check_stream

QRS_CENTRE_HZ = 12.0  # most QRS energy lies between 5 and 20 Hz
NOTCH_QUALITY = 10.0  # 5 Hz wide at 50 Hz: follows mains drift, rings for 60 ms only
NYQUIST_MARGIN = 0.45  # of the rate: highest corner that the bilinear transform keeps useful


class Conditioner:
    """Filters one stream, chunk by chunk; any chunking gives the same bits.

    rate_hz: sampling rate, 50 Hz or more. highpass_hz, lowpass_hz: -3 dB corners of
    Butterworth filters of order 2 and 4; a low-pass corner above 0.45 of the rate is lowered
    to it. mains_hz: 50, 60, or None for no notch; a mains frequency that the rate cannot
    hold is left to the low-pass.
    """

    def __init__(
        self,
        rate_hz: float,
        leads: int,
        *,
        highpass_hz: float = 0.5,
        lowpass_hz: float = 40.0,
        mains_hz: float | None = None,
    ) -> None:
        check_stream(rate_hz, leads)
        self._leads = leads
        self._sections = _design(rate_hz, highpass_hz, lowpass_hz, mains_hz)
        self._cascades = np.repeat(at_rest(self._sections)[None], leads, axis=0)
        self._held = np.zeros(leads)
        self._primed = False
        self._delay_s = group_delay_s(self._sections, QRS_CENTRE_HZ, rate_hz)

    @property
    def delay_s(self) -> float:
        """Group delay in the QRS band (at 12 Hz), in seconds."""
        return self._delay_s

    def process(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Conditioned samples, float32 (n, leads), microvolts, one for each given.

        A sample that is not finite counts as the last finite one.
        """
        samples = as_samples(samples, self._leads)
        out = np.empty_like(samples)
        self.prime(samples)
        condition(samples, *self.memory, out)
        return out

    @property
    def memory(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the kernel `condition` works with."""
        return self._cascades, self._held

    def prime(self, samples: NDArray[np.float32]) -> None:
        """Before the kernel takes samples: the first ones set the baseline."""
        if not self._primed and samples.shape[0]:
            self._prime(samples[0])

    def reset(self) -> None:
        """Forget the past, as after a gap; the next sample sets the baseline."""
        self._primed = False

    def _prime(self, first: NDArray[np.float32]) -> None:
        """Start as if the first sample had stood for ever: an electrode offset of hundreds
        of millivolts then makes no step."""
        level = np.where(np.isfinite(first), first, 0.0).astype(np.float64)
        self._cascades[:, :, 5:] = steady_state(self._sections, level)
        self._held[:] = level
        self._primed = True


def _design(
    rate_hz: float, highpass_hz: float, lowpass_hz: float, mains_hz: float | None
) -> Sections:
    top_hz = NYQUIST_MARGIN * rate_hz
    parts = [
        butterworth_highpass(2, highpass_hz, rate_hz),
        butterworth_lowpass(4, min(lowpass_hz, top_hz), rate_hz),
    ]
    if mains_hz is not None and mains_hz < top_hz:
        parts.append(notch(mains_hz, NOTCH_QUALITY, rate_hz))
    return np.concatenate(parts)


__all__ = ["Conditioner"]
