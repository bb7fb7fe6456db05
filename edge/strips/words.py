"""A strip's alarm in words: title, times, and what decided it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

from edge.alert_words import KIND_WORDS
from edge.messages import StripMessage

__all__ = ["UNITS", "clock_time", "evidence_words", "kind_words", "moment", "moment_words"]

UNITS = {
    "_bpm": "/min",
    "_ms": " ms",
    "_s": " s",
    "_uv": " µV",
    "_percent": " %",
    "_hz": " Hz",
}
"""Of a number, by the end of its name; but for blanks and the µ these are those of UCUM."""
NAMES = {
    "no_qrs": "no QRS for",
    "rr": "RR interval",
    "rate": "rate",
    "limit": "limit",
    "silent": "silent for",
    "missing": "missing for",
    "poor": "poor for",
    "held": "held by",
    "by": "by",
    "af_probability": "AF probability",
    "af_seconds": "AF seconds",
    "vf_probability": "VF probability",
    "vt_probability": "VT probability",
    "rmssd_ratio": "RMSSD / mean RR",
}
LOCAL: tzinfo | None = None
"""`datetime.astimezone` takes None for the time zone of this machine."""


def kind_words(kind: str) -> str:
    """The alarm condition in words, its first letter a capital; of a strip that was asked for,
    that."""
    words = KIND_WORDS.get(kind, kind.replace("_", " ")) if kind else "strip on request"
    return words[:1].upper() + words[1:]


def evidence_words(evidence: Mapping[str, object]) -> str:
    """`no QRS for 5.4 s, limit 4 s`: names and units as people write them."""
    return ", ".join(_fact(name, value) for name, value in evidence.items() if value is not None)


def moment(strip: StripMessage, offset_ms: float) -> datetime:
    """UTC at an offset from the first sample. Raises ValueError where the start is none."""
    start = datetime.fromisoformat(strip.start.replace("Z", "+00:00"))
    try:
        return start + timedelta(milliseconds=offset_ms)
    except OverflowError:
        text = f"strip {strip.id}: {offset_ms:g} ms from {strip.start} is no time"
        raise ValueError(text) from None


def moment_words(utc: datetime, zone: tzinfo | None = LOCAL) -> str:
    """`2026-01-31 13:00:03 CET (12:00:03 UTC)`; UTC alone where the zone is that."""
    local = utc.astimezone(zone)
    if not local.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} ({utc:%H:%M:%S} UTC)"


def clock_time(utc: datetime, zone: tzinfo | None = LOCAL) -> str:
    """`13:00:03`, local."""
    return f"{utc.astimezone(zone):%H:%M:%S}"


def _fact(name: str, value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    for suffix, unit in UNITS.items():
        if name.endswith(suffix):
            stem = name.removesuffix(suffix)
            return f"{_name(stem)} {text}{unit}"
    return f"{_name(name)} {text}"


def _name(stem: str) -> str:
    return NAMES.get(stem) or stem.replace("_", " ")
