"""Channels of OpenBCI boards at the end of their converter's range: an electrode is off."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["railed"]

RAILED_COUNTS = (1 << 23) - 1000
"""OpenBCI's own program calls a channel railed from here on; the full scale is 2^23."""


def railed(counts: Sequence[int]) -> int:
    """Bits of the channels that are railed in one sample of 24-bit counts."""
    if max(counts) < RAILED_COUNTS and min(counts) > -RAILED_COUNTS:
        return 0
    return sum(1 << lead for lead, value in enumerate(counts) if abs(value) >= RAILED_COUNTS)
