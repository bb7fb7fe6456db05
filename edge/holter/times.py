"""Moments as people read them, in one time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from edge.errors import UsageError

__all__ = ["Times", "length", "times_in"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """One offset for a whole report, so that an hour is an hour where clocks are changed.

    offset_s: of local time to UTC. has_days: whether a time of day alone is not clear.
    """

    zone: str
    offset_s: int = 0
    has_days: bool = False

    def local(self, utc_ns: int) -> datetime:
        """The moment, cut to microseconds."""
        zone = timezone(timedelta(seconds=self.offset_s))
        return (_EPOCH + timedelta(microseconds=utc_ns // 1000)).astimezone(zone)

    def clock(self, utc_ns: int) -> str:
        """`14:03:12`, with the day before it in a report of more than a day."""
        moment = self.local(utc_ns)
        return f"{moment:%d %b %H:%M:%S}" if self.has_days else f"{moment:%H:%M:%S}"

    def minute(self, utc_ns: int) -> str:
        """`14:03`, with the day in a report of more than a day."""
        moment = self.local(utc_ns)
        return f"{moment:%d %b %H:%M}" if self.has_days else f"{moment:%H:%M}"

    def date(self, utc_ns: int) -> str:
        """`31 January 2026, 14:03:12`."""
        return f"{self.local(utc_ns):%d %B %Y, %H:%M:%S}"

    @property
    def name(self) -> str:
        """The zone and its offset."""
        if self.zone == "UTC":
            return "UTC"
        hours, minutes = divmod(abs(self.offset_s) // 60, 60)
        return f"{self.zone}, UTC{'-' if self.offset_s < 0 else '+'}{hours:02d}:{minutes:02d}"


def times_in(zone: str, start_ns: int, duration_s: float) -> Times:
    """Times in a zone by its IANA name, its offset as at `start_ns`. Raises UsageError."""
    try:
        found = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"--timezone {zone}: unknown; write a name such as Europe/Berlin or UTC"
        ) from None
    moment = _EPOCH + timedelta(microseconds=start_ns // 1000)
    offset = moment.astimezone(found).utcoffset() or timedelta(0)
    return Times(zone, round(offset.total_seconds()), duration_s > 86_400)


def length(seconds: float) -> str:
    """`23 h 59 min`, `4 min 10 s`, `2.1 s`, `0 s`."""
    if seconds <= 0:
        return "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
