from __future__ import annotations

import pytest

from edge.events import Beat
from edge.heart_rate import HeartRate


def feed(rate, intervals_ms, start_ms=0.0):
    """Beats at these intervals; the rate after each and the time of the last."""
    at_ms = start_ms
    shown = []
    for rr_ms in intervals_ms:
        at_ms += rr_ms or 1000.0
        ns = round(at_ms * 1e6)
        shown.append(rate.update(Beat(0, ns, ns, 0, rr_ms, 1000.0)))
    return shown, at_ms


@pytest.mark.parametrize("bpm", [15, 40, 60, 120, 300])
def test_regular_rhythm(bpm):
    shown, _ = feed(HeartRate(), [60_000 / bpm] * 10)
    assert shown[0] is None
    assert shown[-1] == pytest.approx(bpm)


@pytest.mark.parametrize("short_ms", [400.0, 500.0])
def test_alternating_rhythm_gives_the_mean(short_ms):
    shown, _ = feed(HeartRate(), [short_ms, 1500.0 - short_ms] * 6)
    assert shown[-1] == pytest.approx(80.0)
    assert shown[-2] == pytest.approx(80.0)


@pytest.mark.parametrize("bpm", [120.0, 40.0])
def test_step_from_80_shows_within_7_s(bpm):
    rate = HeartRate()
    _, at_ms = feed(rate, [750.0] * 10)
    shown, _ = feed(rate, [60_000 / bpm] * 10, at_ms)
    elapsed_s = next(i + 1 for i, value in enumerate(shown) if abs(value - bpm) < 2) * 60 / bpm
    assert elapsed_s <= 7.0


def test_one_early_beat_does_not_move_it():
    shown, _ = feed(HeartRate(), [800.0] * 6 + [400.0, 1200.0])
    assert shown[-1] == pytest.approx(75.0)


def test_a_gap_starts_the_count_anew():
    rate = HeartRate()
    feed(rate, [500.0] * 8)
    shown, _ = feed(rate, [None, 1000.0, 1000.0], 10_000.0)
    assert shown[:2] == [None, None]
    assert shown[2] == pytest.approx(60.0)


def test_impossible_intervals_are_left_out():
    shown, _ = feed(HeartRate(), [1000.0] * 4 + [100.0, 9000.0])
    assert shown[-1] == pytest.approx(60.0)


def test_stale_after_five_seconds_without_a_beat():
    rate = HeartRate()
    _, at_ms = feed(rate, [1000.0] * 5)
    assert rate.value_at(round(at_ms * 1e6) + 5_000_000_000) == pytest.approx(60.0)
    assert rate.value_at(round(at_ms * 1e6) + 5_000_000_001) is None


def test_nothing_known_before_the_first_beats():
    assert HeartRate().value_at(0) is None
