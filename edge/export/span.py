"""Times on the command line: of the day in UTC, or since the recording began."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from edge.errors import UsageError

__all__ = ["utc_of"]

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_SECONDS = re.compile(r"\d+(?:\.\d+)?")


def utc_of(text: str, start_utc_ns: int) -> int:
    """Nanoseconds since 1970 of `2026-01-31T12:00:00Z`, or of seconds or `[HH:]MM:SS` since the
    beginning. Raises UsageError for anything else."""
    if _SECONDS.fullmatch(text):
        return start_utc_ns + round(float(text) * 1e9)
    if matched := _CLOCK.fullmatch(text):
        hours, minutes, seconds = int(matched[1] or 0), int(matched[2]), float(matched[3])
        return start_utc_ns + round((hours * 3600 + minutes * 60 + seconds) * 1e9)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no time: write 2026-01-31T12:00:00Z, or seconds or HH:MM:SS since the "
            "recording began"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return round(seconds * 1e6) * 1000
