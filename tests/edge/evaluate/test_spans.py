from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.evaluate.spans import clipped, common, merged, overlaps, total, without

spans = st.lists(
    st.tuples(st.integers(0, 100), st.integers(1, 20)).map(lambda s: (s[0], s[0] + s[1])),
    max_size=8,
)


def points(pieces):
    """The unit steps that they cover."""
    return {k for start, stop in pieces for k in range(start, stop)}


@given(spans)
def test_merged_covers_the_same_time_once(some):
    joined = merged(some)
    assert points(joined) == points(some)
    assert total(joined) == len(points(some))


@given(spans, spans)
def test_time_in_common_and_time_without_make_the_whole(some, others):
    one, other = merged(some), merged(others)
    shared = sum(common(span, other) for span in one)
    assert shared == len(points(one) & points(other))
    assert points(without(one, other)) == points(one) - points(other)


@given(spans, st.integers(0, 60), st.integers(60, 120))
def test_clipped_keeps_what_is_between(some, start, stop):
    kept = points(clipped(some, start, stop))
    assert kept == {k for k in points(some) if start <= k < stop}


@pytest.mark.parametrize(
    ("gap", "expected"), [(0, [(0, 2), (3, 4), (9, 10)]), (1, [(0, 4), (9, 10)]), (5, [(0, 10)])]
)
def test_merged_bridges_gaps(gap, expected):
    assert merged([(9, 10), (0, 2), (3, 4)], gap) == expected


@pytest.mark.parametrize(
    ("span", "tolerance", "expected"),
    [((0, 1), 0, False), ((0, 5), 0, False), ((0, 5.1), 0, True), ((0, 4), 2, True)],
)
def test_overlaps_within_a_tolerance(span, tolerance, expected):
    assert overlaps(span, [(5, 6)], tolerance) is expected
