"""One trained network as three step graphs: int8 for each runtime, and float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from models.manifest import State
from models.training.architecture import HOP_SAMPLES, KEEP, QRS_PER_FRAME, Shape
from models.training.batches import Sampler
from models.training.float_graph import FloatStepGraph
from models.training.graph import StepGraph
from models.training.litert_graph import LiteRTGraph
from models.training.model import Encoder
from models.training.quantise import calibrate, quantise

__all__ = ["StepModel", "float_model", "int8_model"]


@dataclass(frozen=True)
class StepModel:
    """Model files by name, and the carried tensors as ONNX Runtime sees them."""

    files: dict[str, bytes]
    states: tuple[State, ...]


class _Writer(Protocol):
    def frames(self, source: str, width: int, output: str) -> None: ...

    def pools(self, source: str, width: int, keep: float) -> None: ...

    def linear(
        self, source: str, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> None: ...


def int8_model(model: Encoder, sampler: Sampler) -> StepModel:
    """The network in integers, calibrated on crops of the sampler, for both runtimes."""
    ranges = calibrate(model, sampler)
    convs = quantise(model, ranges)
    onnx_graph, litert_graph = StepGraph(ranges), LiteRTGraph(ranges, HOP_SAMPLES)
    for conv in convs:
        onnx_graph.conv(conv)
        litert_graph.conv(conv)
    for graph in (onnx_graph, litert_graph):
        _heads(model, graph)
    shapes = _shapes(model.shape)
    files = {"model.onnx": onnx_graph.build(shapes), "model.tflite": litert_graph.build([*shapes])}
    return StepModel(files, tuple(onnx_graph.states))


def float_model(model: Encoder) -> StepModel:
    """The network as it was trained."""
    graph = FloatStepGraph()
    for spec, (weight, bias) in zip(model.shape.specs, model.folded().values(), strict=True):
        graph.conv(spec, weight[:, :, None].numpy(), bias.numpy())
    _heads(model, graph)
    return StepModel({"model.onnx": graph.build(_shapes(model.shape))}, tuple(graph.states))


def _heads(model: Encoder, graph: _Writer) -> None:
    graph.frames("peak", QRS_PER_FRAME, "qrs")
    graph.pools("feature", model.shape.features, KEEP)
    graph.linear("embedding", "rhythm", *_weights(model.rhythm))
    graph.linear("hop_pooled", "ventricular", *_weights(model.ventricular))
    graph.linear("hop_pooled", "quality", *_weights(model.quality))


def _weights(linear: nn.Linear) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return linear.weight.detach().numpy(), linear.bias.detach().numpy()


def _shapes(shape: Shape) -> dict[str, tuple[int | str, ...]]:
    return {
        "qrs": ("leads", "frames", QRS_PER_FRAME),
        "rhythm": ("leads", 4),
        "ventricular": ("leads", 3),
        "quality": ("leads", 3),
        "embedding": ("leads", shape.embedding),
    }
