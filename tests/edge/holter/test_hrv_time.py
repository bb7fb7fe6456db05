"""The time domain: by hand, by plain definitions, and against neurokit2 on real records."""

import math
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.holter.hrv_time import BIN_MS, segments, time_domain, tinn_ms
from edge.holter.intervals import NN
from tests.edge.holter.reference import reference_nn

RECORDS = ("100", "103", "122", "234")


def nn_of(values_ms):
    """Adjacent intervals from the beginning on."""
    nn_ms = np.array(values_ms, float)
    follows = np.ones(len(nn_ms), bool)
    follows[:1] = False
    return NN(np.cumsum(nn_ms) / 1000, nn_ms, follows, len(nn_ms), {})


def test_values_worked_out_by_hand():
    told = time_domain(nn_of([800, 860] * 20))
    assert told.mean_nn_ms == 830
    assert told.sdnn_ms == pytest.approx(30 * math.sqrt(40 / 39))
    assert told.rmssd_ms == 60
    assert told.pnn50_percent == 100
    assert told.sd1_ms == pytest.approx(
        60 / math.sqrt(2) * math.sqrt(39 * 39 - 1) / 39 * math.sqrt(39 / 38), rel=1e-3
    )
    assert told.sd2_ms == pytest.approx(0, abs=1e-9)
    assert told.triangular_index == 2


def test_five_minutes_apart():
    values = [1000.0] * 300 + [900.0] * 334 + [800.0, 700.0] * 200
    told = time_domain(nn_of(values))
    assert told.segments == 3
    means = [np.mean(nn_of(values).nn_ms[each]) for each in segments(nn_of(values))]
    assert told.sdann_ms == pytest.approx(statistics.stdev(means))
    assert means == pytest.approx([1000, 900, 750], abs=1.5)


def test_a_segment_with_too_little_in_it_does_not_count():
    nn = nn_of([1000.0] * 700)
    most = NN(nn.time_s[:540], nn.nn_ms[:540], nn.follows[:540], 540, {})
    less = NN(nn.time_s[:530], nn.nn_ms[:530], nn.follows[:530], 530, {})
    assert [time_domain(each).segments for each in (nn, most, less)] == [2, 2, 1]


def test_too_few_intervals_tell_nothing():
    told = time_domain(nn_of([800.0] * 19))
    assert (told.nn, told.sdnn_ms, told.rmssd_ms) == (19, None, None)


@pytest.mark.parametrize(("left", "right"), [(5, 5), (2, 9), (1, 1)])
def test_tinn_of_a_perfect_triangle_is_its_base(left, right):
    heights = [round(840 * k / left) for k in range(left + 1)]
    heights += [round(840 * (right - k) / right) for k in range(1, right + 1)]
    centres = (100 + np.arange(len(heights)) + 0.5) * BIN_MS
    values = np.repeat(centres, heights)
    assert tinn_ms(values) == pytest.approx((left + right) * BIN_MS)


@given(st.lists(st.floats(400, 1999), min_size=25, max_size=120))
def test_plain_definitions_agree(values):
    told, steps = time_domain(nn_of(values)), [b - a for a, b in pairwise(values)]
    assert told.sdnn_ms == pytest.approx(statistics.stdev(values), abs=1e-6)
    assert told.rmssd_ms == pytest.approx(math.sqrt(sum(s * s for s in steps) / len(steps)))
    bins = [math.floor(each / BIN_MS) for each in values]
    assert told.triangular_index == pytest.approx(
        len(values) / max(bins.count(each) for each in set(bins)), rel=0.35
    )
    assert told.tinn_ms <= max(values) - min(values) + 3 * BIN_MS


@pytest.mark.records
@pytest.mark.parametrize("record", RECORDS)
def test_agrees_with_neurokit2_on_reference_annotations(records_dir, record):
    neurokit2 = pytest.importorskip("neurokit2")
    nn = reference_nn(records_dir, record)
    told = time_domain(nn)
    theirs = neurokit2.hrv_time({"RRI": nn.nn_ms, "RRI_Time": nn.time_s}, sampling_rate=1000)
    exact = {"SDNN": told.sdnn_ms, "RMSSD": told.rmssd_ms, "HTI": told.triangular_index}
    for name, ours in exact.items():
        assert ours == pytest.approx(theirs[f"HRV_{name}"][0], rel=1e-9), name
    # neurokit2 divides by one interval more than there are differences,
    assert told.pnn50_percent == pytest.approx(theirs["HRV_pNN50"][0], rel=2e-3)
    # and takes all segments, also those with little in them.
    assert told.sdnn_index_ms == pytest.approx(theirs["HRV_SDNNI5"][0], rel=0.03)
    assert told.sdann_ms == pytest.approx(theirs["HRV_SDANN5"][0], rel=0.05)


@pytest.mark.records
@pytest.mark.filterwarnings("ignore:DFA_alpha2")
def test_the_poincare_plot_is_that_of_neurokit2(records_dir):
    """Of a hundred intervals: their other nonlinear measures take long."""
    neurokit2 = pytest.importorskip("neurokit2")
    values = reference_nn(records_dir, "122").nn_ms[:100]
    theirs = neurokit2.hrv_nonlinear(
        {"RRI": values, "RRI_Time": np.cumsum(values) / 1000}, sampling_rate=1000
    )
    told = time_domain(nn_of(values))
    assert told.sd1_ms == pytest.approx(theirs["HRV_SD1"][0], rel=1e-9)
    assert told.sd2_ms == pytest.approx(theirs["HRV_SD2"][0], rel=1e-9)
