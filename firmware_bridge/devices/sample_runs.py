"""Samples that came one by one, joined to frames as long as possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["runs"]


def runs(positions: Sequence[int], modulus: int, lead_off: Sequence[int]) -> Iterator[slice]:
    """Slices of samples that follow each other without a gap and with the same contact.

    positions: of at least one sample, counted modulo `modulus`. lead_off: of each.
    """
    start = 0
    for index in range(1, len(positions)):
        follows = (positions[index] - positions[index - 1]) % modulus == 1
        if not follows or lead_off[index] != lead_off[index - 1]:
            yield slice(start, index)
            start = index
    yield slice(start, len(positions))
