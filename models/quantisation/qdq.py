"""A float graph and ranges to a graph in integers: ONNX Runtime's QDQ quantiser and, after it,
carried tensors that are integers themselves.

Activations are uint8, one scale a tensor; weights int8, one scale an output channel. Weights use
7 of their 8 bits: processors without an int8 dot product (AVX2) add pairs of products in 16 bits,
which full-range weights would saturate, so that results would differ between machines
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.manifest import State
from models.quantisation.plan import Plan
from models.quantisation.ranges import Range

__all__ = ["integer_states", "quantised_graph"]


def quantised_graph(model: Any, plan: Plan, ranges: Mapping[str, Range]) -> Any:
    """The `onnx.ModelProto` with the plan's nodes between QuantizeLinear and DequantizeLinear.

    ranges: of every tensor of the plan.
    """
    from onnxruntime.quantization import (
        CalibrationMethod,
        QDQQuantizer,
        QuantType,
        TensorData,
        TensorsData,
    )

    data = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
    }
    quantiser = QDQQuantizer(
        _with_types(model, plan.tensors),
        True,  # per channel
        True,  # reduce range: weights of 7 bits
        QuantType.QInt8,  # weights
        QuantType.QUInt8,  # activations
        TensorsData(CalibrationMethod.Percentile, data),
        list(plan.nodes),
        [],
        sorted({node.op_type for node in model.graph.node}),
        {"MinimumRealRange": 1e-6},
    )
    quantiser.quantize_model()
    quantiser.model.topological_sort()
    return quantiser.model.model


def _with_types(model: Any, tensors: Sequence[str]) -> Any:
    """A copy that says of each of these tensors that it is float, as shape inference would."""
    typed = onnx.shape_inference.infer_shapes(model)
    graph = typed.graph
    known = {value.name for value in (*graph.value_info, *graph.input, *graph.output)}
    for name in tensors:
        if name not in known:
            graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return typed


def integer_states(
    model: Any, states: Sequence[State], carried: Sequence[str]
) -> tuple[State, ...]:
    """Turn carried states of a QDQ graph into uint8, in place; returns all states as they are now.

    A state is turned where it enters through QuantizeLinear and leaves through DequantizeLinear
    with one scale: then a hop hands the next one the very integers that it computed, and any
    number of hops in one run gives the same ones.
    """
    return tuple(
        _integer(model.graph, state) if state.name_in in carried else state for state in states
    )


def _integer(graph: Any, state: State) -> State:
    takers = [node for node in graph.node if state.name_in in node.input]
    leaving = next(node for node in graph.node if state.name_out in node.output)
    entering = takers[0]
    if len(takers) != 1 or (entering.op_type, leaving.op_type) != (
        "QuantizeLinear",
        "DequantizeLinear",
    ):
        return state
    scale, zero = (_constant(graph, name) for name in entering.input[1:3])
    if (_constant(graph, leaving.input[1]), _constant(graph, leaving.input[2])) != (scale, zero):
        return state
    _rename(graph, entering.output[0], state.name_in)
    _rename(graph, leaving.input[0], state.name_out)
    for node in (entering, leaving):
        graph.node.remove(node)
    for value in (*graph.input, *graph.output):
        if value.name in (state.name_in, state.name_out):
            value.type.tensor_type.elem_type = TensorProto.UINT8
    return msgspec.structs.replace(
        state, dtype="uint8", initial=float(np.clip(round(state.initial / scale) + zero, 0, 255))
    )


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                if name == old:
                    names[k] = new


def _constant(graph: Any, name: str) -> float:
    tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
    value: NDArray[Any] = numpy_helper.to_array(tensor)
    return float(value)
