"""A strip as a message, and the message as samples again."""

from __future__ import annotations

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

from edge.clock import rfc3339
from edge.export.scale import MISSING, STEP_MAX_UV, Scale, digital, offset_scale
from edge.messages import StripMessage, checked_id
from edge.strips.cut import Cut, Signal

__all__ = ["VALUES_MAX", "decode", "decode_numbers", "strip_message"]

VALUES_MAX = 40_000
"""Numbers in a strip, all leads together: 107 kB of base64. Many brokers take no message beyond
128 KiB. Eight leads at 250 Hz fit for 20 s; of more, neighbours are averaged."""
REACH_UV = 20_000.0
"""To either side of a lead's middle, where the lead spans too much for fine steps."""
DECODED_MAX = 1 << 20
"""Numbers accepted in a strip of somebody else's."""


def strip_message(cut: Cut) -> StripMessage:
    """The strip, its steps as fine as 16 bits allow, and never above 1 uV.

    Where an electrode's offset would cost resolution, it goes into `offset_uv`. A lead that spans
    too much for such steps, since an electrode came off, is clipped at 20 mV to either side of the
    median of where it moves: all leads share one step, and an ECG is no such size.
    """
    rate_hz, samples = _compact(cut.signal)
    samples = np.column_stack([_clipped(lead_uv) for lead_uv in samples.T])
    scales = [_scale(samples[:, lead]) for lead in range(samples.shape[1])]
    step_uv = max(each.step_uv for each in scales)
    numbers = digital(samples, [Scale(step_uv, each.centre_uv) for each in scales])
    leads = cut.signal.format.leads
    return StripMessage(
        id=cut.id,
        patient=checked_id(cut.patient),
        device=cut.device,
        kind=cut.kind,
        priority=cut.priority,
        start=rfc3339(cut.start_utc_ns),
        onset_ms=_rounded(cut.onset_ms),
        decided_ms=_rounded(cut.decided_ms),
        rate_hz=rate_hz,
        scale_uv=step_uv,
        offset_uv={
            name: each.centre_uv for name, each in zip(leads, scales, strict=True) if each.centre_uv
        },
        samples={name: _base64(numbers[:, lead]) for lead, name in enumerate(leads)},
        beats=list(cut.beats),
        heart_rate_bpm=cut.heart_rate_bpm,
        recurrence=cut.recurrence,
    )


def decode(message: StripMessage) -> NDArray[np.float32]:
    """The samples in microvolts, shape (samples, leads), NaN where there is none.

    Raises ValueError where the message holds no samples, or leads of different lengths.
    """
    leads = decode_numbers(message).items()
    return np.column_stack([_microvolts(numbers, name, message) for name, numbers in leads])


def decode_numbers(message: StripMessage) -> dict[str, NDArray[np.int16]]:
    """The numbers of each lead, in the message's order. Raises ValueError as `decode` does."""
    found = {name: _numbers(message, name) for name in message.samples}
    lengths = {len(each) for each in found.values()}
    if len(lengths) != 1 or 0 in lengths or len(found) * max(lengths) > DECODED_MAX:
        raise ValueError(
            f"strip {message.id}: expected leads of one length, 1 to {DECODED_MAX} numbers in all"
        )
    return found


def _numbers(message: StripMessage, name: str) -> NDArray[np.int16]:
    try:
        raw = base64.b64decode(message.samples[name], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"strip {message.id}: lead {name!r} is no base64: {error}") from None
    return np.frombuffer(raw[: len(raw) // 2 * 2], "<i2")


def _microvolts(
    numbers: NDArray[np.int16], name: str, message: StripMessage
) -> NDArray[np.float32]:
    values = numbers * message.scale_uv + message.offset_uv.get(name, 0.0)
    return np.where(numbers == MISSING, np.nan, values).astype(np.float32)


def _compact(signal: Signal) -> tuple[float, NDArray[np.float32]]:
    """Rate and samples, NaN where none came; so many neighbours averaged that they fit."""
    known = (signal.valid > 0)[:, None] & np.isfinite(signal.samples_uv)
    samples = np.where(known, signal.samples_uv, np.float32(np.nan))
    length, leads = samples.shape
    every = -(-length * leads // VALUES_MAX)
    if every <= 1:
        return signal.format.rate_hz, samples
    whole = length // every
    grouped = samples[: whole * every].reshape(whole, every, leads)
    return signal.format.rate_hz / every, grouped.mean(axis=1, dtype=np.float32)


def _clipped(lead_uv: NDArray[np.float32]) -> NDArray[np.float32]:
    if _scale(lead_uv).step_uv <= STEP_MAX_UV:
        return lead_uv
    known = lead_uv[~np.isnan(lead_uv)].astype(np.float64)
    moving = known[1:][known[1:] != known[:-1]]  # a rail is level, and may last longer than the ECG
    middle_uv = float(np.median(moving if len(moving) else known))
    low_uv, high_uv = np.float32(middle_uv - REACH_UV), np.float32(middle_uv + REACH_UV)
    return np.clip(lead_uv, low_uv, high_uv)


def _scale(lead_uv: NDArray[np.float32]) -> Scale:
    known = lead_uv[~np.isnan(lead_uv)]
    return offset_scale(float(known.min()), float(known.max())) if len(known) else Scale(0.01)


def _base64(numbers: NDArray[np.int16]) -> str:
    return base64.b64encode(numbers.astype("<i2").tobytes()).decode("ascii")


def _rounded(value_ms: float | None) -> float | None:
    return None if value_ms is None else round(value_ms, 1)
