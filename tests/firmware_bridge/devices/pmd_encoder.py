"""What Polar's sensors put on the air, written by the specification and not by the decoder."""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = ["acc_frame", "delta_content", "ecg_frame", "pmd_frame", "ppg_frame", "ppi_frame"]

Row = Sequence[int]


def pmd_frame(kind: int, last_ns: int, frame_type: int, content: bytes) -> bytes:
    """A data notification."""
    return struct.pack("<BQB", kind, last_ns, frame_type) + content


def integers(rows: Sequence[Row], value_bytes: int) -> bytes:
    """Whole values, the channels in turn."""
    return b"".join(v.to_bytes(value_bytes, "little", signed=True) for row in rows for v in row)


def delta_content(
    rows: Sequence[Row], value_bytes: int, blocks: Sequence[tuple[int, int]]
) -> bytes:
    """Rows compressed in blocks of (width in bits, rows), after the first row, which is whole."""
    content = integers(rows[:1], value_bytes)
    at = 1
    for width, count in blocks:
        packed, used = 0, 0
        for before, row in zip(rows[at - 1 : at + count - 1], rows[at : at + count], strict=True):
            for old, new in zip(before, row, strict=True):
                assert -(1 << width - 1) <= new - old < 1 << width - 1
                packed |= (new - old & (1 << width) - 1) << used
                used += width
        content += bytes([width, count]) + packed.to_bytes((used + 7) // 8, "little")
        at += count
    assert at == len(rows)
    return content


def ecg_frame(samples_uv: Sequence[int], last_ns: int) -> bytes:
    """Plain ECG."""
    return pmd_frame(0, last_ns, 0, integers([samples_uv], 3))


def acc_frame(rows: Sequence[Row], last_ns: int, blocks: Sequence[tuple[int, int]] = ()) -> bytes:
    """Movement: plain with 16 bits, or compressed in these blocks."""
    if not blocks:
        return pmd_frame(2, last_ns, 0x01, integers(rows, 2))
    return pmd_frame(2, last_ns, 0x81, delta_content(rows, 2, blocks))


def ppg_frame(rows: Sequence[Row], last_ns: int, blocks: Sequence[tuple[int, int]] = ()) -> bytes:
    """Light of three pairs of LEDs, and ambient: plain, or compressed in these blocks."""
    if not blocks:
        return pmd_frame(1, last_ns, 0x00, integers(rows, 3))
    return pmd_frame(1, last_ns, 0x80, delta_content(rows, 3, blocks))


def ppi_frame(intervals: Sequence[tuple[int, int, int, int]]) -> bytes:
    """Pulse intervals: bpm, interval in ms, its error in ms, flags."""
    return pmd_frame(3, 0, 0, b"".join(struct.pack("<BHHB", *each) for each in intervals))
