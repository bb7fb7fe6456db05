"""The graph writer on a toy network: streaming is exact, and near the float result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from models.training.architecture import ConvSpec  # noqa: E402
from models.training.graph import QuantisedConv, Range, StepGraph  # noqa: E402

SPECS = (
    ConvSpec("stem", "x", 1, 16, kernel=8, stride=4),
    ConvSpec("wide", "stem", 16, 16, kernel=5, dilation=3),
    ConvSpec("block", "wide", 16, 16, relu=False, adds="stem"),
    ConvSpec("down", "block", 16, 16, kernel=2, stride=2),
    ConvSpec("last", "down", 16, 5, kernel=3, relu=False),
)
RANGES = {
    "x": Range.of(-8, 8),
    "stem": Range.of(0, 6),
    "wide": Range.of(0, 4),
    "block+": Range.of(-3, 3),
    "block": Range.of(-3, 7),
    "down": Range.of(0, 5),
    "last": Range.of(-6, 6),
}


def toy(seed: int) -> tuple[ort.InferenceSession, StepGraph, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    graph, floats = StepGraph(RANGES), {}
    for spec in SPECS:
        shape = (spec.c_out, spec.c_in, 1, spec.kernel)
        weight = rng.integers(-63, 64, shape).astype(np.int8)
        scale = np.full(spec.c_out, 1.2 / 63 / np.sqrt(spec.c_in * spec.kernel), np.float32)
        bias = np.zeros(spec.c_out, np.int32)
        graph.conv(QuantisedConv(spec, weight, scale, bias))
        floats[spec.name] = weight[:, :, 0] * scale[:, None, None]
    graph.beats("last", 5)
    graph.pools("down", 16, 0.9, 0.9)
    model = graph.build({"beats": ("leads", "frames", 5), "embedding": ("leads", 16)})
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]), graph, floats


SESSION, GRAPH, FLOATS = toy(1)


def stream(signal: np.ndarray, sizes: list[int]) -> np.ndarray:
    state = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in GRAPH.states}
    frames, at = [], 0
    for size in sizes:
        feed = {
            **state,
            "samples": signal[at : at + size].reshape(1, 1, -1, 1),
            "weights": np.ones((1, 1), np.float32),
        }
        answers = SESSION.run(["beats", *(s.name_out for s in GRAPH.states)], feed)
        state = {s.name_in: t for s, t in zip(GRAPH.states, answers[1:], strict=True)}
        frames.append(answers[0][0])
        at += size
    return np.concatenate(frames)


def reference(signal: np.ndarray) -> np.ndarray:
    """The same network in floats over the whole signal, silence before it."""
    tensors = {"x": signal[None].astype(np.float64)}
    for spec in SPECS:
        x = np.pad(tensors[spec.source], ((0, 0), (spec.past, 0)))
        reach = (spec.kernel - 1) * spec.dilation
        y = np.stack(
            [
                np.tensordot(
                    FLOATS[spec.name],
                    x[:, at : at + reach + 1 : spec.dilation],
                    axes=([1, 2], [0, 1]),
                )
                for at in range(0, x.shape[1] - reach, spec.stride)
            ],
            axis=1,
        )
        y = np.maximum(y, 0) if spec.relu else y
        tensors[spec.name] = y + tensors[spec.adds] if spec.adds else y
    return tensors["last"].T


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 100))
def test_any_chunking_gives_the_same_integers(chunks: list[int], seed: int) -> None:
    sizes = [8 * chunk for chunk in chunks]  # whole strides
    signal = np.random.default_rng(seed).normal(0, 2, sum(sizes)).astype(np.float32)
    assert np.array_equal(stream(signal, sizes), stream(signal, [sum(sizes)]))


def test_it_is_near_the_float_network_from_the_first_frame_on() -> None:
    signal = np.random.default_rng(3).normal(0, 1.5, 512).astype(np.float32)
    got, want = stream(signal, [128] * 4), reference(signal)
    assert got.shape == want.shape
    assert np.abs(got - want).mean() < 0.05
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.995


@settings(deadline=None)
@given(st.floats(-100, 100), st.floats(-100, 100))
def test_a_range_has_an_exact_zero_and_covers_its_ends(one: float, other: float) -> None:
    low, high = sorted((one, other))
    quantum = Range.of(low, high)
    assert 0 <= quantum.zero_point <= 255
    steps = np.clip(np.round(np.array([low, high]) / quantum.scale) + quantum.zero_point, 0, 255)
    back = (steps - quantum.zero_point) * quantum.scale
    np.testing.assert_allclose(back, [low, high], atol=quantum.scale * 1.01)
