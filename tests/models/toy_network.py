"""A small made-up network in integers, written for both runtimes, and a bundle of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from models.bundle import Bundle, load_bundle
from models.golden import GoldenVector, record_golden
from models.manifest import Golden, Manifest, Output, State
from models.onnx_encoder import OnnxEncoder
from models.package import write_bundle
from models.training.architecture import ConvSpec
from models.training.graph import QuantisedConv, Range, StepGraph
from tests.models.rebundle import NAME, hops

SPECS = (
    ConvSpec("stem", "x", 1, 16, kernel=8, stride=4),
    ConvSpec("wide", "stem", 16, 16, kernel=5, dilation=3),
    ConvSpec("block", "wide", 16, 16, relu=False, adds="stem"),
    ConvSpec("down", "block", 16, 16, kernel=2, stride=2),
    ConvSpec("last", "down", 16, 8, kernel=3, relu=False),
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
HEADS: dict[str, tuple[int | str, ...]] = {
    "qrs": ("leads", "frames", 8),
    "features": ("leads", "frames", 16),
    "rhythm": ("leads", 4),
    "ventricular": ("leads", 3),
    "quality": ("leads", 3),
    "embedding": ("leads", 32),
}
OUTPUTS = (
    Output(name="qrs", kind="qrs", shape=(128,), frame_rate_hz=128.0, delay_ms=250.0),
    Output(name="features", kind="features", shape=(16, 16), frame_rate_hz=16.0),
    Output(
        name="rhythm",
        kind="rhythm",
        labels=("normal", "af", "other", "noise"),
        shape=(4,),
        frame_rate_hz=1.0,
    ),
    Output(
        name="ventricular",
        kind="ventricular",
        labels=("vt", "vf"),
        rest="none",
        shape=(2,),
        frame_rate_hz=1.0,
    ),
    Output(
        name="quality",
        kind="quality",
        labels=("good", "fair", "bad"),
        shape=(3,),
        frame_rate_hz=1.0,
    ),
    Output(name="embedding", kind="embedding", shape=(32,), frame_rate_hz=1.0),
)


def convolutions(seed: int = 1) -> list[QuantisedConv]:
    rng = np.random.default_rng(seed)
    convs = []
    for spec in SPECS:
        weight = rng.integers(-63, 64, (spec.c_out, spec.c_in, 1, spec.kernel)).astype(np.int8)
        scale = np.full(spec.c_out, 1.2 / 63 / np.sqrt(spec.c_in * spec.kernel), np.float32)
        scale *= rng.uniform(0.7, 1.3, spec.c_out).astype(np.float32)
        bias = rng.integers(-40, 40, spec.c_out).astype(np.int32)
        convs.append(QuantisedConv(spec, weight, scale, bias))
    return convs


def write(graph: object, seed: int = 1) -> None:
    """The same calls to either builder."""
    rng = np.random.default_rng(seed + 1)
    for conv in convolutions(seed):
        graph.conv(conv)  # type: ignore[attr-defined]
    graph.frames("last", 8, "qrs")  # type: ignore[attr-defined]
    graph.frames("down", 16, "features")  # type: ignore[attr-defined]
    graph.pools("down", 16, 0.9)  # type: ignore[attr-defined]
    for name, source, rows in (
        ("rhythm", "embedding", 4),
        ("ventricular", "hop_pooled", 3),
        ("quality", "hop_pooled", 3),
    ):
        weight = rng.normal(0, 0.3, (rows, 32)).astype(np.float32)
        bias = rng.normal(0, 0.3, rows).astype(np.float32)
        graph.linear(source, name, weight, bias)  # type: ignore[attr-defined]


def onnx_model() -> tuple[bytes, tuple[State, ...]]:
    graph = StepGraph(RANGES)
    write(graph)
    return graph.build(HEADS), tuple(graph.states)


def litert_model() -> bytes:
    from models.training.litert_graph import LiteRTGraph

    graph = LiteRTGraph(RANGES, 128)
    write(graph)
    return graph.build(list(HEADS))


def toy_bundle(folder: Path, litert: bytes | None = None, tolerance: float = 0.05) -> Bundle:
    """A bundle whose answers are ONNX Runtime's."""
    model, states = onnx_model()
    manifest: Manifest = msgspec.structs.replace(
        load_bundle(NAME).manifest,
        name="toy",
        outputs=OUTPUTS,
        states=states,
        files=(),
        beat_stage=None,
        golden=Golden(file="golden.json", tolerance=tolerance),
    )
    files = {"model.onnx": model, "golden.json": msgspec.json.encode(GoldenVector([], {}))}
    if litert is not None:
        files["model.tflite"] = litert
    write_bundle(folder, manifest, files)
    answers = record_golden(OnnxEncoder(load_bundle(folder), 1), hops(4).tolist())
    write_bundle(folder, manifest, files | {"golden.json": msgspec.json.encode(answers)})
    return load_bundle(folder)
