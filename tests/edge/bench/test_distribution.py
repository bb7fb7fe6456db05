"""Percentiles that hold, and none where there are too few values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bench.distribution import NEEDED, distribution, histogram

positive = st.floats(1e-6, 1e9)


measured = st.builds(
    lambda n, seed, spread: np.random.default_rng(seed).lognormal(0, spread, n).tolist(),
    st.integers(0, 1500),
    st.integers(0, 999),
    st.floats(0, 3),
)


@settings(max_examples=60, deadline=None)
@given(measured | st.lists(positive, max_size=20))
def test_a_percentile_is_the_least_value_that_its_share_does_not_exceed(values):
    told = distribution(values)
    assert told == distribution(values[::-1])
    assert told.n == len(values)
    for name, least in NEEDED.items():
        percentile = getattr(told, name)
        assert (percentile is None) == (len(values) < least)
        if percentile is None:
            continue
        share = int(name[1:]) / 100
        near = math.isclose
        below = sum(v < percentile and not near(v, percentile, rel_tol=1e-4) for v in values)
        upto = sum(v <= percentile or near(v, percentile, rel_tol=1e-4) for v in values)
        assert below < share * len(values) <= upto


@settings(max_examples=60, deadline=None)
@given(measured.filter(lambda values: len(values) >= 662))
def test_percentiles_are_in_order(values):
    told = distribution(values)
    ordered = [told.min, told.p50, told.p90, told.p95, told.p99, told.max]
    assert ordered == sorted(ordered)
    assert told.min * (1 - 1e-4) <= told.mean <= told.max * (1 + 1e-4)


@pytest.mark.parametrize(("name", "least"), NEEDED.items())
def test_the_numbers_needed_are_those_of_the_rule(name, least):
    def at_most_one_above(n):
        q = 1 - int(name[1:]) / 100
        return (1 - q) ** n + n * q * (1 - q) ** (n - 1)

    assert at_most_one_above(least) <= 0.01 < at_most_one_above(least - 1)


def test_nothing_measured_tells_nothing():
    told = distribution([])
    assert (told.n, told.min, told.p50, told.max) == (0, None, None, None)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="not finite"):
        distribution([1.0, value])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e9), max_size=300))
def test_a_histogram_counts_every_value_above_0_once(values):
    told = histogram(values)
    assert sum(told.counts) == sum(value > 0 for value in values)
    assert told.edges == sorted(told.edges)
    assert len(told.edges) == (len(told.counts) + 1 if told.counts else 0)
