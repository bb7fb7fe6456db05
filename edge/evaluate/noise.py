"""A noise record mixed into a clean recording at a signal-to-noise ratio, by one of two methods.

`nst` is that of WFDB (`edge.evaluate.nst`). `whole` has noise from the first sample to the last:

- the first signal of the noise record serves every lead, its mean taken off, tiled over the
  recording;
- N, the noise's power: the mean square about the mean of the part that is used;
- S, the signal's power, lead by lead: the square of the 99.5th percentile of the absolute
  deviation from the median, over 8 (a sine of that amplitude peak to peak has it).

Of the noise record only what follows `start` is used, so that a detector that was trained on the
first half can be tested on the second. Where the rates differ the noise is resampled by straight
lines (nst does so from 10 % on).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.evaluate.nst import in_turns, noise_gains, noise_rms_uv, qrs_amplitude_uv
from edge.evaluate.reference import Reference
from firmware_bridge.errors import SourceError
from firmware_bridge.records import Record, read_record

__all__ = ["HALF", "METHODS", "Method", "NoiseMix", "add_noise", "deviation_uv"]

Method = Literal["nst", "whole"]
METHODS: tuple[Method, ...] = ("nst", "whole")
HALF: Literal["half"] = "half"
PERCENTILE = 99.5
MIN_S = 1.0
"""A shorter part of a noise record says nothing of its power."""

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NoiseMix:
    """Which noise, how loud, from where on and how.

    path: a WFDB record. snr_db: signal-to-noise ratio. start: seconds into the noise record, or
    `half` of it; what comes before is not used.
    """

    path: Path
    snr_db: float
    start: float | Literal["half"] = 0.0
    method: Method = "nst"


def add_noise(
    samples_uv: NDArray[np.float32], reference: Reference, mix: NoiseMix
) -> NDArray[np.float32]:
    """The recording, shape (samples, leads), with noise that gives every lead the same SNR.

    A lead without any signal gets no noise: it has no ratio. Raises SourceError where the noise
    record cannot be read or ends before `mix.start`, or where amplitudes cannot be measured.
    """
    record = read_record(mix.path)
    part_uv = _part(record, mix)
    noise = _as_nst if mix.method == "nst" else _whole
    return (samples_uv + noise(samples_uv, reference, part_uv, record, mix)).astype(np.float32)


def deviation_uv(samples_uv: NDArray[np.float32]) -> Samples:
    """99.5th percentile of the absolute deviation from the median, one number a lead."""
    return np.array([_deviation_uv(lead[np.isfinite(lead)]) for lead in samples_uv.T])


def _deviation_uv(lead_uv: NDArray[np.float32]) -> float:
    if not len(lead_uv):
        return 0.0
    return float(np.percentile(np.abs(lead_uv - np.median(lead_uv)), PERCENTILE))


def _part(record: Record, mix: NoiseMix) -> Samples:
    """The part of the noise record that is used, shape (samples, signals)."""
    length = len(record.digital)
    start = length // 2 if mix.start == HALF else round(mix.start * record.rate_hz)
    if length - start < MIN_S * record.rate_hz:
        raise SourceError(
            f"{mix.path}: the noise record lasts {record.duration_s:g} s: too short to be used "
            f"from {start / record.rate_hz:g} s on; choose an earlier --noise-from"
        )
    return record.samples_uv().astype(np.float64)[start:]


def _as_nst(
    samples_uv: NDArray[np.float32],
    reference: Reference,
    part_uv: Samples,
    record: Record,
    mix: NoiseMix,
) -> Samples:
    """Signals of the noise record serve the leads in turn."""
    by_lead = part_uv[:, np.arange(samples_uv.shape[1]) % part_uv.shape[1]]
    amplitude_uv = qrs_amplitude_uv(samples_uv, reference)
    rms_uv = _audible(noise_rms_uv(by_lead, record.rate_hz), mix.path)
    resampled = _resampled(by_lead, record.rate_hz, reference.rate_hz)
    wave = in_turns(resampled, len(samples_uv), reference.rate_hz)
    return noise_gains(amplitude_uv, rms_uv, mix.snr_db) * wave


def _whole(
    samples_uv: NDArray[np.float32],
    reference: Reference,
    part_uv: Samples,
    record: Record,
    mix: NoiseMix,
) -> Samples:
    first = part_uv[:, :1] - part_uv[:, :1].mean()
    rms_uv = _audible(np.sqrt(np.mean(first**2, axis=0)), mix.path)
    resampled = _resampled(first, record.rate_hz, reference.rate_hz)
    wave = resampled[np.arange(len(samples_uv)) % len(resampled)]
    return noise_gains(deviation_uv(samples_uv), rms_uv, mix.snr_db) * wave


def _audible(rms_uv: Samples, path: Path) -> Samples:
    if np.isfinite(rms_uv).all() and (rms_uv > 0).all():
        return rms_uv
    raise SourceError(f"{path}: a noise signal is flat or has invalid samples")


def _resampled(noise_uv: Samples, from_hz: float, to_hz: float) -> Samples:
    if from_hz == to_hz:
        return noise_uv
    count = int(len(noise_uv) * to_hz / from_hz)
    at = np.arange(count) * (from_hz / to_hz)
    steps = np.arange(len(noise_uv))
    return np.stack([np.interp(at, steps, signal) for signal in noise_uv.T], axis=1)
