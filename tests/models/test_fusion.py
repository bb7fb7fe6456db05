"""Fusion of leads: a weighted mean of logits, and one lead for QRS complexes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fusion import Fusion, followed_lead, nothing_known, per_lead_size
from models.manifest import Output

RHYTHM = Output(
    name="rhythm", kind="rhythm", labels=("normal", "af", "noise"), shape=(3,), frame_rate_hz=1.0
)
VENTRICULAR = Output(
    name="v", kind="ventricular", labels=("vt", "vf"), rest="other", shape=(2,), frame_rate_hz=1.0
)
EMBEDDING = Output(name="e", kind="embedding", shape=(3,), frame_rate_hz=1.0)
QUALITY = Output(
    name="q", kind="quality", labels=("good", "fair", "bad"), shape=(3,), frame_rate_hz=1.0
)
QRS = Output(name="qrs", kind="qrs", shape=(6,), frame_rate_hz=6.0)
FEATURES = Output(name="f", kind="features", shape=(2, 3), frame_rate_hz=2.0)
BEATS = Output(name="b", kind="beats", labels=("N", "V", "S"), shape=(2, 3), frame_rate_hz=2.0)
ALL = (RHYTHM, VENTRICULAR, EMBEDDING, QUALITY, QRS, FEATURES, BEATS)


def fuse(output: Output, per_lead: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return Fusion((output,), len(weights))([per_lead], weights)[output.name]


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


def test_qrs_frames_are_flattened_in_order_and_each_judged_alone() -> None:
    logits = np.array([[[0, 2, -2], [40, -40, 1]], [[0, 4, -2], [40, -40, 3]]], np.float32)
    got = fuse(QRS, logits, np.array([0.5, 1.0]))
    expected = 1 / (1 + np.exp(-np.array([0, 2, -2, 40, -40, 1.0])))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_a_lead_that_is_unfit_is_not_followed_for_qrs_complexes() -> None:
    logits = np.array([[[5, 5, 5], [5, 5, 5]], [[0, 4, -2], [40, -40, 3]]], np.float32)
    expected = 1 / (1 + np.exp(-logits[1].ravel()))
    np.testing.assert_allclose(fuse(QRS, logits, np.array([0.05, 0.4])), expected, rtol=1e-6)
    assert followed_lead([0.5, 1.0]) == 0
    assert followed_lead([0.05, 0.02]) == 0
    assert followed_lead([0.0, 0.01, 0.0]) == 1


def test_features_are_averaged_as_they_are() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    expected = rows[0] * 0.25 + rows[1] * 0.75
    np.testing.assert_allclose(fuse(FEATURES, rows, np.array([0.2, 0.6])), expected, rtol=1e-6)


def test_each_frame_of_beats_is_a_distribution() -> None:
    rows = np.random.default_rng(0).normal(0, 3, (2, 2, 3)).astype(np.float32)
    mean = rows.mean(axis=0)
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fuse(BEATS, rows, np.ones(2)), expected, rtol=1e-5)


def test_outputs_are_fused_together_as_they_are_alone() -> None:
    rng, weights = np.random.default_rng(2), np.array([0.3, 0.0, 0.9])
    tensors = [rng.normal(0, 2, (3, per_lead_size(o))).astype(np.float32) for o in ALL]
    together = Fusion(ALL, 3)(tensors, weights)
    for output, tensor in zip(ALL, tensors, strict=True):
        assert together[output.name].shape == output.shape
        np.testing.assert_array_equal(together[output.name], fuse(output, tensor, weights))


@pytest.mark.parametrize("output", ALL, ids=lambda output: output.kind)
def test_a_lone_lead_speaks_for_itself_whatever_its_weight(output: Output) -> None:
    tensor = np.random.default_rng(1).normal(0, 2, (1, per_lead_size(output))).astype(np.float32)
    full, slight = (fuse(output, tensor, np.array([w])) for w in (1.0, 0.01))
    assert full.shape == output.shape
    assert full.dtype == np.float32
    np.testing.assert_array_equal(full, slight)


@pytest.mark.parametrize("output", ALL, ids=lambda output: output.kind)
def test_the_answer_is_not_the_networks_own_memory(output: Output) -> None:
    tensor = np.ones((1, per_lead_size(output)), np.float32)
    answer = fuse(output, tensor, np.ones(1))
    kept = answer.copy()
    tensor[:] = 9
    np.testing.assert_array_equal(answer, kept)


@pytest.mark.parametrize("output", ALL, ids=lambda output: output.kind)
def test_a_tensor_of_another_size_is_never_read(output: Output) -> None:
    with pytest.raises(ValueError, match="wrong shape"):
        fuse(output, np.ones((2, per_lead_size(output) + 1), np.float32), np.ones(2))


def test_nothing_known_is_noise() -> None:
    assert nothing_known(RHYTHM).tolist() == [0, 0, 1]
    assert nothing_known(VENTRICULAR).tolist() == [0, 0]
    assert nothing_known(QUALITY).tolist() == [0, 0, 1]
    assert not nothing_known(QRS).any()
    assert not nothing_known(FEATURES).any()
