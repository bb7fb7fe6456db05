"""The clocks of the host; the only module of the runtime that asks the operating system.

Decisions and waits use `monotonic_ns`, which never steps. `utc_ns` only labels what people
read: it may jump, and on a board without a battery-backed clock it may start in 1970.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_MS = 1_000_000


class Clock(Protocol):
    """What the runtime asks of a clock; tests give their own."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since any fixed moment; never goes back."""

    def utc_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z, as the host believes."""


class SystemClock:
    """The operating system's clocks."""

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC, in nanoseconds."""
        return time.monotonic_ns()

    def utc_ns(self) -> int:
        """CLOCK_REALTIME, in nanoseconds."""
        return time.time_ns()


def rfc3339(utc_ns: int) -> str:
    """UTC as RFC 3339 text with milliseconds, cut not rounded: `2026-01-31T12:00:00.250Z`.

    Raises ValueError outside the years 1 to 9999.
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=utc_ns // _NS_PER_MS)
    except OverflowError:
        raise ValueError(f"{utc_ns} ns since 1970 is outside the years 1 to 9999") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


__all__ = ["Clock", "SystemClock", "rfc3339"]
