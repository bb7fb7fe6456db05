"""Frames out of a byte stream that has no borders but the shape of its frames."""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.devices.tally import Tally

__all__ = ["NO_FRAME", "UNDECIDED", "Resync"]

UNDECIDED = 0
NO_FRAME = -1

Measure = Callable[[bytes], int]
"""How long the frame is that begins these bytes, UNDECIDED where more of it must come first,
NO_FRAME where none can begin here."""


class Resync:
    """Cuts frames out of bytes; what belongs to none is counted as skipped, byte by byte.

    begins: bytes that every frame begins with. measure: see `Measure`; it is given all bytes that
    wait, from a possible beginning on. max_bytes: no frame is longer; where more bytes than that
    wait without a decision, none begins here. The result depends on the bytes alone, not on how
    they were cut into chunks, as long as `measure` looks at no byte beyond its frame.
    """

    def __init__(self, begins: bytes, measure: Measure, max_bytes: int, tally: Tally) -> None:
        self._begins = begins
        self._measure = measure
        self._max_bytes = max_bytes
        self._tally = tally
        self._pending = b""

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for the rest of their frame, at most `max_bytes`."""
        return len(self._pending)

    def push(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, in order."""
        self._tally.bytes += len(data)
        waiting = self._pending + data
        frames: list[bytes] = []
        at = 0
        while at < len(waiting):
            start = self._find(waiting, at)
            self._tally.skipped_bytes += start - at
            at = start
            if len(waiting) - at < len(self._begins):
                break
            size = self._measure(waiting[at : at + self._max_bytes])
            if size == UNDECIDED and len(waiting) - at < self._max_bytes:
                break
            if size <= 0:
                self._tally.skipped_bytes += 1
                at += 1
            else:
                frames.append(waiting[at : at + size])
                at += size
        self._pending = waiting[at:]
        return frames

    def reset(self) -> None:
        """Forget a frame half received; its bytes count as skipped."""
        self._tally.skipped_bytes += len(self._pending)
        self._pending = b""

    def _find(self, waiting: bytes, at: int) -> int:
        """Where a frame can begin next; a beginning cut off at the end counts as one."""
        found = waiting.find(self._begins, at)
        if found >= 0:
            return found
        for kept in range(min(len(self._begins) - 1, len(waiting) - at), 0, -1):
            if waiting.endswith(self._begins[:kept]):
                return len(waiting) - kept
        return len(waiting)
