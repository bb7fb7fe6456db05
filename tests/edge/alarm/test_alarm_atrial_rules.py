"""AF by the encoder with RR confirmation, and by RR alone."""

from __future__ import annotations

import random
from itertools import accumulate, cycle, islice

import pytest

from edge.alarm.irregularity import (
    changing_share,
    compensated_share,
    looks_random,
    rmssd_ratio,
    shannon_entropy,
    turning_point_ratio,
)
from edge.alert import AlarmKind as K
from edge.alert import Phase
from tests.edge.alarm.alarm_streams import (
    S,
    beats_at,
    first,
    labelled_beats,
    merged,
    quality,
    rhythm,
    run,
    starts,
    steady_s,
)

RANDOM = random.Random(7)
FIBRILLATION = [max(380.0, RANDOM.gauss(750, 150)) for _ in range(200)]
SINUS = [RANDOM.gauss(800, 20) for _ in range(200)]
BIGEMINY = list(islice(cycle([520.0, 1080.0]), 200))
TRIGEMINY = list(islice(cycle([800.0, 520.0, 1080.0]), 200))
OCCASIONAL_ECTOPY = [
    500.0 if k % 11 == 5 else 1100.0 if k % 11 == 6 else rr for k, rr in enumerate(SINUS)
]


def times_s(intervals_ms: list[float], start_s: float = 0.1) -> list[float]:
    """Beat times with these RR intervals."""
    return list(accumulate((rr / 1000 for rr in intervals_ms), initial=start_s))


@pytest.mark.parametrize("other", [SINUS, BIGEMINY, TRIGEMINY, OCCASIONAL_ECTOPY])
def test_only_fibrillation_looks_random(other: list[float]) -> None:
    assert looks_random(FIBRILLATION[:128], 0.1)
    assert not looks_random(FIBRILLATION[:127], 0.1)
    assert not looks_random(other[:128], 0.1)


def test_statistics_have_their_known_values() -> None:
    assert rmssd_ratio([800.0, 900.0, 800.0]) == pytest.approx(100 / (2500 / 3))
    assert rmssd_ratio([800.0]) == 0.0
    assert turning_point_ratio(BIGEMINY) == 1.0
    assert turning_point_ratio([1.0, 2.0, 3.0, 4.0]) == 0.0
    assert turning_point_ratio([1.0, 2.0]) == 0.0
    assert shannon_entropy([800.0] * 40) == 0.0
    assert shannon_entropy([float(k) for k in range(16 * 20 + 16)]) == pytest.approx(1.0, abs=1e-3)
    assert changing_share([800.0, 800.0, 1000.0]) == 0.5
    assert changing_share([800.0]) == 0.0
    assert compensated_share([800.0, 520.0, 1080.0, 800.0]) == 0.5
    assert compensated_share([800.0, 520.0, 800.0, 800.0]) == 0.0
    assert compensated_share([800.0, 520.0]) == 0.0


@pytest.mark.parametrize(("seconds", "expected"), [(23, []), (24, [K.AF]), (60, [K.AF])])
def test_af_by_encoder_needs_its_share_of_thirty_seconds(seconds: int, expected: list[K]) -> None:
    stream = merged(
        quality(0, 150),
        beats_at(times_s(FIBRILLATION)),
        rhythm(0, 40, af=0.1),
        rhythm(40, 40 + seconds, af=0.9),
        rhythm(40 + seconds, 155, af=0.1),
    )
    assert starts(run(stream))[:1] == expected


def test_af_by_encoder_needs_irregular_intervals() -> None:
    stream = merged(quality(0, 120), beats_at(steady_s(0.1, 120, 75)), rhythm(0, 120, af=0.9))
    assert run(stream) == []


def test_encoder_that_denies_af_is_believed() -> None:
    stream = merged(quality(0, 140), beats_at(times_s(FIBRILLATION)), rhythm(0, 155, af=0.1))
    assert K.AF not in starts(run(stream))


def test_af_by_intervals_alone() -> None:
    assert starts(run(merged(quality(0, 140), beats_at(times_s(FIBRILLATION)))))[:1] == [K.AF]
    for other in (SINUS, TRIGEMINY, OCCASIONAL_ECTOPY):
        assert K.AF not in starts(run(merged(quality(0, 140), beats_at(times_s(other)))))


def test_many_ectopic_beats_say_nothing_of_the_atria() -> None:
    names = "".join(islice(cycle("NNNNV"), len(FIBRILLATION) + 1))
    beats = labelled_beats(times_s(FIBRILLATION), names)
    assert K.AF not in starts(run(merged(quality(0, 140), beats)))


def test_af_starts_after_thirty_seconds_and_ends_when_sinus_returns() -> None:
    irregular = times_s(FIBRILLATION)
    regular = steady_s(irregular[-1] + 0.8, 300, 75)
    turn_s = round(irregular[-1])
    stream = merged(
        quality(0, 300),
        beats_at([*irregular, *regular]),
        rhythm(0, turn_s, af=0.95),
        rhythm(turn_s, 300, af=0.02),
    )
    alerts = run(stream)
    start, end = first(alerts, K.AF), first(alerts, K.AF, Phase.END)
    assert 24 * S <= start.time_ns <= 31 * S
    assert turn_s * S < end.time_ns <= (turn_s + 30) * S
    assert starts(alerts) == [K.AF]
