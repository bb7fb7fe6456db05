"""The trained beat stage as an ONNX step graph: one token and the carried state in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.beat_token import RR_WIDTH, WAIT_S
from models.manifest import BeatStage, Output, State
from models.training import splits
from models.training.beat_model import MAX_KEEP, MEAN_KEEP, PRESENCE, TOKEN_CLIP, BeatNet
from models.training.beat_train import finished_stage

__all__ = ["OPSET", "export_stage", "stage_graph"]

OPSET = 17
_IR_VERSION = 8

Floats = NDArray[np.float32]


def export_stage(run: Path) -> tuple[bytes, BeatStage, int]:
    """Of the run in this folder: the model file, what the manifest says of it, and the number of
    its parameters."""
    net, _ = finished_stage(run)
    return stage_graph(net), describe_stage(net), sum(p.numel() for p in net.parameters())


def describe_stage(net: BeatNet) -> BeatStage:
    """What the manifest says of the graph of this network."""
    hidden = net.gru.hidden_size
    return BeatStage(
        input="token",
        width=len(net.mean),
        states=(
            _state("hidden", hidden, 0.0),
            _state("total", hidden, 0.0),
            _state("count", 1, 0.0),
            _state("highest", hidden, -1.0),
        ),
        outputs=(
            _output("beats", splits.BEAT_CLASSES),
            _output("rhythm", splits.RHYTHMS),
        ),
        wait_ms=WAIT_S * 1000,
    )


def _state(name: str, width: int, initial: float) -> State:
    return State(
        name_in=name, name_out=f"{name}.next", shape=(width,), dtype="float32", initial=initial
    )


def _output(kind: str, labels: tuple[str, ...]) -> Output:
    return Output(
        name=kind,
        kind=kind,  # type: ignore[arg-type]
        labels=labels,
        shape=(len(labels),),
        frame_rate_hz=1.0,
    )


def stage_graph(net: BeatNet) -> bytes:
    """The serialised, checked model: only operators of the ONNX standard, float32."""
    stage, graph = describe_stage(net), _Graph()
    graph.node("Sub", ["token", graph.constant("token.mean", net.mean.numpy())], "token.centred")
    graph.node("Div", ["token.centred", graph.constant("token.scale", net.scale.numpy())], "x")
    low, high = (graph.constant(f"clip.{n}", n * TOKEN_CLIP) for n in (-1, 1))
    graph.node("Clip", ["x", low, high], "x.clipped")
    slices = {"timing": (0, RR_WIDTH), "shape": (RR_WIDTH, stage.width)}
    for (part, span), output in zip(slices.items(), ("told", "seen"), strict=True):
        graph.columns("x.clipped", *span, f"{part}.x")
        graph.linear(f"{part}.x", f"{part}.embedded", getattr(net, part))
        graph.node("Relu", [f"{part}.embedded"], output)
    _gru(graph, net)
    graph.node("Concat", ["hidden.next", "told"], "heard", axis=1)
    graph.linear("heard", "beats.timing", net.beats)
    graph.node("Concat", ["seen", "heard"], "both", axis=1)
    graph.linear("both", "both.embedded", net.both)
    graph.node("Relu", ["both.embedded"], "mixed")
    graph.linear("mixed", "correction", net.correction)
    graph.columns("token", PRESENCE, PRESENCE + 1, "present")
    graph.node("Mul", ["correction", "present"], "correction.present")
    graph.node("Add", ["beats.timing", "correction.present"], "beats")
    _running(graph)
    graph.node("Concat", ["hidden.next", "mean", "highest.next"], "context", axis=1)
    graph.linear("context", "rhythm", net.rhythm)
    return graph.build(stage)


def _gru(graph: _Graph, net: BeatNet) -> None:
    """One step of a GRU (Cho et al. 2014) as PyTorch computes it: "hidden" to "hidden.next"."""
    weights = dict(net.gru.named_parameters())
    for source, end in (("told", "ih_l0"), ("hidden", "hh_l0")):
        graph.affine(source, f"gates.{source}", weights[f"weight_{end}"], weights[f"bias_{end}"])
    told = graph.split("gates.told", ("told.r", "told.z", "told.n"))
    known = graph.split("gates.hidden", ("hidden.r", "hidden.z", "hidden.n"))
    for gate, one, other in zip("rz", told, known, strict=False):
        graph.node("Add", [one, other], f"{gate}.sum")
        graph.node("Sigmoid", [f"{gate}.sum"], gate)
    graph.node("Mul", ["r", "hidden.n"], "reset")
    graph.node("Add", ["told.n", "reset"], "n.sum")
    graph.node("Tanh", ["n.sum"], "n")
    graph.node("Sub", ["hidden", "n"], "difference")
    graph.node("Mul", ["z", "difference"], "kept")
    graph.node("Add", ["n", "kept"], "hidden.next")


def _running(graph: _Graph) -> None:
    """Running mean and fading maximum of the hidden state, as `beat_model` has them."""
    keep, one = graph.constant("mean.keep", MEAN_KEEP), graph.constant("one", 1.0)
    graph.node("Mul", ["total", keep], "total.faded")
    graph.node("Add", ["total.faded", "hidden.next"], "total.next")
    graph.node("Mul", ["count", keep], "count.faded")
    graph.node("Add", ["count.faded", one], "count.next")
    graph.node("Div", ["total.next", "count.next"], "mean")
    graph.node("Add", ["highest", one], "highest.above")
    graph.node(
        "Mul", ["highest.above", graph.constant("max.keep", MAX_KEEP)], "highest.above.faded"
    )
    graph.node("Sub", ["highest.above.faded", one], "highest.faded")
    graph.node("Max", ["highest.faded", "hidden.next"], "highest.next")


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def node(self, operator: str, inputs: list[str], output: str, axis: int | None = None) -> None:
        self._nodes.append(helper.make_node(operator, inputs, [output], axis=axis))

    def split(self, source: str, outputs: tuple[str, ...]) -> tuple[str, ...]:
        self._nodes.append(helper.make_node("Split", [source], outputs, axis=1))
        return outputs

    def constant(self, name: str, value: Floats | float) -> str:
        self._constants[name] = numpy_helper.from_array(np.asarray(value, np.float32), name)
        return name

    def columns(self, source: str, first: int, last: int, output: str) -> None:
        bounds = {f"{output}.first": first, f"{output}.last": last, "slice.axis": 1}
        for name, value in bounds.items():
            self._constants[name] = numpy_helper.from_array(np.array([value], np.int64), name)
        self.node("Slice", [source, *bounds], output)

    def linear(self, source: str, output: str, layer: nn.Linear) -> None:
        self.affine(source, output, layer.weight, layer.bias)

    def affine(self, source: str, output: str, weight: Tensor, bias: Tensor) -> None:
        matrix = self.constant(f"{output}.weight", weight.detach().numpy().T.copy())
        vector = self.constant(f"{output}.bias", bias.detach().numpy())
        self.node("Gemm", [source, matrix, vector], output)

    def build(self, stage: BeatStage) -> bytes:
        inputs = {stage.input: stage.width} | {s.name_in: s.shape[0] for s in stage.states}
        outputs = {o.name: o.shape[0] for o in stage.outputs}
        outputs |= {s.name_out: s.shape[0] for s in stage.states}
        graph = helper.make_graph(
            self._nodes, "beat", _tensors(inputs), _tensors(outputs), [*self._constants.values()]
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="edge"
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def _tensors(widths: dict[str, int]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
        for name, width in widths.items()
    ]
