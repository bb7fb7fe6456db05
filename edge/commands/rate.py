"""So many in a minute, on the clock that never steps."""

from __future__ import annotations

from collections import deque

from firmware_bridge.stream import NS_PER_S

WINDOW_NS = 60 * NS_PER_S


class Rate:
    """Lets `most` pass in any 60 s."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._passed: deque[int] = deque(maxlen=most)

    def passes(self, now_ns: int) -> bool:
        """Whether one more may pass now, which is then counted. now_ns: monotonic."""
        if len(self._passed) == self._most and now_ns - self._passed[0] < WINDOW_NS:
            return False
        self._passed.append(now_ns)
        return True


__all__ = ["WINDOW_NS", "Rate"]
