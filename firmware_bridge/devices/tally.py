"""What a decoder made of its bytes, counted as they come."""

from __future__ import annotations

from firmware_bridge.stream import DecodeCount

__all__ = ["Tally"]


class Tally:
    """Counts of one decoder; `count` is their snapshot."""

    __slots__ = ("bad_frames", "bytes", "frames", "skipped_bytes")

    def __init__(self) -> None:
        self.frames = 0
        self.bad_frames = 0
        self.bytes = 0
        self.skipped_bytes = 0

    @property
    def count(self) -> DecodeCount:
        """The counts of this moment."""
        return DecodeCount(self.frames, self.bad_frames, self.bytes, self.skipped_bytes)

    def bad(self, size_bytes: int) -> None:
        """A message of that size cannot be right."""
        self.bad_frames += 1
        self.skipped_bytes += size_bytes
