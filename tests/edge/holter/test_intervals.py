"""Which intervals are of normal beats and can be believed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.holter.intervals import nn_intervals, without_outliers
from tests.edge.holter.made import beats_of, seconds_of

LABELS = st.text("NSVFQU", min_size=1, max_size=60)


def test_both_beats_of_an_interval_must_be_normal():
    nn = nn_intervals(beats_of("NNNVNNNSNN"), seconds_of(20))
    assert len(nn) == 5
    assert nn.excluded["ectopic or unclassified beat"] == 4
    assert nn.follows.tolist() == [False, True, False, True, False]


def test_no_step_is_taken_over_an_interval_left_out():
    rr_ms = [800, 800, 900, 500, 1100, 900, 800, 800]
    nn = nn_intervals(beats_of("NNNVNNNN", rr_ms), seconds_of(20))
    assert nn.nn_ms.tolist() == [800, 900, 900, 800, 800]
    assert nn.steps_ms.tolist() == [100, -100, 0]


def test_a_gap_ends_a_row():
    nn = nn_intervals(beats_of("N" * 10, breaks=[5]), seconds_of(20))
    assert len(nn) == 8
    assert nn.follows.sum() == 6


def test_where_no_network_spoke_all_beats_count_as_normal():
    assert len(nn_intervals(beats_of("U" * 10), seconds_of(20))) == 9
    assert len(nn_intervals(beats_of("U" * 9 + "N"), seconds_of(20))) == 0


def test_intervals_in_fibrillation_are_left_out():
    nn = nn_intervals(beats_of("N" * 20), seconds_of(20, "af"))
    assert len(nn) == 0
    assert nn.excluded["rhythm AF, VT, VF or noise"] == 19


def test_an_interval_far_off_its_neighbours_is_left_out():
    rr_ms = np.full(60, 800.0)
    rr_ms[30], rr_ms[40], rr_ms[50] = 630.0, 970.0, 950.0
    kept = without_outliers(rr_ms)
    assert np.flatnonzero(~kept).tolist() == [30, 40]


def test_an_interval_out_of_range_does_not_move_the_mean_of_its_neighbours():
    rr_ms = np.full(30, 800.0)
    rr_ms[10:13] = 9000.0
    assert np.flatnonzero(~without_outliers(rr_ms)).tolist() == [10, 11, 12]


@given(st.lists(st.floats(1, 20_000), max_size=150))
def test_the_filter_is_that_of_the_definition(values):
    rr_ms = np.array(values)
    kept = without_outliers(rr_ms)
    for k, value in enumerate(values):
        near = [values[j] for j in range(max(0, k - 20), min(len(values), k + 21)) if j != k]
        near = [each for each in near if 400 <= each <= 2000]
        mean = sum(near) / len(near) if near else value
        off = abs(value - mean) - 0.2 * mean
        if abs(off) > 1e-6:
            assert kept[k] == (400 <= value <= 2000 and off < 0)


@given(LABELS, st.data())
def test_every_interval_is_used_or_its_reason_counted(labels, data):
    rr_ms = data.draw(st.lists(st.floats(300, 2500), min_size=len(labels), max_size=len(labels)))
    breaks = data.draw(st.sets(st.integers(0, len(labels) - 1)))
    nn = nn_intervals(beats_of(labels, rr_ms, sorted(breaks)), seconds_of(200))
    assert len(nn) + sum(nn.excluded.values()) == nn.intervals
    assert len(nn.steps_ms) <= max(0, len(nn) - 1)
