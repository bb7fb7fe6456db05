"""A recording as the native frames that a device would have sent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import SourceError
from firmware_bridge.native import encode_frame
from firmware_bridge.native_format import INT24_RANGE, LEADS_MAX, SAMPLES_MAX
from firmware_bridge.pacing import TimedBytes
from firmware_bridge.records import Record
from firmware_bridge.records.record import FINE_STEP_NV
from firmware_bridge.stream import NS_PER_S

__all__ = ["record_frames", "samples_per_frame"]

FRAME_S = 0.1
FINEST_PART = 64
"""A step common to all leads is sought down to this part of the finest lead's."""


def samples_per_frame(rate_hz: float) -> int:
    """Samples a lead of one frame: about 100 ms, 1 to 255."""
    return min(max(round(rate_hz * FRAME_S), 1), SAMPLES_MAX)


def record_frames(record: Record) -> Iterator[TimedBytes]:
    """Frames of a recording, each due when its last sample is taken.

    Values stay exactly as the file has them where the steps of all leads are whole multiples of
    one step; else they are rounded to 0.1 uV. A sample that is invalid in any lead is
    left out: the counter goes on, so that the receiver sees a gap of its true length.
    Raises SourceError where the recording does not fit the wire.
    """
    if len(record.leads) > LEADS_MAX:
        raise SourceError(
            f"{record.name}: {len(record.leads)} leads; at most {LEADS_MAX} go over the wire: "
            f"choose some with lead=0,1"
        )
    step_nv, factors = _common_step(record)
    return _frames(record, step_nv, factors)


def _frames(record: Record, step_nv: float, factors: NDArray[np.float64]) -> Iterator[TimedBytes]:
    step_s = 1 / record.rate_hz
    for start, stop in _spans(record):
        steps = np.rint(record.digital[start:stop] * factors).astype(np.int32)
        data = encode_frame(
            steps,
            rate_hz=record.rate_hz,
            scale_nv=step_nv,
            sequence=start,
            device_time_us=round(start * step_s * 1e6),
        )
        yield TimedBytes(data, round((stop - 1) * step_s * NS_PER_S))


def _spans(record: Record) -> Iterator[tuple[int, int]]:
    """Runs of valid samples, none longer than a frame nor across the grid of frames."""
    length, size = len(record.digital), samples_per_frame(record.rate_hz)
    whole = None if record.valid is None else np.all(record.valid, axis=1, keepdims=True)[:, 0]
    for start in range(0, length, size):
        stop = min(start + size, length)
        if whole is None or whole[start:stop].all():
            yield start, stop
        else:
            edges = np.flatnonzero(np.diff(whole[start:stop].astype(np.int8), prepend=0, append=0))
            for first, last in edges.reshape(-1, 2):
                yield start + int(first), start + int(last)


def _common_step(record: Record) -> tuple[float, NDArray[np.float64]]:
    """One step for all leads in nanovolts, and how many of it make one step of each lead."""
    scales_nv = np.array(record.scale_nv)
    peaks = np.abs(record.digital).max(axis=0)
    step_nv = _divisor(scales_nv)
    if step_nv is not None and _wire_keeps(step_nv):
        whole = np.rint(scales_nv / step_nv)
        if (peaks * np.abs(whole)).max() <= INT24_RANGE[1]:
            return step_nv, whole
    fine = scales_nv / FINE_STEP_NV
    if (peaks * np.abs(fine)).max() > INT24_RANGE[1]:
        peak_mv = (peaks * np.abs(scales_nv)).max() / 1e6
        raise SourceError(
            f"{record.name}: values up to {peak_mv:.0f} mV do not fit the wire; "
            f"is the unit or the gain in its header right?"
        )
    return FINE_STEP_NV, fine


def _divisor(scales_nv: NDArray[np.float64]) -> float | None:
    """The greatest step of which all are whole multiples, if it is not too fine a one."""
    least_nv = float(np.abs(scales_nv).min())
    for parts in range(1, FINEST_PART + 1):
        multiples = scales_nv / (least_nv / parts)
        if np.allclose(multiples, np.rint(multiples), rtol=1e-9):
            return least_nv / parts
    return None


def _wire_keeps(step_nv: float) -> bool:
    """Whether a step, rounded to the wire's picovolts, stays itself to 10 ppm."""
    return abs(round(step_nv * 1000) / (step_nv * 1000) - 1) <= 1e-5
