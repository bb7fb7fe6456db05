"""Fusion of leads: a weighted mean of logits."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fusion import fuse, nothing_known
from models.manifest import Output

RHYTHM = Output(
    name="rhythm", kind="rhythm", labels=("normal", "af", "noise"), shape=(3,), frame_rate_hz=1.0
)
VENTRICULAR = Output(
    name="v", kind="ventricular", labels=("vt", "vf"), rest="other", shape=(2,), frame_rate_hz=1.0
)
EMBEDDING = Output(name="e", kind="embedding", shape=(3,), frame_rate_hz=1.0)

LOGITS = st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3)


@settings(deadline=None)
@given(st.lists(LOGITS, min_size=1, max_size=4), st.data())
def test_probabilities_whatever_the_logits(rows: list[list[float]], data: st.DataObject) -> None:
    share = st.floats(0.01, 1)
    weights = np.array([data.draw(share) for _ in rows])
    logits = np.array(rows, np.float32)
    rhythm = fuse(RHYTHM, logits, weights)
    assert abs(rhythm.sum() - 1) < 1e-5
    assert np.array_equal(fuse(VENTRICULAR, logits, weights), rhythm[:2])


def test_logits_are_averaged_by_weight() -> None:
    logits = np.array([[4, 0, 0], [0, 8, 0]], np.float32)
    expected = np.exp([1.0, 6.0, 0.0])
    got = fuse(RHYTHM, logits, np.array([0.25, 0.75]))
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-6)


def test_embeddings_are_averaged_as_they_are() -> None:
    features = np.array([[2, 0, 1], [0, 4, 1]], np.float32)
    np.testing.assert_allclose(fuse(EMBEDDING, features, np.array([0.5, 0.5])), [1, 2, 1])


def test_nothing_known_is_noise() -> None:
    assert nothing_known(RHYTHM).tolist() == [0, 0, 1]
    assert nothing_known(VENTRICULAR).tolist() == [0, 0]
