"""The second reading: the samples that a report shows, and no others, are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.holter.disclosure import Disclosure
from edge.holter.excerpts import Excerpt
from edge.holter.placing import Window, length_ns, placed
from edge.record import Block
from firmware_bridge.stream import StreamFormat

__all__ = ["LIMIT_UV", "Strip", "read_samples"]

LIMIT_UV = 6e6
"""Beyond, a value is no voltage of an electrode, but missing."""


@dataclass(slots=True, eq=False)
class Strip:
    """An excerpt and its ECG: samples_uv (samples, leads), NaN where none was recorded; None where
    nothing was. Of a stretch in which the format changes, what has the first format."""

    excerpt: Excerpt
    format: StreamFormat | None = None
    samples_uv: NDArray[np.float32] | None = None

    def take(self, block: Block, start_ns: int, samples_uv: NDArray[np.float32]) -> None:
        """Keep what lies in the excerpt. start_ns: of the block, UTC."""
        rate_hz = block.format.rate_hz
        if self.format is None or self.samples_uv is None:
            count = max(1, round(self.excerpt.length_s * rate_hz))
            self.format = block.format
            self.samples_uv = np.full((count, len(block.format.leads)), np.nan, np.float32)
        if block.format != self.format:
            return
        at = round((start_ns - self.excerpt.start_ns) / 1e9 * rate_hz)
        first, stop = max(at, 0), min(at + len(samples_uv), len(self.samples_uv))
        if first < stop:
            self.samples_uv[first:stop] = samples_uv[first - at : stop - at]


def read_samples(
    window: Window, excerpts: Sequence[Excerpt], disclosure: Disclosure | None
) -> list[Strip]:
    """The strips of the excerpts, in their order; fills the disclosure in the same reading."""
    strips = [Strip(each) for each in excerpts]
    starts = np.array([each.start_ns for each in excerpts], np.int64)
    stops = starts + np.array([round(each.length_s * 1e9) for each in excerpts], np.int64)
    for axis, entry in placed(window):
        if not isinstance(entry, Block) or axis.offset_ns is None:
            continue
        start_ns = axis.offset_ns + entry.time_ns
        wanted = np.flatnonzero((starts < start_ns + length_ns(entry)) & (stops > start_ns))
        if disclosure is None and not len(wanted):
            continue
        samples_uv = entry.samples_uv
        if not (np.abs(samples_uv) <= LIMIT_UV).all():
            good = np.abs(samples_uv) <= LIMIT_UV
            samples_uv = np.where(good, samples_uv, np.float32(np.nan))
        for number in wanted:
            strips[number].take(entry, start_ns, samples_uv)
        if disclosure is not None:
            disclosure.take(start_ns, entry.format.rate_hz, samples_uv)
    return strips
