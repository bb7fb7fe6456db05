"""The streaming encoder: deterministic, exact in int8, and fair to its leads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bound_session import BoundSession
from models.bundle import load_bundle
from models.encoder import Encoder
from models.errors import ModelError, RuntimeMissingError, StepError
from models.fusion import nothing_known
from models.golden import GoldenVector
from models.manifest import Manifest, Output, State
from models.onnx_encoder import OnnxEncoder, OnnxNetwork
from models.package import write_bundle
from tests.models.rebundle import NAME, SHIPPED, hops

BUNDLE = load_bundle(NAME)
MANIFEST = BUNDLE.manifest


def run(encoder: Encoder, signal: np.ndarray) -> list[dict[str, np.ndarray]]:
    return [dict(encoder.step(hop)) for hop in signal]


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_it_is_an_encoder_on_the_cpu() -> None:
    encoder = OnnxEncoder(BUNDLE, 2)
    assert isinstance(encoder, Encoder)
    assert encoder.providers == ("CPUExecutionProvider",)
    assert encoder.manifest is MANIFEST


def test_outputs_are_as_the_manifest_says() -> None:
    for answer in run(OnnxEncoder(BUNDLE, 1), hops(12)):
        assert list(answer) == [output.name for output in MANIFEST.outputs]
        for output in MANIFEST.outputs:
            value = answer[output.name]
            assert value.dtype == np.float32
            assert value.shape == output.shape
            if output.kind in ("embedding", "features"):
                continue
            assert (value >= 0).all()
            assert (value <= 1).all()
            if output.kind == "qrs":
                continue
            total = value.sum(axis=-1)
            assert (total <= 1 + 1e-5).all()
            if output.rest is None:
                np.testing.assert_allclose(total, 1, atol=1e-5)


def test_a_provider_that_cannot_bind_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that `auto` takes another."""

    def refuses(*_: object) -> None:
        raise RuntimeError("no allocator for it")

    monkeypatch.setattr(BoundSession, "_bind", refuses)
    with pytest.raises(ModelError, match=r"'tcn-s' with CPUExecutionProvider: no allocator"):
        OnnxEncoder(BUNDLE, 1)


def test_reset_forgets_everything() -> None:
    encoder, signal = OnnxEncoder(BUNDLE, 2), hops(8, 2)
    first = run(encoder, signal)
    assert not same(first[0], encoder.step(signal[0]))  # the past does matter
    encoder.reset()
    assert all(same(a, b) for a, b in zip(first, run(encoder, signal), strict=True))


def test_two_encoders_share_nothing() -> None:
    one, other, signal = OnnxEncoder(BUNDLE, 1), OnnxEncoder(BUNDLE, 1), hops(6)
    alone = run(one, signal)
    one.reset()
    for k, hop in enumerate(signal):
        other.step(hops(1, seed=99)[0])
        assert same(alone[k], one.step(hop))


def test_the_caller_may_reuse_its_buffer() -> None:
    signal, buffer = hops(5), np.empty((1, 128), np.float32)
    expected = run(OnnxEncoder(BUNDLE, 1), signal)
    encoder = OnnxEncoder(BUNDLE, 1)
    for k, hop in enumerate(signal):
        buffer[:] = hop
        answer = encoder.step(buffer)
        buffer[:] = np.nan
        assert same(answer, expected[k])


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 1000))
def test_int8_is_the_same_for_any_number_of_hops_in_one_run(groups: list[int], seed: int) -> None:
    """The graph itself takes any whole number of hops: frames and carried past are exact."""
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(BUNDLE.model, providers=["CPUExecutionProvider"])
    signal = np.random.default_rng(seed).normal(0, 2, (sum(groups) * 128)).astype(np.float32)
    past = [s for s in MANIFEST.states if s.dtype == "uint8"]
    framed = [o.name for o in MANIFEST.outputs if o.kind in ("qrs", "beats", "features")]
    fetches = [*framed, *(s.name_out for s in past)]

    def stream(sizes: list[int]) -> list[np.ndarray]:
        state = {s.name_in: np.full((1, *s.shape), s.initial, s.dtype) for s in MANIFEST.states}
        frames, at = [], 0
        for size in sizes:
            piece = signal[at : at + size * 128].reshape(1, 1, -1, 1)
            feed = {**state, "samples": piece, "weights": np.ones((1, 1), np.float32)}
            answers = session.run(fetches, feed)
            carried = answers[len(framed) :]
            state |= {s.name_in: tensor for s, tensor in zip(past, carried, strict=True)}
            frames.append(answers[: len(framed)])
            at += size * 128
        heads = [np.concatenate(parts, axis=1) for parts in zip(*frames, strict=True)]
        return heads + [state[s.name_in] for s in past]

    one_by_one, grouped = stream([1] * sum(groups)), stream(groups)
    assert all(np.array_equal(a, b) for a, b in zip(one_by_one, grouped, strict=True))


def test_a_lead_that_is_not_trusted_does_not_speak() -> None:
    signal = hops(10, 2)
    pair, single = OnnxEncoder(BUNDLE, 2), OnnxEncoder(BUNDLE, 1)
    for hop in signal:
        both = pair.step(hop, lead_weights=(1.0, 0.0))
        alone = single.step(hop[:1])
        for name in alone:
            np.testing.assert_allclose(both[name], alone[name], atol=1e-5)


def test_the_order_of_leads_matters_only_to_qrs_complexes() -> None:
    signal, weights = hops(8, 3), [0.2, 1.0, 0.7]
    one, other = OnnxEncoder(BUNDLE, 3), OnnxEncoder(BUNDLE, 3)
    for hop in signal:
        a = one.step(hop, weights)
        b = other.step(hop[::-1], weights[::-1])
        for name in a.keys() - {"qrs"}:
            np.testing.assert_allclose(a[name], b[name], atol=1e-4)


def test_equal_leads_speak_as_one() -> None:
    signal = hops(6, 1)
    for hop, alone in zip(signal, run(OnnxEncoder(BUNDLE, 1), signal), strict=True):
        assert hop.shape == (1, 128)
        assert alone["rhythm"].shape == (4,)
    twin = run(OnnxEncoder(BUNDLE, 2), np.repeat(signal, 2, axis=1))
    for one, two in zip(run(OnnxEncoder(BUNDLE, 1), signal), twin, strict=True):
        for name in one:
            np.testing.assert_allclose(one[name], two[name], atol=1e-5)


def test_a_lone_lead_is_believed_alike_whatever_its_weight() -> None:
    signal = hops(40)
    full, half = OnnxEncoder(BUNDLE, 1), OnnxEncoder(BUNDLE, 1)
    for hop in signal:
        one, other = full.step(hop, [1.0]), half.step(hop, [0.5])
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=0.05)


def test_weights_change_the_answer() -> None:
    hop = hops(1, 2)[0]
    hop[1] *= -3
    answers = [OnnxEncoder(BUNDLE, 2).step(hop, w) for w in ((1, 0.1), (0.1, 1))]
    assert not np.array_equal(answers[0]["embedding"], answers[1]["embedding"])


def test_without_a_fit_lead_nothing_is_claimed_and_hearing_goes_on() -> None:
    encoder, signal = OnnxEncoder(BUNDLE, 2), hops(6, 2)
    run(encoder, signal)
    silent = encoder.step(signal[0], lead_weights=(0, 0))
    assert silent["rhythm"].tolist() == [0, 0, 0, 1]
    for output in MANIFEST.outputs:
        assert np.array_equal(silent[output.name], nothing_known(output))
    for _ in range(300):
        encoder.step(signal[0] * 1000, lead_weights=(0, 0))
    after = encoder.step(signal[1])
    assert all(np.isfinite(value).all() for value in after.values())


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((2, 128), np.float32),
        np.zeros((1, 127), np.float32),
        np.zeros(128, np.float32),
        np.full((1, 128), np.nan, np.float32),
        np.full((1, 128), np.inf, np.float32),
    ],
)
def test_a_hop_that_cannot_be_heard_changes_nothing(samples: np.ndarray) -> None:
    encoder, signal = OnnxEncoder(BUNDLE, 1), hops(3)
    expected = run(OnnxEncoder(BUNDLE, 1), signal)
    assert same(encoder.step(signal[0]), expected[0])
    with pytest.raises(StepError, match="hop"):
        encoder.step(samples)
    assert same(encoder.step(signal[1]), expected[1])


@pytest.mark.parametrize("weights", [(1,), (1, 2), (-0.1, 1), (np.nan, 1), (1, 1, 1)])
def test_weights_out_of_range_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(StepError, match="lead weights"):
        OnnxEncoder(BUNDLE, 2).step(hops(1, 2)[0], weights)


@settings(deadline=None, max_examples=20)
@given(st.floats(0, float(np.float32(3e38)), width=32), st.booleans())
def test_any_finite_amplitude_gives_finite_answers(level: float, alternating: bool) -> None:
    hop = np.full((1, 128), level, np.float32)
    if alternating:
        hop[:, ::2] *= -1
    encoder = OnnxEncoder(BUNDLE, 1)
    for answer in run(encoder, np.stack([hop, hop])):
        assert all(np.isfinite(value).all() for value in answer.values())


@pytest.mark.parametrize("leads", [0, -1, 13])
def test_a_number_of_leads_that_the_bundle_does_not_take(leads: int) -> None:
    with pytest.raises(ModelError, match="1 to 12"):
        OnnxEncoder(BUNDLE, leads)


def test_an_unknown_provider_is_refused_and_not_replaced() -> None:
    with pytest.raises(RuntimeMissingError, match=r"NoSuchProvider.*CPUExecutionProvider"):
        OnnxEncoder(BUNDLE, 1, ("NoSuchProvider",))


def test_the_shipped_files_are_not_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.bundle.os.open", None)
    assert SHIPPED.is_dir()
    OnnxEncoder(BUNDLE, 1).step(hops(1)[0])


def test_bound_memory_gives_what_a_plain_run_gives() -> None:
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(BUNDLE.model, providers=["CPUExecutionProvider"])
    network, rng = OnnxNetwork(BUNDLE, 2, ("CPUExecutionProvider",)), np.random.default_rng(3)
    heads = [output.name for output in MANIFEST.outputs]
    fetches = heads + [state.name_out for state in MANIFEST.states]
    for _ in range(2):
        past = {s.name_in: np.full((2, *s.shape), s.initial, s.dtype) for s in MANIFEST.states}
        for _ in range(5):
            network.inputs[:] = rng.normal(0, 2, network.inputs.shape)
            network.weights[:, 0] = 1.0, 0.5
            feed = {**past, "samples": network.inputs, "weights": network.weights}
            answers = session.run(fetches, feed)
            past = {
                s.name_in: t for s, t in zip(MANIFEST.states, answers[len(heads) :], strict=True)
            }
            assert all(np.array_equal(a, b) for a, b in zip(answers, network.run(), strict=False))
        network.reset()


def eager_bundle(folder: Path) -> Path:
    """Its graph writes the new past, the samples, before it has read the old one."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    def tensor(name: str, shape: list[str | int]) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Identity", ["samples"], ["past.next"]),
        helper.make_node("Sub", ["samples", "past"], ["change"]),
        helper.make_node("ReduceMean", ["change"], ["embedding"], axes=[1, 2], keepdims=0),
    ]
    samples: list[str | int] = ["leads", 1, 128, 1]
    inputs, outputs = (
        [tensor(n, samples) for n in ("samples", "past")],
        [
            tensor("embedding", ["leads", 1]),
            tensor("past.next", samples),
        ],
    )
    graph = helper.make_graph(nodes, "eager", inputs, outputs)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model)
    manifest: Manifest = msgspec.structs.replace(
        MANIFEST,
        outputs=(Output(name="embedding", kind="embedding", shape=(1,), frame_rate_hz=1.0),),
        states=(State(name_in="past", name_out="past.next", shape=(1, 128, 1), dtype="float32"),),
        runtime=msgspec.structs.replace(MANIFEST.runtime, weights=None),
        beat_stage=None,
        files=(),
    )
    golden = msgspec.json.encode(GoldenVector([], {}))
    write_bundle(folder, manifest, {"model.onnx": model.SerializeToString(), "golden.json": golden})
    return folder


def test_a_graph_may_write_its_new_past_before_it_reads_the_old(tmp_path: Path) -> None:
    encoder = OnnxEncoder(load_bundle(eager_bundle(tmp_path)), 1)
    level = np.full((1, 128), 600, np.float32)
    rise = encoder.step(level)["embedding"][0]
    change = encoder.step(level)["embedding"][0]
    assert rise > 1  # silence before
    assert 0 < -change < rise  # the normaliser learns the level; a past lost would give 0
