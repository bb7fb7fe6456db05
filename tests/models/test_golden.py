"""The self-test: a model that is valid, signed and wrong does not get to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.bundle import load_bundle
from models.errors import BundleError
from models.golden import GoldenVector, check_golden, golden_hops, golden_leads
from models.onnx_encoder import OnnxEncoder
from models.registry import open_encoder, verify_bundle
from tests.models.rebundle import NAME, copy_to, edit_manifest, hops, replace_file

onnx = pytest.importorskip("onnx")


def damage(model: bytes, name: str) -> bytes:
    """The model with the sign of one of its constants turned."""
    proto = onnx.load_from_string(model)
    for tensor in proto.graph.initializer:
        if tensor.name == name:
            value = -onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, name))
            return bytes(proto.SerializeToString())
    raise AssertionError(name)


def test_the_shipped_bundle_passes() -> None:
    bundle, deviation = verify_bundle(NAME)
    assert 0 <= deviation <= bundle.manifest.golden.tolerance
    assert golden_leads(bundle) == 1
    assert np.shape(golden_hops(bundle))[1:] == (1, bundle.manifest.input.hop_samples)


def test_the_answers_are_not_all_alike() -> None:
    vector = msgspec.json.decode(load_bundle(NAME).files["golden.json"], type=GoldenVector)
    for rows in vector.outputs.values():
        assert np.ptp(np.array(rows), axis=0).max() > 0.1


@pytest.mark.parametrize(
    "constant", ["stem0.weight", "body2.bias", "deep1a.weight", "rhythm.weight", "peak.weight"]
)
def test_a_signed_but_wrong_model_is_refused(tmp_path: Path, constant: str) -> None:
    folder = copy_to(tmp_path)
    replace_file(folder, "model.onnx", damage((folder / "model.onnx").read_bytes(), constant))
    bundle = load_bundle(folder)
    with pytest.raises(BundleError, match="fails its self-test"):
        open_encoder(bundle, 1, "cpu")


def test_a_wrong_initial_state_is_refused(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)

    def zero(manifest: dict[str, Any]) -> None:
        for state in manifest["states"]:
            state["initial"] = 0

    edit_manifest(folder, zero)
    with pytest.raises(BundleError, match="fails its self-test"):
        open_encoder(load_bundle(folder), 1)


@pytest.mark.parametrize(
    "vector",
    [
        b"",
        b"[]",
        b'{"hops": [], "outputs": {}}',
        b'{"hops": [[[0.0]]], "outputs": {"rhythm": []}}',
        b'{"hops": [[[0.0]]], "outputs": {}, "extra": 1}',
        b"[" * 100_000,
        msgspec.json.encode(GoldenVector([[]], {})),
        msgspec.json.encode(GoldenVector([[[0.0] * 128], [[0.0] * 127]], {})),
        msgspec.json.encode(GoldenVector([[[0.0] * 128]] * 2, {"rhythm": [[0.0], [0.0, 1.0]]})),
        msgspec.json.encode(GoldenVector([[[0.0] * 128]] * 2, {"rhythm": [[0.0]]})),
    ],
)
def test_a_malformed_vector_is_refused(tmp_path: Path, vector: bytes) -> None:
    folder = copy_to(tmp_path)
    replace_file(folder, "golden.json", vector or b" ")
    with pytest.raises(BundleError, match=r"golden\.json"):
        open_encoder(load_bundle(folder), 1)


def test_missing_answers_are_refused(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    vector = msgspec.json.decode((folder / "golden.json").read_bytes(), type=GoldenVector)
    fewer = {name: rows for name, rows in vector.outputs.items() if name != "qrs"}
    replace_file(folder, "golden.json", msgspec.json.encode(GoldenVector(vector.hops, fewer)))
    bundle = load_bundle(folder)
    with pytest.raises(BundleError, match="outputs are not those"):
        check_golden(bundle, OnnxEncoder(bundle, 1))


def test_the_encoder_is_handed_over_fresh() -> None:
    bundle = load_bundle(NAME)
    tested, untested = open_encoder(bundle, 1, "cpu"), OnnxEncoder(bundle, 1)
    for hop in hops(3):
        a, b = tested.step(hop), untested.step(hop)
        assert all(np.array_equal(a[name], b[name]) for name in b)


def test_more_leads_than_the_self_test_has() -> None:
    encoder = open_encoder(load_bundle(NAME), 3, "cpu")
    assert encoder.step(hops(1, 3)[0])["rhythm"].shape == (4,)


@pytest.mark.parametrize("constant", ["beats.timing.weight", "shape.embedded.weight"])
def test_a_wrong_beat_stage_is_refused(tmp_path: Path, constant: str) -> None:
    folder = copy_to(tmp_path)
    replace_file(folder, "beats.onnx", damage((folder / "beats.onnx").read_bytes(), constant))
    with pytest.raises(BundleError, match="fails its self-test: the beat stage deviates"):
        open_encoder(load_bundle(folder), 1, "cpu")


@pytest.mark.parametrize(
    "change",
    [
        None,
        {"judged": []},
        {"judged": [[0.0]]},
        {"windows_uv": [[0.0]]},
        {"peaks_s": [1.0]},
    ],
)
def test_a_malformed_vector_of_beats_is_refused(
    tmp_path: Path, change: dict[str, Any] | None
) -> None:
    folder = copy_to(tmp_path)
    vector = msgspec.json.decode((folder / "golden.json").read_bytes(), type=GoldenVector)
    assert vector.beats is not None
    beats = None if change is None else msgspec.structs.replace(vector.beats, **change)
    changed = msgspec.structs.replace(vector, beats=beats)
    replace_file(folder, "golden.json", msgspec.json.encode(changed))
    with pytest.raises(BundleError, match="fails its self-test"):
        open_encoder(load_bundle(folder), 1, "cpu")
