"""HeartGPT as a bundle gives what its authors' network gives, hop by hop and on any lead."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.encoder import Encoder
from models.errors import ModelError
from models.importing import IMPORTERS, import_checkpoint
from models.importing.blocks import quantise_blocks
from models.importing.checkpoint import open_checkpoint
from models.importing.heartgpt import read_weights
from models.importing.heartgpt_graph import encoder_graph, every_token_graph
from models.onnx_session import open_session
from models.registry import open_encoder
from tests.models.heartgpt_reference import (
    af_probability,
    embeddings,
    random_weights,
    tokens_of,
    with_masks,
)
from tests.models.torch_file import checkpoint_bytes

onnx = pytest.importorskip("onnx")

HOP, WINDOW = 100, 500
PUBLISHED = Path(__file__).resolve().parents[3] / "shared/weights/heartgpt"


@pytest.fixture(scope="module")
def published() -> Path:
    """The folder of the published checkpoints and examples."""
    if not (PUBLISHED / "ECGPT_AF_1k_iters.zip").is_file():
        pytest.skip(f"no published checkpoints of HeartGPT in {PUBLISHED}")
    return PUBLISHED


@pytest.fixture(scope="module")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the right shapes and random weights, with the AF head."""
    path = tmp_path_factory.mktemp("checkpoint") / "net.pth"
    path.write_bytes(checkpoint_bytes(with_masks(random_weights(af_head=True))))
    return path


@pytest.fixture(scope="module")
def random_bundle(random_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "random"
    report = import_checkpoint("heartgpt", random_file, folder)
    assert (report.folder, report.tensors, report.dropped) == (folder, 278, 2)
    assert report.deviation == 0
    assert report.manifest.name == "heartgpt-af"
    assert report.sha256 == load_bundle(folder).sha256
    assert "did not publish" in report.manifest.description
    assert report.manifest.training.data == ("not known",)
    return folder


def _noise(hops: int, leads: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 500, (leads, hops * HOP)).astype(np.float32)


def _pushed(encoder: Encoder, samples: NDArray[np.float32]) -> list[dict[str, NDArray[np.float32]]]:
    count = samples.shape[1] // HOP
    hops = np.split(samples, count, axis=1)
    return [{n: v.copy() for n, v in encoder.step(np.ascontiguousarray(h)).items()} for h in hops]


def test_the_bundle_is_the_authors_network_on_the_last_five_seconds(random_bundle: Path) -> None:
    samples, weights = _noise(7, 1), random_weights(af_head=True)
    said = _pushed(open_encoder(load_bundle(random_bundle), 1), samples)
    for hop in (4, 6):
        window = samples[0, (hop + 1) * HOP - WINDOW : (hop + 1) * HOP]
        expected = embeddings(weights, tokens_of(window))[-1]
        assert np.abs(said[hop]["embedding"] - expected).max() <= 1e-4
        assert said[hop]["rhythm"][0] == pytest.approx(af_probability(weights, expected), abs=1e-5)


def test_nothing_is_known_before_a_whole_window_and_after_a_reset(random_bundle: Path) -> None:
    encoder = open_encoder(load_bundle(random_bundle), 1)
    samples = _noise(6, 1)
    first = _pushed(encoder, samples)
    encoder.reset()
    again = _pushed(encoder, samples)
    for a, b in zip(first, again, strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not any(value.any() for hop in first[:4] for value in hop.values())
    assert all(hop["embedding"].any() for hop in first[4:])


def test_leads_are_averaged_by_their_weights(random_bundle: Path) -> None:
    bundle, samples = load_bundle(random_bundle), _noise(5, 2)
    alone = [_pushed(open_encoder(bundle, 1), samples[lead : lead + 1])[-1] for lead in range(2)]
    both = _pushed(open_encoder(bundle, 2), samples)[-1]
    mean = (alone[0]["embedding"] + alone[1]["embedding"]) / 2
    assert np.allclose(both["embedding"], mean, atol=1e-4)
    encoder = open_encoder(bundle, 2)
    _pushed(encoder, samples[:, : 4 * HOP])
    second = encoder.step(np.ascontiguousarray(samples[:, 4 * HOP :]), [0.0, 1.0])
    assert np.allclose(second["embedding"], alone[1]["embedding"], atol=1e-4)


@pytest.mark.parametrize("chunks", [1, 5, 20])
def test_chunks_and_the_last_token_alone_change_nothing(chunks: int) -> None:
    weights = random_weights(af_head=False)
    tokens = np.random.default_rng(2).integers(0, 101, (2, WINDOW))
    model = every_token_graph(weights, chunks=chunks)
    session = open_session(model, "graph", ("CPUExecutionProvider",))
    every = session.run(["embedding"], {"tokens": tokens})[0].reshape(2, WINDOW, 64)
    assert np.abs(every[1] - embeddings(weights, tokens[1])).max() <= 1e-4


def test_int8_is_smaller_and_near(random_file: Path, random_bundle: Path, tmp_path: Path) -> None:
    report = import_checkpoint("heartgpt", random_file, tmp_path / "int8", int8=True)
    assert report.manifest.name == "heartgpt-af-int8"
    plain, small = load_bundle(random_bundle), load_bundle(tmp_path / "int8")
    assert len(small.model) < 0.45 * len(plain.model)
    a, b = (
        _pushed(open_encoder(bundle, 1), _noise(5, 1))[-1]["embedding"] for bundle in (plain, small)
    )
    assert not np.array_equal(a, b)
    assert np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) > 0.98


def test_int8_runs_the_same_operators_as_fp32(tmp_path: Path) -> None:
    weights = random_weights(af_head=True)
    plain, small = (
        _operators_at_work(encoder_graph(weights, int8), tmp_path / f"{int8}.onnx")
        for int8 in (False, True)
    )
    assert plain == small
    assert plain["MultiHeadAttention"] == 7 * 5 + 1


def _operators_at_work(model: bytes, path: Path) -> Counter[str]:
    """What ONNX Runtime makes of a model when it loads it."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(path)).graph.node)


@given(arrays(np.float32, (3, 32), elements=st.floats(-8, 8, width=32, allow_subnormal=False)))
def test_no_weight_moves_by_more_than_its_step(weight: NDArray[np.float32]) -> None:
    blocks = quantise_blocks(weight)
    near = (blocks.numbers.astype(float) - blocks.zeros) * blocks.scales
    assert (np.abs(near.reshape(3, 32) - weight) <= np.repeat(blocks.scales[..., 0], 16, 1)).all()
    assert not near.reshape(3, 32)[weight == 0].any()


def test_a_changed_checkpoint_is_refused(tmp_path: Path) -> None:
    weights = random_weights(af_head=False)
    missing = {n: t for n, t in weights.items() if n != "blocks.3.ln1.bias"}
    surplus = {**weights, "blocks.8.ln1.bias": weights["ln_f.bias"]}
    other = {**weights, "ln_f.bias": np.zeros(65, np.float32)}
    ppg = {**weights, "token_embedding_table.weight": np.zeros((102, 64), np.float32)}
    for tensors, complaint in [
        (missing, r"has no tensor 'blocks\.3\.ln1\.bias'"),
        (surplus, r"unknown tensor 'blocks\.8\.ln1\.bias'"),
        (other, r"'ln_f\.bias' has shape \[65\], expected \[64\]"),
        (ppg, "PPG-PT"),
    ]:
        path = tmp_path / "net.pth"
        path.write_bytes(checkpoint_bytes(tensors))
        with pytest.raises(ModelError, match=complaint):
            import_checkpoint("heartgpt", path, tmp_path / "bundle")
        assert not (tmp_path / "bundle").exists()


def test_unknown_names_and_options_are_refused(random_file: Path, tmp_path: Path) -> None:
    assert set(IMPORTERS) == {"heartgpt"}
    with pytest.raises(
        ModelError, match="no encoder 'ecgfounder' can be imported; known: heartgpt"
    ):
        import_checkpoint("ecgfounder", random_file, tmp_path / "bundle")
    with pytest.raises(ModelError, match="no option 'int4'; known: int8"):
        import_checkpoint("heartgpt", random_file, tmp_path / "bundle", int4=True)
    (tmp_path / "file").write_text("here already")
    with pytest.raises(ModelError, match="cannot be written"):
        import_checkpoint("heartgpt", random_file, tmp_path / "file")


def test_a_missing_onnx_package_is_named(
    random_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match="needs the package onnx"):
        import_checkpoint("heartgpt", random_file, tmp_path / "bundle")


def test_the_published_af_head_tells_its_examples_apart(published: Path, tmp_path: Path) -> None:
    checkpoint = published / "ECGPT_AF_1k_iters.zip"
    report = import_checkpoint("heartgpt", checkpoint, tmp_path / "bundle")
    assert "ECGPT_AF_1k_iters" in report.manifest.description
    assert report.manifest.licence.startswith("MIT")
    encoder = open_encoder(load_bundle(tmp_path / "bundle"), 1)
    probability = {}
    for name in ("ECG", "ECG_AFib1", "ECG_AFib2"):
        samples = np.loadtxt(published / f"example_context_{name}.csv", dtype=np.float32)
        encoder.reset()
        probability[name] = float(_pushed(encoder, samples[None])[-1]["rhythm"][0])
    assert probability["ECG"] <= 0.05
    assert min(probability["ECG_AFib1"], probability["ECG_AFib2"]) >= 0.98


def test_the_published_weights_give_the_authors_embeddings(published: Path) -> None:
    weights = read_weights(open_checkpoint(published / "ECGPT_560k_iters.zip"))
    assert sum(tensor.size for tensor in weights.values()) == 443_493
    tokens = tokens_of(np.loadtxt(published / "example_context_ECG.csv"))
    session = open_session(every_token_graph(weights), "graph", ("CPUExecutionProvider",))
    every = session.run(["embedding"], {"tokens": tokens[None]})[0]
    assert np.abs(every - embeddings(weights, tokens)).max() <= 1e-4
