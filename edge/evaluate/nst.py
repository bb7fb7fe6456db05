"""The noise stress test of WFDB's `nst`: noise in turns, at a ratio measured by QRS complexes.

Moody, Muldrow, Mark: A noise stress test for arrhythmia detectors, Computers in Cardiology
11, 381-384, 1984. Signal and noise amplitudes are those of `sigamp`, each signal by itself:

- S, the signal's power: the mean peak-to-peak amplitude of the first 300 QRS complexes that
  are not ventricular (50 ms to either side of the annotation), squared, over 8.
- N, the noise's power: the root mean square about the mean of each of the first 300 seconds;
  their mean, squared.
- Both means leave out the least 5 % and the greatest 5 %.
- The gain `a` of the noise solves SNR = 10 log10(S / (a² N)).
- Noise is off for 5 minutes, then on and off in turns of 2 minutes. Where the gain changes and
  where the noise record begins anew, an offset keeps the sum free of steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.evaluate.reference import Reference
from firmware_bridge.errors import SourceError

__all__ = ["in_turns", "noise_gains", "noise_rms_uv", "qrs_amplitude_uv"]

QUIET_S = 300.0
TURN_S = 120.0
MEASURED = 300
TRIMMED = 20
"""One in so many is left out at either end."""
HALF_WINDOW_S = 0.05
NOT_VENTRICULAR = frozenset("NSQ")

Samples = NDArray[np.float64]


def qrs_amplitude_uv(samples_uv: NDArray[np.float32], reference: Reference) -> Samples:
    """Trimmed mean of the peak-to-peak amplitude of QRS complexes, one number a lead.

    Raises SourceError where none is annotated.
    """
    half = round(HALF_WINDOW_S * reference.rate_hz)
    kinds = zip(reference.beats.tolist(), reference.classes, strict=True)
    peaks = [beat for beat, label in kinds if label in NOT_VENTRICULAR][:MEASURED]
    windows = (samples_uv[max(0, peak - half) : peak + half + 1] for peak in peaks)
    ranges = [np.ptp(window, axis=0) for window in windows if np.isfinite(window).all()]
    if not ranges:
        raise SourceError(
            "noise by SNR as nst mixes it needs annotated QRS complexes that are not ventricular: "
            "this recording has none; --noise-method whole needs none"
        )
    return _trimmed_mean(np.array(ranges, np.float64))


def noise_rms_uv(noise_uv: Samples, rate_hz: float) -> Samples:
    """Trimmed mean of the root mean square about the mean of one-second pieces, one a signal."""
    second = round(rate_hz)
    count = min(len(noise_uv) // second, MEASURED)
    if not count:
        return np.full(noise_uv.shape[1], np.nan)
    pieces = noise_uv[: count * second].reshape(count, second, -1)
    return _trimmed_mean(pieces.std(axis=1))


def noise_gains(qrs_uv: Samples, rms_uv: Samples, snr_db: float) -> Samples:
    """Gain of the noise for an SNR, one a lead."""
    return np.asarray(qrs_uv / np.sqrt(8.0) / rms_uv * 10.0 ** (-snr_db / 20.0))


def in_turns(noise_uv: Samples, length: int, rate_hz: float) -> Samples:
    """Noise at gain 1 in its turns, shape (length, leads), without steps: the sum of its changes.

    No change is taken from the last to the first sample, where the noise begins anew.
    """
    changes = np.diff(noise_uv, axis=0, prepend=noise_uv[:1])
    looped = changes[np.arange(length) % len(noise_uv)]
    since_s = np.arange(length) / rate_hz - QUIET_S
    on = (since_s >= 0) & (since_s // TURN_S % 2 == 0)
    return np.cumsum(np.where(on[:, None], looped, 0.0), axis=0)


def _trimmed_mean(values: Samples) -> Samples:
    cut = len(values) // TRIMMED
    return np.asarray(np.sort(values, axis=0)[cut : len(values) - cut].mean(axis=0))
