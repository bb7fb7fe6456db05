"""The float graph: one pass equals any number of hops, and equals the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from models.onnx_scan import scan_onnx  # noqa: E402
from tests.models.float_bundle import SPECS, float_model, weights  # noqa: E402

MODEL, GRAPH = float_model(seed=3)
SESSION = ort.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
STRIDE = 32


def stream(signal: np.ndarray, sizes: list[int], trust: float = 1.0) -> dict[str, np.ndarray]:
    """Frames of all hops, and the embedding after the last. signal: (leads, samples)."""
    leads = len(signal)
    state = {s.name_in: np.full((leads, *s.shape), s.initial, s.dtype) for s in GRAPH.states}
    frames, at = [], 0
    for size in sizes:
        feed = {
            **state,
            "samples": signal[:, at : at + size].reshape(leads, 1, size, 1),
            "weights": np.full((leads, 1), trust, np.float32),
        }
        beats, embedding, *carried = SESSION.run(
            ["frames", "embedding", *(s.name_out for s in GRAPH.states)], feed
        )
        state = {s.name_in: tensor for s, tensor in zip(GRAPH.states, carried, strict=True)}
        frames.append(beats)
        at += size
    return {"frames": np.concatenate(frames, axis=1), "embedding": embedding}


def reference(signal: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """The convolutions by their definition, over one lead with silence before it."""
    rng = np.random.default_rng(seed)
    tensors = {"x": signal[None].astype(np.float64)}
    for spec in SPECS:
        weight = weights(spec, rng)[:, :, 0]
        bias = rng.normal(0, 0.1, spec.c_out).astype(np.float32)
        x = np.pad(tensors[spec.source], ((0, 0), (spec.past, 0)))
        reach = (spec.kernel - 1) * spec.dilation
        taps = [x[:, k * spec.dilation : x.shape[1] - reach + k * spec.dilation : spec.stride]
                for k in range(spec.kernel)]  # fmt: skip
        y = sum(weight[:, :, k] @ taps[k] for k in range(spec.kernel)) + bias[:, None]
        y = np.maximum(y, 0) if spec.relu else y
        tensors[spec.name] = y + tensors[spec.adds] if spec.adds else y
    return tensors


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 8), min_size=2, max_size=6), st.integers(0, 100), st.integers(1, 3))
def test_any_chunking_is_one_pass(chunks: list[int], seed: int, leads: int) -> None:
    sizes = [STRIDE * chunk for chunk in chunks]
    signal = np.random.default_rng(seed).normal(0, 2, (leads, sum(sizes))).astype(np.float32)
    hops, whole = stream(signal, sizes), stream(signal, [sum(sizes)])
    np.testing.assert_allclose(hops["frames"], whole["frames"], rtol=0, atol=1e-5)


def test_it_computes_what_the_convolutions_are_defined_as() -> None:
    signal = np.random.default_rng(5).normal(0, 1.5, 640).astype(np.float32)
    wanted, got = reference(signal, seed=3), stream(signal[None], [128] * 5)
    np.testing.assert_allclose(got["frames"][0], wanted["beat"].T, rtol=1e-4, atol=1e-4)
    features = wanted["feature"].reshape(16, 5, -1)
    pooled = np.concatenate([features.mean(axis=2), features.max(axis=2)])
    ages = 0.9 ** np.arange(5)[::-1]
    mean = (pooled * ages).sum(axis=1) / (ages.sum() + 1e-6)
    np.testing.assert_allclose(got["embedding"][0], mean, rtol=1e-4, atol=1e-4)


def test_a_hop_without_trust_leaves_the_running_mean_alone() -> None:
    signal = np.random.default_rng(6).normal(0, 1, (1, 128)).astype(np.float32)
    assert np.abs(stream(signal, [128], trust=0.0)["embedding"]).max() == 0


def test_only_standard_operators_are_used() -> None:
    assert not [name for name in scan_onnx(MODEL, "here").operators if "::" in name]
