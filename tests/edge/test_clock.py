"""Clocks and their text."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import SystemClock, rfc3339

YEAR_9999_NS = 253_402_300_799_999_999_999


@pytest.mark.parametrize(
    ("utc_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (999_999, "1970-01-01T00:00:00.000Z"),
        (1_769_860_800_250_999_999, "2026-01-31T12:00:00.250Z"),
        (YEAR_9999_NS, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_text_has_milliseconds_cut_and_z(utc_ns: int, text: str) -> None:
    assert rfc3339(utc_ns) == text


@given(st.integers(-62_135_596_800_000_000_000, YEAR_9999_NS))
def test_text_parses_back_to_the_millisecond(utc_ns: int) -> None:
    parsed = datetime.fromisoformat(rfc3339(utc_ns))
    epoch = datetime.fromisoformat("1970-01-01T00:00:00Z")
    since = parsed - epoch
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    assert microseconds == utc_ns // 1_000_000 * 1000


@pytest.mark.parametrize("utc_ns", [10**30, -(10**30)])
def test_a_time_without_a_year_is_refused(utc_ns: int) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        rfc3339(utc_ns)


def test_system_clock_moves_on_and_knows_the_century() -> None:
    clock = SystemClock()
    first = clock.monotonic_ns()
    assert clock.monotonic_ns() >= first
    assert rfc3339(clock.utc_ns()).startswith("20")
