from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ring import Ring


def numbered(start, count):
    """Samples that tell their own index, two leads."""
    index = np.arange(start, start + count, dtype=np.float32)
    return np.stack([index, -index], axis=1)


@given(st.integers(1, 40), st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=30))
def test_every_window_held_is_what_was_written(capacity, writes):
    ring = Ring(capacity, 2)
    samples = np.zeros((0, 2), np.float32)
    valid = np.zeros(0, np.uint8)
    for is_gap, count in writes:
        if is_gap:
            ring.append_gap(count)
            samples = np.concatenate([samples, np.zeros((count, 2), np.float32)])
        else:
            ring.append(numbered(len(samples), count))
            samples = np.concatenate([samples, numbered(len(samples), count)])
        valid = np.concatenate([valid, np.full(count, not is_gap, np.uint8)])
        assert ring.stop == len(samples)
        assert ring.start == max(0, len(samples) - capacity)
        got, got_valid = ring.window(ring.start, ring.stop)
        np.testing.assert_array_equal(got, samples[ring.start :])
        np.testing.assert_array_equal(got_valid, valid[ring.start :])


def test_window_is_a_view_in_one_piece_across_the_seam():
    ring = Ring(10, 2)
    ring.append(numbered(0, 14))
    window, _ = ring.window(5, 13)
    assert window.base is not None
    assert window.flags.c_contiguous
    np.testing.assert_array_equal(window, numbered(5, 8))


def test_window_cannot_be_written_through():
    ring = Ring(10, 2)
    ring.append(numbered(0, 4))
    window, valid = ring.window(0, 4)
    with pytest.raises(ValueError, match="read-only"):
        window[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        valid[0] = 0


@pytest.mark.parametrize(("start", "stop"), [(3, 8), (5, 16), (9, 8), (-1, 6)])
def test_window_that_is_not_held_is_refused(start, stop):
    ring = Ring(10, 2)
    ring.append(numbered(0, 15))
    with pytest.raises(IndexError, match=r"the ring holds \[5, 15\)"):
        ring.window(start, stop)


def test_samples_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"expected \(n, 2\)"):
        Ring(10, 2).append(np.zeros((3, 1), np.float32))
