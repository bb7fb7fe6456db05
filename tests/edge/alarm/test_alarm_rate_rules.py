"""Rules on QRS times, each just on both sides of its limit."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alarm import AlarmLimits
from edge.alert import AlarmKind as K
from edge.alert import Alert, Phase, Priority
from edge.events import Beat, Observation, Quality
from tests.edge.alarm.alarm_streams import (
    FLAT,
    GOOD,
    NOISY,
    S,
    beats_at,
    by_encoder,
    first,
    joined_s,
    merged,
    quality,
    run,
    silences,
    starts,
    steady_s,
)


def test_normal_rhythm_is_silent() -> None:
    assert run(merged(quality(0, 120), beats_at(steady_s(0.3, 120, 75)))) == []


@pytest.mark.parametrize("phase_s", [0.0, 0.2, 0.49, 0.5, 0.51, 0.8, 0.99])
def test_asystole_is_told_within_six_seconds_of_the_last_qrs(phase_s: float) -> None:
    times_s = steady_s(0.1 + phase_s, 10 + phase_s, 60)
    alerts = run(merged(quality(0, 40), beats_at(times_s)))
    asystole = first(alerts, K.ASYSTOLE)
    assert starts(alerts) == [K.ASYSTOLE]
    assert asystole.onset_ns == round(times_s[-1] * S)
    assert 4.0 * S < asystole.time_ns - asystole.onset_ns <= 6.0 * S
    assert asystole.priority is Priority.HIGH


@given(st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_asystole_by_beats_that_come_late_is_told_as_soon(
    phase_s: float, hop_phase_s: float, noise: bool
) -> None:
    times_s = steady_s(0.1 + phase_s, 10 + phase_s, 60)
    before = [*quality(0, 3), *quality(3, 4, NOISY if noise else GOOD)]
    alerts = run(by_encoder(merged(before, quality(4, 40), beats_at(times_s)), hop_phase_s))
    asystole = first(alerts, K.ASYSTOLE)
    assert starts(alerts) == [K.ASYSTOLE]
    assert asystole.onset_ns == round(times_s[-1] * S)
    assert 4.0 * S < asystole.time_ns - asystole.onset_ns <= 6.0 * S


@given(st.lists(st.floats(2.0, 3.99), min_size=3, max_size=12), st.floats(0, 1), st.floats(0, 1))
def test_a_beat_that_is_only_told_late_is_no_asystole(
    intervals_s: list[float], phase_s: float, hop_phase_s: float
) -> None:
    times_s = list(accumulate([0.1, *intervals_s], initial=phase_s))
    stream = merged(quality(0, int(times_s[-1]) + 2), beats_at(times_s))
    assert K.ASYSTOLE not in starts(run(by_encoder(stream, hop_phase_s)))


def test_nothing_is_said_of_beats_by_a_source_that_says_nothing() -> None:
    stream = [each for each in quality(0, 20) if isinstance(each, Quality)]
    assert run(stream) == []


def test_asystole_without_any_qrs_since_the_beginning() -> None:
    assert starts(run(quality(0, 8))) == [K.ASYSTOLE]


def test_rr_just_below_the_limit_is_a_pause_and_no_asystole() -> None:
    times_s = [*steady_s(0.1, 10, 60), 13.05, *steady_s(14.05, 20, 60)]
    alerts = run(merged(quality(0, 40), beats_at(times_s)))
    assert starts(alerts)[0] is K.PAUSE


def test_asystole_ends_when_the_heart_beats_again() -> None:
    times_s = [*steady_s(0.1, 10, 60), *steady_s(20.1, 40, 60)]
    alerts = run(merged(quality(0, 40), beats_at(times_s)))
    assert starts(alerts) == [K.ASYSTOLE]
    end = first(alerts, K.ASYSTOLE, Phase.END)
    assert end.evidence["reason"] == "resolved"
    assert 26.1 * S <= end.time_ns <= 27.5 * S


@pytest.mark.parametrize(("rr_s", "expected"), [(2.99, []), (3.01, [K.PAUSE]), (3.9, [K.PAUSE])])
def test_pause_boundary(rr_s: float, expected: list[K]) -> None:
    before_s = steady_s(0.1, 15, 60)
    after_s = steady_s(before_s[-1] + rr_s, 40, 60)
    alerts = run(merged(quality(0, 40), beats_at([*before_s, *after_s])))
    assert starts(alerts) == expected


@pytest.mark.parametrize(
    ("bpm", "expected"),
    [
        (51, []),
        (49, [K.BRADY]),
        (41, [K.BRADY]),
        (39, [K.EXTREME_BRADY]),
        (30, [K.EXTREME_BRADY]),
        (119, []),
        (121, [K.TACHY]),
        (139, [K.TACHY]),
        (141, [K.EXTREME_TACHY]),
        (230, [K.EXTREME_TACHY]),
    ],
)
def test_rate_boundaries_give_one_alarm(bpm: float, expected: list[K]) -> None:
    times_s = [*steady_s(0.1, 20, 75), *steady_s(20 + 60 / bpm, 50, bpm)]
    assert starts(run(merged(quality(0, 50), beats_at(times_s)))) == expected


@pytest.mark.parametrize(
    ("count", "bpm", "expected"),
    [
        (4, 38, []),
        (5, 38, [K.EXTREME_BRADY]),
        (15, 150, []),
        (17, 150, [K.EXTREME_TACHY]),
    ],
)
def test_beats_that_decide(count: int, bpm: float, expected: list[K]) -> None:
    before_s = steady_s(0.1, 15, 75)
    fast_s = [before_s[-1] + 0.8 + k * 60 / bpm for k in range(count)]
    after_s = steady_s(fast_s[-1] + 0.8, 40, 75)
    alerts = run(merged(quality(0, 40), beats_at([*before_s, *fast_s, *after_s])))
    assert [kind for kind in starts(alerts) if kind is not K.BRADY] == expected


@pytest.mark.parametrize("bpm", [121, 130, 150, 180, 206])
def test_tachycardia_is_told_within_nine_seconds(bpm: float) -> None:
    times_s = [*steady_s(0.1, 20, 80), *steady_s(20 + 60 / bpm, 50, bpm)]
    alert = run(merged(quality(0, 50), beats_at(times_s)))[0]
    assert alert.time_ns - 20 * S <= 17.3 * 60 / bpm * S


def test_one_missed_beat_does_not_hide_a_tachycardia() -> None:
    times_s = steady_s(0.1, 20, 150)
    del times_s[11]
    alerts = run(merged(quality(0, 20), beats_at(times_s)))
    assert starts(alerts) == [K.EXTREME_TACHY]
    assert first(alerts, K.EXTREME_TACHY).time_ns < 8 * S


def test_rate_near_its_limit_does_not_flutter() -> None:
    times_s = [0.1]
    while times_s[-1] < 300:
        times_s.append(times_s[-1] + 60 / (118 if int(times_s[-1] / 15) % 2 else 122))
    alerts = run(merged(quality(0, 300), beats_at(times_s)))
    assert starts(alerts) == [K.TACHY]
    assert not [alert for alert in alerts if alert.phase is Phase.END]


def test_rising_rate_escalates_once() -> None:
    times_s = joined_s((0.1, 20, 75), (20.4, 40, 130), (40.3, 70, 160))
    alerts = run(merged(quality(0, 70), beats_at(times_s)))
    assert starts(alerts) == [K.TACHY, K.EXTREME_TACHY]
    assert first(alerts, K.TACHY, Phase.END).evidence["by"] == "extreme_tachy"


def test_flat_line_is_asystole_unless_the_device_cannot_tell_contact() -> None:
    stream = merged(quality(0, 20), quality(20, 40, FLAT), beats_at(steady_s(0.1, 20, 60)))
    assert starts(run(stream)) == [K.ASYSTOLE]
    assert starts(run(stream, AlarmLimits(flat_is_asystole=False))) == [K.LEAD_OFF]


def test_silent_link_and_noise_make_no_asystole() -> None:
    beats = beats_at(steady_s(0.1, 20, 60))
    assert starts(run(merged(quality(0, 20), beats, silences(20, 60)))) == [K.SIGNAL_LOST]
    assert starts(run(merged(quality(0, 20), beats, quality(20, 60, NOISY)))) == [K.POOR_SIGNAL]


def test_gap_makes_no_pause() -> None:
    before = beats_at(steady_s(0.1, 15, 60))
    after = beats_at(steady_s(18.6, 40, 60))
    seconds = [*quality(0, 15), *quality(15, 18, missing=1.0), *quality(18, 40)]
    assert run(merged(seconds, before, after)) == []


def over_a_hand_over(bpm: float, then_bpm: float, every_s: float = 60.0) -> list[Alert]:
    """A rate until 30 s and then another, of which a first interval is unknown each `every_s`."""
    times_s = joined_s((0.1, 30.0, bpm), (30.0, 60.0, then_bpm))
    told: list[Observation] = []
    unknown_s = 30.0
    for beat in beats_at(times_s):
        if isinstance(beat, Beat) and beat.time_ns >= unknown_s * S:
            beat, unknown_s = replace(beat, rr_ms=None), unknown_s + every_s
        told.append(beat)
    return run(merged(quality(0, 60), told))


@pytest.mark.parametrize("every_s", [60.0, 4.0])
@pytest.mark.parametrize(
    ("bpm", "kind"),
    [(130, K.TACHY), (150, K.EXTREME_TACHY), (36, K.EXTREME_BRADY), (46, K.BRADY)],
)
def test_an_interval_that_is_not_known_ends_no_rate(bpm: float, kind: K, every_s: float) -> None:
    alerts = over_a_hand_over(bpm, bpm, every_s)
    assert starts(alerts) == [kind]
    assert all(alert.phase is not Phase.END for alert in alerts)
    assert all(alert.evidence["rate_bpm"] == pytest.approx(bpm, abs=0.2) for alert in alerts)


@pytest.mark.parametrize("bpm", [130, 36])
def test_a_rate_that_is_back_inside_its_limit_ends_over_an_unknown_interval(bpm: float) -> None:
    alerts = over_a_hand_over(bpm, 75)
    (end,) = [alert for alert in alerts if alert.phase is Phase.END]
    assert 36 * S < end.time_ns < 40 * S


@pytest.mark.parametrize("bpm", [130, 36])
def test_no_rate_starts_over_intervals_that_are_not_known(bpm: float) -> None:
    assert starts(over_a_hand_over(75, bpm, 4.0)) == []
