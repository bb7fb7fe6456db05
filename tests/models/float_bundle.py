"""A small float bundle with random weights, as an exporter would write it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import numpy as np

from models.bundle import Bundle, load_bundle
from models.golden import GoldenVector, record_golden
from models.manifest import (
    Conditioning,
    Golden,
    Input,
    Manifest,
    Output,
    RunningMeanAbs,
    Runtime,
    Training,
)
from models.onnx_encoder import OnnxEncoder
from models.package import write_bundle
from models.training.architecture import ConvSpec
from models.training.float_graph import FloatStepGraph
from models.training.graph_writer import OPSET

SPECS = (
    ConvSpec("stem", "x", 1, 16, kernel=16, stride=8),
    ConvSpec("b1a", "stem", 16, 16, kernel=5, dilation=2),
    ConvSpec("b1", "b1a", 16, 16, relu=False, adds="stem"),
    ConvSpec("b2a", "b1", 16, 16, kernel=3),
    ConvSpec("b2", "b2a", 16, 16, adds="b1"),
    ConvSpec("beat", "b2", 16, 5, relu=False),
    ConvSpec("feature", "b2", 16, 16, kernel=4, stride=4),
)
WIDTH = 16
RHYTHMS = ("normal", "af", "other", "noise")
HEADS = (
    Output(name="rhythm", kind="rhythm", labels=RHYTHMS, shape=(4,), frame_rate_hz=1.0),
    Output(name="frames", kind="features", shape=(16, 5), frame_rate_hz=16.0),
    Output(name="embedding", kind="embedding", shape=(2 * WIDTH,), frame_rate_hz=1.0),
)
INPUT = Input(
    rate_hz=128,
    hop_samples=128,
    leads_min=1,
    leads_max=3,
    conditioning=Conditioning(
        high_pass_hz=0.5, high_pass="of order 2", low_pass_hz=40, low_pass="of order 4"
    ),
)


def weights(spec: ConvSpec, rng: np.random.Generator) -> np.ndarray:
    shape = (spec.c_out, spec.c_in, 1, spec.kernel)
    size = 1.4 / np.sqrt(spec.c_in * spec.kernel)
    return rng.normal(0, size, shape).astype(np.float32)


def float_graph(seed: int = 0) -> FloatStepGraph:
    rng = np.random.default_rng(seed)
    graph = FloatStepGraph()
    for spec in SPECS:
        graph.conv(spec, weights(spec, rng), rng.normal(0, 0.1, spec.c_out).astype(np.float32))
    graph.frames("beat", 5, "frames")
    graph.pools("feature", WIDTH, 0.9)
    head = rng.normal(0, 0.1, (4, 2 * WIDTH)).astype(np.float32)
    graph.linear("embedding", "rhythm", head, np.zeros(4, np.float32))
    return graph


def float_model(seed: int = 0) -> tuple[bytes, FloatStepGraph]:
    graph = float_graph(seed)
    shapes: dict[str, tuple[int | str, ...]] = {
        "rhythm": ("leads", 4),
        "frames": ("leads", "frames", 5),
        "embedding": ("leads", 2 * WIDTH),
    }
    return graph.build(shapes), graph


def write_float_bundle(folder: Path, seed: int = 0) -> Bundle:
    """A verified bundle `float-test` in `folder`."""
    model, graph = float_model(seed)
    manifest = Manifest(
        schema=1,
        name="float-test",
        version="1.0.0",
        licence="CC0-1.0",
        description="Random weights, for tests.",
        input=INPUT,
        normalisation=RunningMeanAbs(tau_s=4, prior_uv=150, prior_s=0.5, floor_uv=20, clip=15),
        outputs=HEADS,
        states=tuple(graph.states),
        files=(),
        runtime=Runtime(
            name="onnxruntime",
            opset=OPSET,
            formats=("onnx",),
            input="samples",
            weights="weights",
            parameters=5000,
        ),
        golden=Golden(file="golden.json", tolerance=0.001),
        training=Training(
            data=("none",), split="none", command="none", seed=seed, wall_s=0, machine="none"
        ),
    )
    return write_with_golden(folder, manifest, model)


def write_with_golden(folder: Path, manifest: Manifest, model: bytes) -> Bundle:
    hops = np.round(np.random.default_rng(1).normal(0, 150, (4, 1, 128)), 1).tolist()
    with tempfile.TemporaryDirectory() as scratch:
        empty = msgspec.json.encode(GoldenVector([], {}))
        write_bundle(Path(scratch), manifest, {"model.onnx": model, "golden.json": empty})
        golden = record_golden(OnnxEncoder(load_bundle(scratch), 1), hops)
    files = {"model.onnx": model, "golden.json": msgspec.json.encode(golden)}
    write_bundle(folder, manifest, files)
    return load_bundle(folder)
