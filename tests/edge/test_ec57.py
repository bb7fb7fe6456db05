from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.evaluate.ec57 import (
    AAMI_CLASS,
    compare_beats,
    fibrillation_intervals,
    match_beats,
)

RATE_HZ = 360.0
WINDOW = 54
beat_times = st.lists(st.integers(0, 20_000), max_size=60, unique=True).map(
    lambda beats: np.array(sorted(beats), np.int64)
)


def compare(reference, test, **options):
    return compare_beats(np.array(reference), np.array(test), RATE_HZ, start_s=0.0, **options)


def counts(score):
    return (score.tp, score.fp, score.fn)


@pytest.mark.parametrize(
    ("reference", "test", "expected"),
    [
        ([1000], [1000], (1, 0, 0)),
        ([1000], [1000 + WINDOW], (1, 0, 0)),
        ([1000], [1000 - WINDOW], (1, 0, 0)),
        ([1000], [1000 + WINDOW + 1], (0, 1, 1)),
        ([], [1000], (0, 1, 0)),
        ([1000], [], (0, 0, 1)),
        ([1000], [990, 1004], (1, 1, 0)),  # the nearer one is the match
        ([990, 1004], [1000], (1, 0, 1)),
        ([1000, 1040], [1030], (1, 0, 1)),
    ],
)
def test_golden_pairs(reference, test, expected):
    assert counts(compare(reference, test).qrs) == expected


@given(beat_times, beat_times)
def test_every_beat_is_counted_once(reference, test):
    score = compare(reference, test).qrs
    assert score.tp + score.fn == len(reference)
    assert score.tp + score.fp == len(test)


@given(beat_times, beat_times)
def test_pairs_are_within_the_window_and_in_order(reference, test):
    pairs = [(r, t) for r, t in match_beats(reference, test, WINDOW) if r >= 0 and t >= 0]
    assert all(abs(reference[r] - test[t]) <= WINDOW for r, t in pairs)
    assert all(np.all(np.diff(side) > 0) for side in np.array(pairs, int).reshape(-1, 2).T)


@given(beat_times)
def test_a_record_against_itself_is_perfect(beats):
    assert counts(compare(beats, beats).qrs) == (len(beats), 0, 0)


@given(st.integers(-WINDOW, WINDOW), st.integers(1, 100))
def test_a_constant_shift_within_the_window_is_forgiven(shift, count):
    beats = 1000 + 300 * np.arange(count)
    assert counts(compare(beats, beats + shift).qrs) == (count, 0, 0)


def test_learning_period_is_not_scored():
    start = round(300 * RATE_HZ)
    table = compare_beats(
        np.array([1000, start - 10, start + 500]),
        np.array([2000, start + 5, start + 500, start + 900]),
        RATE_HZ,
    )
    assert counts(table.qrs) == (1, 1, 0)


def test_fibrillation_is_not_counted():
    table = compare(
        [100, 1000, 1300, 3000], [100, 1010, 1700, 3000, 3500], fibrillation=[(900, 2000)]
    )
    assert counts(table.qrs) == (2, 1, 0)


def test_classes_follow_the_rules_of_bxb():
    times = 1000 * np.arange(1, 9)
    table = compare_beats(
        times,
        times,
        RATE_HZ,
        start_s=0.0,
        reference_classes="NSVFQVSN",
        test_classes="VVVVVNSN",
    )
    assert counts(table.qrs) == (8, 0, 0)
    assert counts(table.veb) == (1, 2, 1)  # F and Q called V are not counted against it
    assert counts(table.sveb) == (1, 0, 1)
    assert table.veb_false_positive_rate == pytest.approx(100 * 2 / 4)


def test_extra_and_missed_beats_have_classes_too():
    table = compare([1000, 2000], [2000, 3000], reference_classes="VN", test_classes="NV")
    assert counts(table.veb) == (0, 1, 1)
    assert table.of("V", "O") == table.of("O", "V") == table.of("N", "N") == 1


def test_tables_of_records_add_up():
    one, two = compare([1000], [1000, 2000]), compare([500, 900], [500])
    assert counts((one + two).qrs) == (2, 1, 1)


def test_percentages():
    score = compare([1000, 2000, 3000, 4000], [1000, 2000, 3000, 5000, 6000]).qrs
    assert score.se == pytest.approx(75.0)
    assert score.ppv == pytest.approx(60.0)
    assert compare([], []).qrs.se is None
    assert compare([], []).qrs.ppv is None


def test_intervals_of_fibrillation():
    assert fibrillation_intervals([5, 10, 20, 30], "N[]N", 100) == [(10, 20)]
    assert fibrillation_intervals([10, 20, 30], "[!!", 100) == [(10, 100)]
    assert fibrillation_intervals([10], "]", 100) == []


def test_classes_must_be_one_a_beat():
    with pytest.raises(ValueError, match="1 classes for 2 beats"):
        compare([1, 2], [1], reference_classes="N")


@pytest.mark.records
def test_an_annotation_file_against_itself_is_perfect(records_dir):
    wfdb = pytest.importorskip("wfdb")
    atr = wfdb.rdann(str(records_dir / "mitdb/207"), "atr")
    beats = [
        (at, AAMI_CLASS[s]) for at, s in zip(atr.sample, atr.symbol, strict=True) if s in AAMI_CLASS
    ]
    times = np.array([at for at, _ in beats])
    classes = [label for _, label in beats]
    table = compare_beats(
        times,
        times,
        RATE_HZ,
        reference_classes=classes,
        test_classes=classes,
        fibrillation=fibrillation_intervals(atr.sample, atr.symbol, 650_000),
    )
    assert table.qrs.fp == table.qrs.fn == 0
    assert table.qrs.tp == np.sum(times >= 108_000)
    assert table.of("V", "V") == table.veb.tp > 0
