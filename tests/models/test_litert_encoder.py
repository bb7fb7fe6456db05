"""The LiteRT encoder: the same answers as ONNX Runtime's, streaming, and fair refusals."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("ai_edge_litert")

from models.bundle import Bundle, load_bundle
from models.encoder import Encoder
from models.errors import BundleError, ModelError, RuntimeMissingError, StepError
from models.golden import check_golden
from models.litert_encoder import LiteRTEncoder, has_litert
from models.onnx_encoder import OnnxEncoder
from tests.models.rebundle import edit_manifest, hops, replace_file
from tests.models.toy_network import litert_model, toy_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return toy_bundle(tmp_path_factory.mktemp("zoo") / "toy", litert_model())


def run(encoder: Encoder, signal: np.ndarray) -> list[dict[str, np.ndarray]]:
    return [dict(encoder.step(hop)) for hop in signal]


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_it_is_an_encoder_on_xnnpack(bundle: Bundle) -> None:
    encoder = LiteRTEncoder(bundle, 2)
    assert isinstance(encoder, Encoder)
    assert encoder.providers == ("XNNPACK",)
    assert encoder.manifest is bundle.manifest


def test_outputs_are_as_the_manifest_says(bundle: Bundle) -> None:
    for answer in run(LiteRTEncoder(bundle, 2), hops(6, 2)):
        assert list(answer) == [output.name for output in bundle.manifest.outputs]
        for output in bundle.manifest.outputs:
            assert answer[output.name].dtype == np.float32
            assert answer[output.name].shape == output.shape


def test_it_answers_as_onnx_runtime_does(bundle: Bundle) -> None:
    assert check_golden(bundle, LiteRTEncoder(bundle, 1)) < 0.03
    signal, weights = hops(20, 3), [1.0, 0.5, 0.0]
    one, other = OnnxEncoder(bundle, 3), LiteRTEncoder(bundle, 3)
    for hop in signal:
        wanted, got = one.step(hop, weights), other.step(hop, weights)
    for name in ("rhythm", "ventricular", "quality"):
        np.testing.assert_allclose(got[name], wanted[name], atol=0.05)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(0, 4))
def test_reset_forgets_everything(bundle: Bundle, seed: int, leads: int, before: int) -> None:
    encoder, signal = LiteRTEncoder(bundle, leads), hops(4, leads, seed)
    fresh = run(encoder, signal)
    run(encoder, hops(before, leads, seed + 1))
    encoder.reset()
    assert all(same(a, b) for a, b in zip(fresh, run(encoder, signal), strict=True))


@settings(deadline=None, max_examples=10)
@given(st.lists(st.booleans(), min_size=4, max_size=16), st.integers(0, 1000))
def test_two_encoders_share_nothing(bundle: Bundle, turns: list[bool], seed: int) -> None:
    signals = (hops(len(turns), 1, seed), hops(len(turns), 1, seed + 1))
    alone = [run(LiteRTEncoder(bundle, 1), signal) for signal in signals]
    pair, at = (LiteRTEncoder(bundle, 1), LiteRTEncoder(bundle, 1)), [0, 0]
    for turn in turns:
        assert same(pair[turn].step(signals[turn][at[turn]]), alone[turn][at[turn]])
        at[turn] += 1


def test_answers_stay_as_they_were_given(bundle: Bundle) -> None:
    encoder, signal = LiteRTEncoder(bundle, 1), hops(2)
    first = encoder.step(signal[0])
    kept = {name: value.copy() for name, value in first.items()}
    encoder.step(signal[1])
    assert same(first, kept)


def test_a_hop_that_cannot_be_heard_changes_nothing(bundle: Bundle) -> None:
    encoder, signal = LiteRTEncoder(bundle, 1), hops(2)
    expected = run(LiteRTEncoder(bundle, 1), signal)
    assert same(encoder.step(signal[0]), expected[0])
    for bad in (np.zeros((1, 127), np.float32), np.full((1, 128), np.nan, np.float32)):
        with pytest.raises(StepError, match="hop"):
            encoder.step(bad)
    assert same(encoder.step(signal[1]), expected[1])


def test_a_number_of_leads_that_the_bundle_does_not_take(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="1 to 12"):
        LiteRTEncoder(bundle, 13)


@pytest.mark.parametrize("size", [8, 100, 5000])
def test_a_damaged_model_is_refused(tmp_path: Path, size: int) -> None:
    folder = toy_bundle(tmp_path / "toy", litert_model()).path
    replace_file(folder, "model.tflite", litert_model()[:size])
    with pytest.raises(BundleError, match=r"model\.tflite: not a LiteRT model"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name_in", "other"), ("name_out", "other"), ("shape", [1, 7, 1]), ("dtype", "float32")],
)
def test_a_manifest_that_names_other_tensors(tmp_path: Path, field: str, value: object) -> None:
    folder = toy_bundle(tmp_path / "toy", litert_model()).path

    def change(manifest: dict[str, Any]) -> None:
        manifest["states"][0][field] = value

    edit_manifest(folder, change)
    with pytest.raises(BundleError, match=r"no tensor 'other'|stem\.past"):
        LiteRTEncoder(load_bundle(folder), 1)


def test_an_output_of_another_size(tmp_path: Path) -> None:
    folder = toy_bundle(tmp_path / "toy", litert_model()).path

    def change(manifest: dict[str, Any]) -> None:
        manifest["outputs"][-1]["shape"] = [31]

    edit_manifest(folder, change)
    with pytest.raises(BundleError, match=r"'embedding' is float32 \[1, 32\]"):
        LiteRTEncoder(load_bundle(folder), 1)


def test_a_bundle_without_a_model_for_it(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no file with role 'litert'"):
        LiteRTEncoder(toy_bundle(tmp_path / "toy"), 1)


def test_without_litert_the_error_says_how_to_get_it(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert has_litert()
    for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    assert not has_litert()
    with pytest.raises(RuntimeMissingError, match="pip install ai-edge-litert"):
        LiteRTEncoder(bundle, 1)


def test_the_whole_network_runs_in_xnnpack(bundle: Bundle) -> None:
    interpreter = LiteRTEncoder(bundle, 1)._network.shared.runtime
    operators = interpreter._get_ops_details()
    delegates = [o for o in operators if o["op_name"] == "DELEGATE"]
    assert len(delegates) == 1
    outputs = {d["index"] for d in interpreter.get_output_details()}
    assert outputs <= set(delegates[0]["outputs"].tolist())
