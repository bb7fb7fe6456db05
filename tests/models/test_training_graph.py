"""The graph writer on a toy network: streaming is exact, and near the float result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from models.training.graph import Range  # noqa: E402
from tests.models.toy_network import RANGES, SPECS, convolutions, onnx_model  # noqa: E402

MODEL, STATES = onnx_model()
SESSION = ort.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
CARRIED = [state for state in STATES if state.dtype == "uint8"]


def stream(signal: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Frames of "qrs" and "features", and every integer that is carried at the end."""
    state = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in STATES}
    frames, at = [], 0
    for size in sizes:
        feed = {
            **state,
            "samples": signal[at : at + size].reshape(1, 1, -1, 1),
            "weights": np.ones((1, 1), np.float32),
        }
        answers = SESSION.run(["qrs", "features", *(s.name_out for s in STATES)], feed)
        state = {s.name_in: t for s, t in zip(STATES, answers[2:], strict=True)}
        frames.append(answers[:2])
        at += size
    heads = [np.concatenate([f[k][0] for f in frames]) for k in range(2)]
    return heads + [state[s.name_in] for s in CARRIED]


def reference(signal: np.ndarray) -> np.ndarray:
    """The same network in floats over the whole signal, silence before it."""
    tensors = {"x": signal[None].astype(np.float64)}
    for conv in convolutions():
        spec = conv.spec
        weight = conv.weight[:, :, 0] * conv.weight_scale[:, None, None]
        x = np.pad(tensors[spec.source], ((0, 0), (spec.past, 0)))
        reach = (spec.kernel - 1) * spec.dilation
        y = np.stack(
            [
                np.tensordot(
                    weight, x[:, at : at + reach + 1 : spec.dilation], axes=([1, 2], [0, 1])
                )
                for at in range(0, x.shape[1] - reach, spec.stride)
            ],
            axis=1,
        )
        y += (conv.bias * conv.weight_scale * RANGES[spec.source].scale)[:, None]
        y = np.maximum(y, 0) if spec.relu else y
        tensors[spec.name] = y + tensors[spec.adds] if spec.adds else y
    return tensors["last"].T


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 100))
def test_any_chunking_gives_the_same_integers(chunks: list[int], seed: int) -> None:
    sizes = [8 * chunk for chunk in chunks]  # whole strides
    signal = np.random.default_rng(seed).normal(0, 2, sum(sizes)).astype(np.float32)
    one_pass = stream(signal, [sum(sizes)])
    assert all(np.array_equal(a, b) for a, b in zip(stream(signal, sizes), one_pass, strict=True))


def test_it_is_near_the_float_network_from_the_first_frame_on() -> None:
    signal = np.random.default_rng(3).normal(0, 1.5, 512).astype(np.float32)
    got, want = stream(signal, [128] * 4)[0], reference(signal)
    assert got.shape == want.shape
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.995


def pooled(signal: np.ndarray, weights: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """The embedding after the hops of `signal`, and each hop's own pools of the features."""
    state = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in STATES}
    hops = []
    for hop, weight in zip(signal.reshape(len(weights), 1, 1, 128, 1), weights, strict=True):
        feed = {**state, "samples": hop, "weights": np.full((1, 1), weight, np.float32)}
        names = ["embedding", "features", *(s.name_out for s in STATES)]
        embedding, features, *carried = SESSION.run(names, feed)
        state = {s.name_in: t for s, t in zip(STATES, carried, strict=True)}
        hops.append(np.concatenate([features[0].mean(axis=0), features[0].max(axis=0)]))
    return embedding[0], np.stack(hops)


def test_the_embedding_is_the_fading_weighted_mean_of_the_pools() -> None:
    weights = [1.0, 0.3, 0.0, 0.8]
    signal = np.random.default_rng(5).normal(0, 2, 512).astype(np.float32)
    embedding, hops = pooled(signal, weights)
    share = np.array(weights) * 0.9 ** np.arange(3, -1, -1)
    np.testing.assert_allclose(embedding, share @ hops / share.sum(), rtol=1e-4, atol=1e-5)


def test_unheard_hops_leave_the_embedding_at_zero() -> None:
    signal = np.random.default_rng(5).normal(0, 2, 256).astype(np.float32)
    assert not pooled(signal, [0.0, 0.0])[0].any()


def test_the_relu_is_in_the_range() -> None:
    signal = np.random.default_rng(6).normal(0, 2, 256).astype(np.float32)
    assert SPECS[3].relu
    assert stream(signal, [256])[1].min() == 0


@settings(deadline=None)
@given(st.floats(-100, 100), st.floats(-100, 100))
def test_a_range_has_an_exact_zero_and_covers_its_ends(one: float, other: float) -> None:
    low, high = sorted((one, other))
    quantum = Range.of(low, high)
    assert 0 <= quantum.zero_point <= 255
    steps = np.clip(np.round(np.array([low, high]) / quantum.scale) + quantum.zero_point, 0, 255)
    back = (steps - quantum.zero_point) * quantum.scale
    np.testing.assert_allclose(back, [low, high], atol=quantum.scale * 1.01)
