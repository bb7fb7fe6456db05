"""Arithmetic of spans of time: (start, stop) pairs in one unit, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["Span", "clipped", "common", "merged", "overlaps", "total", "without"]

Span = tuple[float, float]


def merged(spans: Iterable[Span], gap: float = 0.0) -> list[Span]:
    """In order, those that touch or lie no further apart than `gap` made one."""
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined


def overlaps(span: Span, others: Iterable[Span], tolerance: float = 0.0) -> bool:
    """Whether any of the others shares time with it, each widened by `tolerance` at both ends."""
    return any(start - tolerance < span[1] and stop + tolerance > span[0] for start, stop in others)


def common(span: Span, others: Iterable[Span]) -> float:
    """Time that it shares with the others, which do not overlap each other."""
    return sum(max(0.0, min(span[1], stop) - max(span[0], start)) for start, stop in others)


def clipped(spans: Iterable[Span], start: float, stop: float) -> list[Span]:
    """What of them lies between two times."""
    within = ((max(first, start), min(last, stop)) for first, last in spans)
    return [span for span in within if span[1] > span[0]]


def without(spans: Iterable[Span], holes: Sequence[Span]) -> list[Span]:
    """What of them lies in none of the holes."""
    left = list(spans)
    for start, stop in holes:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, start)), (max(first, stop), last))
            if part[1] > part[0]
        ]
    return sorted(left)


def total(spans: Iterable[Span]) -> float:
    """Their lengths together."""
    return sum(stop - start for start, stop in spans)
