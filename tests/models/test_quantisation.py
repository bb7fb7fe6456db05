"""Quantising a float bundle: exact in streams, near the floats, honest, and never by accident."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import Bundle, load_bundle
from models.errors import ModelError
from models.manifest import State
from models.onnx_scan import scan_onnx
from models.onnx_session import open_session
from models.quantisation import Hop, Quantised, Stretch, compare, quantise, write_quantised
from models.quantisation.plan import plan
from models.quantisation.ranges import quantile_ranges, shared
from models.registry import open_encoder
from tests.models.float_bundle import write_float_bundle
from tests.models.rebundle import NAME


def stretch(leads: int, hops: int, seed: int) -> Stretch:
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 150, (hops, leads, 128)).astype(np.float32)
    return [Hop(samples, (1.0,) * leads) for samples in signal]


STRETCHES = [stretch(1, 12, 0), stretch(3, 8, 1), stretch(2, 1, 2), []]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_float_bundle(tmp_path_factory.mktemp("float"), seed=7)


@pytest.fixture(scope="module")
def quantised(source: Bundle) -> Quantised:
    return quantise(source, STRETCHES)


@pytest.fixture(scope="module")
def written(
    source: Bundle, quantised: Quantised, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    return write_quantised(tmp_path_factory.mktemp("int8"), source, quantised, limits=("told",))


def frames(
    model: bytes, states: Sequence[State], signal: np.ndarray, sizes: list[int]
) -> np.ndarray:
    session = open_session(model, "here", ("CPUExecutionProvider",))
    state = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in states}
    heard, at = [], 0
    for size in sizes:
        samples = signal[at : at + size].reshape(1, 1, size, 1)
        feed = {**state, "samples": samples, "weights": np.ones((1, 1), np.float32)}
        frames, *carried = session.run(["frames", *(s.name_out for s in states)], feed)
        state = {s.name_in: tensor for s, tensor in zip(states, carried, strict=True)}
        heard.append(frames[0])
        at += size
    return np.concatenate(heard)


@settings(deadline=None, max_examples=20)
@given(sizes=st.lists(st.integers(1, 8), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_any_chunking_gives_the_same_bits(
    quantised: Quantised, sizes: list[int], seed: int
) -> None:
    sizes = [32 * size for size in sizes]
    signal = np.random.default_rng(seed).normal(0, 1.5, sum(sizes)).astype(np.float32)
    whole = frames(quantised.model, quantised.states, signal, [sum(sizes)])
    hops = frames(quantised.model, quantised.states, signal, sizes)
    assert np.array_equal(hops, whole)


def test_it_stays_near_the_floats(source: Bundle, quantised: Quantised) -> None:
    signal = np.random.default_rng(11).normal(0, 1, 1280).astype(np.float32)
    before = frames(source.model, source.manifest.states, signal, [128] * 10)
    after = frames(quantised.model, quantised.states, signal, [128] * 10)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.995


def test_what_only_moves_is_integer_and_what_is_summed_stays_float(quantised: Quantised) -> None:
    kinds = {state.name_in: state.dtype for state in quantised.states}
    assert kinds.pop("total") == kinds.pop("weight") == "float32"
    assert set(kinds.values()) == {"uint8"}
    stem = next(state for state in quantised.states if state.name_in == "stem.past")
    assert 0 < stem.initial < 255


def test_weights_use_seven_bits(quantised: Quantised) -> None:
    constants = onnx.load_from_string(quantised.model).graph.initializer
    weights = [numpy_helper.to_array(t) for t in constants if t.data_type == TensorProto.INT8]
    kernels = [weight for weight in weights if weight.ndim == 4]
    assert len(kernels) == 7
    assert all(np.abs(kernel.astype(int)).max() in (63, 64) for kernel in kernels)


def test_every_channel_has_a_scale_of_its_own(quantised: Quantised) -> None:
    graph = onnx.load_from_string(quantised.model).graph
    scales = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    stem = next(name for name in scales if name.startswith("stem.weight") and "scale" in name)
    assert len(np.unique(scales[stem])) == 16


def test_the_bundle_is_verified_and_honest(source: Bundle, written: Bundle) -> None:
    manifest = written.manifest
    assert (manifest.name, manifest.version) == ("float-test-int8", "1.0.0")
    assert manifest.figures == ()
    said = " ".join(manifest.limits)
    assert "told" in said
    assert source.sha256 in said
    assert "2 of 5 carried tensors are still floats" in said
    assert "QuantizeLinear" in scan_onnx(written.model, "here").operators
    assert open_encoder(written, 2).step(STRETCHES[0][0].samples_uv.repeat(2, 0))


def test_other_files_stay_and_litert_goes(
    source: Bundle, quantised: Quantised, tmp_path: Path
) -> None:
    entry = msgspec.structs.replace(source.manifest.file("model"), name="old.tflite", role="litert")
    listed = (*source.manifest.files, entry)
    manifest = msgspec.structs.replace(source.manifest, files=listed)
    both = dataclasses.replace(
        source, manifest=manifest, files={**source.files, "old.tflite": b"x"}
    )
    roles = {e.role for e in write_quantised(tmp_path, both, quantised).manifest.files}
    assert roles == {"model", "golden", "card"}


def test_the_comparison_says_how_far_they_agree(source: Bundle, written: Bundle) -> None:
    compared = compare(source, written, STRETCHES)
    by_name = {each.output: each for each in compared.agreement}
    assert by_name.keys() == {"rhythm", "frames", "embedding"}
    assert by_name["embedding"].decisions is None
    assert 0.9 < by_name["frames"].cosine <= 1
    assert 0 < by_name["frames"].largest < 1
    assert compared.hops == sum(map(len, STRETCHES))
    assert min(compared.step_us) > 0


def test_a_bundle_agrees_with_itself(source: Bundle) -> None:
    for each in compare(source, source, STRETCHES).agreement:
        assert each.largest == 0
        assert each.cosine == pytest.approx(1)
        assert each.decisions in (None, 1)


def test_an_int8_bundle_is_not_quantised_again(written: Bundle) -> None:
    for bundle in (written, load_bundle(NAME)):
        with pytest.raises(ModelError, match="quantised already"):
            quantise(bundle, STRETCHES)


def flat(level: float) -> Stretch:
    return [Hop(np.full((1, 128), level, np.float32), (1.0,)) for _ in range(20)]


def untrusted() -> Stretch:
    return [dataclasses.replace(hop, lead_weights=(0.0,)) for hop in stretch(1, 20, 0)]


@pytest.mark.parametrize(
    ("stretches", "said"),
    [
        ([], "there are 0"),
        ([[]], "there are 0"),
        ([stretch(1, 7, 0)], "there are 7"),
        ([flat(0)], "constant"),
        ([flat(500)], "constant"),
        ([untrusted()], "constant"),
        ([flat(float("nan"))], "not finite"),
        ([stretch(4, 20, 0)], "4 leads"),
        ([[Hop(np.ones((1, 100), np.float32), (1.0,))] * 20], "100 samples"),
        ([[Hop(np.ones((1, 128), np.float32), (1.0, 1.0))] * 20], "2 lead weights for 1"),
    ],
)
def test_signals_that_say_nothing_are_refused(
    source: Bundle, stretches: list[Stretch], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        quantise(source, stretches)


def with_model(source: Bundle, model: onnx.ModelProto) -> Bundle:
    name = source.manifest.file("model").name
    return dataclasses.replace(source, files={**source.files, name: model.SerializeToString()})


def test_an_old_opset_is_named(source: Bundle) -> None:
    model = onnx.load_from_string(source.model)
    model.opset_import[0].version = 11
    with pytest.raises(ModelError, match="opset 11"):
        quantise(with_model(source, model), STRETCHES)


def test_a_model_without_weights_has_nothing_to_gain(source: Bundle) -> None:
    model = onnx.load_from_string(source.model)
    del model.graph.node[:]
    with pytest.raises(ModelError, match="to quantise"):
        quantise(with_model(source, model), STRETCHES)


def graph_of(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> onnx.GraphProto:
    for number, node in enumerate(nodes):
        node.name = str(number)
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("x", "past")]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return helper.make_graph(nodes, "g", inputs, [], tensors)


PAST = State(name_in="past", name_out="next", shape=(4,), dtype="float32")
LARGE = {"w": np.ones((64, 64), np.float32)}


def test_recurrence_and_all_after_it_stays_float() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["seen"]),
        helper.make_node("Tanh", ["past"], ["gate"]),
        helper.make_node("Add", ["seen", "gate"], ["next"]),
        helper.make_node("MatMul", ["next", "w"], ["head"]),
    ]
    planned = plan(graph_of(nodes, LARGE), [PAST])
    assert planned.nodes == ("0",)
    assert planned.carried == ()


def test_small_matrices_and_products_of_signals_stay_float() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "small"], ["a"]),
        helper.make_node("MatMul", ["a", "x"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["c"], axis=0),
    ]
    small = {"small": np.ones((8, 8), np.float32)}
    assert plan(graph_of(nodes, small), []).nodes == ()


def test_tensors_that_move_into_each_other_share_a_range() -> None:
    groups = [frozenset({"a", "b"}), frozenset({"unknown"})]
    ranges = shared({"a": (-1.0, 2.0), "b": (0.0, 5.0), "c": (0.0, 1.0)}, groups)
    assert ranges == {"a": (-1.0, 5.0), "b": (-1.0, 5.0), "c": (0.0, 1.0)}


def test_the_rarest_values_do_not_widen_a_range() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, 200_000).astype(np.float32)
    values[0] = 50
    low, high = quantile_ranges(lambda: iter([{"x": values}]))["x"]
    assert (low, high) == pytest.approx((-1, 1), abs=0.05)


@settings(deadline=None)
@example([990309.0, 990556.0])
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_a_range_lies_within_what_was_seen(values: list[float]) -> None:
    seen = np.array(values, np.float32)
    low, high = quantile_ranges(lambda: iter([{"x": seen}, {"x": seen[:1]}]))["x"]
    slack = 1e-6 * float(np.ptp(seen))
    assert seen.min() - slack <= low <= high <= seen.max() + slack
