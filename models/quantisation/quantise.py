"""Static quantisation of a bundle's model: plan, calibrate, quantise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import ModelError
from models.manifest import State
from models.onnx_scan import scan_onnx
from models.quantisation.hops import Stretch, check_stretches
from models.quantisation.plan import Plan, plan
from models.quantisation.qdq import integer_states, quantised_graph
from models.quantisation.ranges import quantile_ranges, shared
from models.quantisation.watch import watched

__all__ = ["Quantised", "quantise"]

_OPSET_MIN = 13  # of QuantizeLinear with a scale a channel
_INTEGER = ("QuantizeLinear", "QLinear", "MatMulNBits", "DynamicQuantize", "ConvInteger")


@dataclass(frozen=True, slots=True)
class Quantised:
    """A model in integers.

    states: carried tensors as they are now. nodes: of the float graph, quantised or fused into
    a quantised one, of `nodes_before` in all.
    """

    model: bytes
    states: tuple[State, ...]
    nodes: int
    nodes_before: int


def quantise(bundle: Bundle, stretches: Sequence[Stretch]) -> Quantised:
    """The bundle's float model in int8, calibrated on these hops.

    ModelError: the model is no float ONNX model, has nothing worth quantising, or the hops do
    not fit it (`models.quantisation.hops.check_stretches`).
    """
    _check_format(bundle)
    check_stretches(bundle.manifest, stretches)
    model = onnx.load_model_from_string(bundle.model)
    _check_opset(model, bundle)
    for number, node in enumerate(model.graph.node):
        node.name = f"{number}:{node.op_type}"  # names may be missing or the same
    planned = plan(model.graph, bundle.manifest.states)
    if not planned.nodes:
        raise ModelError(
            f"{bundle.path}: the model has no convolution or large matrix product with weights"
            " to quantise; use it as it is"
        )
    ranges = _ranges(bundle, model, planned, stretches)
    nodes_before = len(model.graph.node)
    try:
        quantised = quantised_graph(model, planned, ranges)
    except Exception as error:  # ONNX Runtime's quantiser raises whatever comes up
        raise ModelError(f"{bundle.path}: ONNX Runtime cannot quantise it: {error}") from error
    states = integer_states(quantised, bundle.manifest.states, planned.carried)
    return Quantised(quantised.SerializeToString(), states, len(planned.nodes), nodes_before)


def _check_format(bundle: Bundle) -> None:
    runtime = bundle.manifest.runtime
    if runtime.name != "onnxruntime" or "onnx" not in runtime.formats:
        raise ModelError(
            f"{bundle.path}: only ONNX models for ONNX Runtime can be quantised, this one is"
            f" {', '.join(runtime.formats)} for {runtime.name}"
        )
    for operator in scan_onnx(bundle.model, str(bundle.path)).operators:
        if operator.removeprefix("com.microsoft::").startswith(_INTEGER):
            raise ModelError(f"{bundle.path}: the model is quantised already: it has {operator}")


def _check_opset(model: Any, bundle: Bundle) -> None:
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if version < _OPSET_MIN:
        raise ModelError(
            f"{bundle.path}: the model has ONNX opset {version}, quantisation needs"
            f" {_OPSET_MIN} or later; export it again"
        )


def _ranges(
    bundle: Bundle, model: Any, planned: Plan, stretches: Sequence[Stretch]
) -> Mapping[str, tuple[float, float]]:
    opened = _opened(model, planned.tensors).SerializeToString()

    def run() -> Iterator[dict[str, NDArray[np.float32]]]:
        for tensors in watched(bundle, opened, planned.tensors, stretches):
            yield {name: tensors[name] for name in planned.tensors}

    return shared(quantile_ranges(run), planned.groups)


def _opened(model: Any, tensors: Sequence[str]) -> Any:
    """A copy with these tensors among its outputs."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    there = {value.name for value in (*opened.graph.input, *opened.graph.output)}
    opened.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in tensors if name not in there
    )
    return opened
