"""WFDB records: a header, a signal file and an annotation file (WFDB header(5), signal(5)).

Format 16, or 32 where 16 bits would cost resolution. A missing sample has the value that the
format reserves for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge.export.atr import write_annotations
from edge.export.parts import Part
from edge.export.scale import STEP_MAX_UV, Scale, digital, scale_of

__all__ = ["record_name", "write_wfdb"]

FRAME_S = 10
WIDE = Scale(0.1)
"""With 32 bits: to 0.1 uV up to 200 V."""
WIDE_MISSING = -(1 << 31)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_wfdb(part: Part, name: str, header: BinaryIO, signal: BinaryIO, marks: BinaryIO) -> None:
    """Write one part. name: of the record, as the header says it and its files are called."""
    scales = [scale_of(*each) for each in zip(part.low_uv, part.high_uv, strict=True)]
    is_wide = max(scale.step_uv for scale in scales) > STEP_MAX_UV
    scales = [WIDE] * len(scales) if is_wide else scales
    size, written = max(1, round(FRAME_S * part.format.rate_hz)), 0
    first, total = _missing(1, len(scales), is_wide)[0], np.zeros(len(scales), np.int64)
    for position, frame in part.frames(size):
        values = _wide(frame) if is_wide else digital(frame, scales)
        values = values[: part.length - position]
        first = values[0] if position == 0 else first
        if position > written:
            total += _fill(signal, position - written, len(scales), is_wide)
        signal.write(values.astype(values.dtype.newbyteorder("<")).tobytes())
        total += values.sum(axis=0, dtype=np.int64)
        written = position + len(values)
    header.write(_header(part, name, scales, is_wide, first, total).encode())
    write_annotations(part.marks, marks)


def _fill(signal: BinaryIO, count: int, leads: int, is_wide: bool) -> NDArray[np.int64]:
    """Samples that are not there, a piece at a time; their sum."""
    sums = np.zeros(leads, np.int64)
    while count > 0:
        values = _missing(min(count, 100_000), leads, is_wide)
        signal.write(values.astype(values.dtype.newbyteorder("<")).tobytes())
        sums += values.sum(axis=0, dtype=np.int64)
        count -= len(values)
    return sums


def _missing(count: int, leads: int, is_wide: bool) -> NDArray[np.int16] | NDArray[np.int32]:
    nothing = np.full((count, leads), np.nan, np.float32)
    return _wide(nothing) if is_wide else digital(nothing, [Scale(1.0)] * leads)


def _wide(samples_uv: NDArray[np.float32]) -> NDArray[np.int32]:
    numbers = np.rint(samples_uv.astype(np.float64) / WIDE.step_uv)
    return np.where(np.isnan(numbers), WIDE_MISSING, numbers).astype(np.int32)


def _header(
    part: Part,
    name: str,
    scales: list[Scale],
    is_wide: bool,
    first: NDArray[np.integer],
    total: NDArray[np.int64],
) -> str:
    start = EPOCH + timedelta(milliseconds=part.start_utc_ns // 1_000_000)
    begun = f"{start:%H:%M:%S}.{start.microsecond // 1000:03d} {start:%d/%m/%Y}"
    rate = f"{part.format.rate_hz:.10g}"
    lines = [f"{name} {len(scales)} {rate} {part.length} {begun}"]
    bits = 32 if is_wide else 16
    for k, lead in enumerate(part.format.leads):
        gain = f"{1000 / scales[k].step_uv:.10g}"
        checksum = (int(total[k]) + (1 << 15)) % (1 << 16) - (1 << 15)
        plain = "".join(each if each.isprintable() else "?" for each in lead)
        lines.append(f"{name}.dat {bits} {gain}(0)/mV {bits} 0 {first[k]} {checksum} 0 {plain}")
    device = "".join(each if each.isprintable() else "?" for each in part.request.recording.device)
    return "\n".join([*lines, f"# device: {device}", "# times are UTC", ""])


def record_name(name: str) -> str:
    """A name that WFDB allows: letters, digits, `_` and `-`."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)
