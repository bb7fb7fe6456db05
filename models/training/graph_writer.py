"""What every ONNX step graph is written with: nodes, constants, carried tensors, float heads."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.manifest import State

__all__ = ["OPSET", "GraphWriter"]

OPSET = 17
_MICROSOFT = "com.microsoft"
_ONNX_TYPE = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}


class GraphWriter:
    """Collects nodes, constants and states; `build` gives the model.

    The graph's inputs are "samples" (leads, 1, samples, 1), "weights" (leads, 1): the trust in
    each lead, and the states.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self.states: list[State] = []

    def linear(
        self, source: str, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> None:
        """A float head: weight (outputs, inputs)."""
        matrix = self._constant(f"{name}.weight", np.ascontiguousarray(weight.T))
        self._node("Gemm", [source, matrix, self._constant(f"{name}.bias", bias)], name)

    def build(self, outputs: dict[str, tuple[int | str, ...]]) -> bytes:
        """The serialised, checked model; `outputs` gives the shape of each head."""
        floats = TensorProto.FLOAT
        inputs = [
            helper.make_tensor_value_info("samples", floats, ["leads", 1, "samples", 1]),
            helper.make_tensor_value_info("weights", floats, ["leads", 1]),
        ]
        results = [helper.make_tensor_value_info(n, floats, s) for n, s in outputs.items()]
        for state in self.states:
            shape: list[str | int] = ["leads", *state.shape]
            kind = _ONNX_TYPE[state.dtype]
            inputs.append(helper.make_tensor_value_info(state.name_in, kind, shape))
            results.append(helper.make_tensor_value_info(state.name_out, kind, shape))
        constants = list(self._constants.values())
        graph = helper.make_graph(self._nodes, "step", inputs, results, constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="edge")
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _opsets(self) -> list[tuple[str, int]]:
        """Domains in use with their versions."""
        there = any(node.domain == _MICROSOFT for node in self._nodes)
        return [("", OPSET), *([(_MICROSOFT, 1)] if there else [])]

    def _pool(self, real: str, axes: list[int], width: int, keep: float) -> None:
        """Pools of a float tensor over its time axes, each (leads, 2 * width): means, then maxima.

        "hop_pooled": of the frames of this run. "embedding": its mean over the hops so far,
        weighted by trust, a hop of age n by keep**n.
        """
        mean = self._node("ReduceMean", [real], "hop_mean", axes=axes, keepdims=0)
        peak = self._node("ReduceMax", [real], "hop_max", axes=axes, keepdims=0)
        self._node("Concat", [mean, peak], "hop_pooled", axis=1)
        heard = self._node("Mul", ["hop_pooled", "weights"], "heard")
        total = self._faded("total", 2 * width, keep, heard)
        weight = self._faded("weight", 1, keep, "weights")
        trace = self._constant("embedding.trace", np.array(1e-6, np.float32))
        divisor = self._node("Add", [weight, trace], "divisor")
        self._node("Div", [total, divisor], "embedding")

    def _faded(self, name: str, width: int, keep: float, new: str) -> str:
        """A float state that fades by `keep` a hop and to which something new is added."""
        state = self._state(name, (width,), "float32", 0.0)
        factor = self._constant(f"{name}.keep", np.array(keep, np.float32))
        faded = self._node("Mul", [state.name_in, factor], f"{name}.faded")
        return self._node("Add", [faded, new], state.name_out)

    def _carry(self, name: str, source: str, axis: int, state: State) -> str:
        """`source` behind its carried past, joined along `axis`; its end is carried on."""
        both = self._node("Concat", [state.name_in, source], f"{name}.padded", axis=axis)
        past = state.shape[axis - 1]
        first = self._constant(f"{name}.first", np.array([-past], np.int64))
        last = self._constant("slice.end", np.array([2**62], np.int64))
        along = self._constant("slice.axis", np.array([axis], np.int64))
        self._node("Slice", [both, first, last, along], state.name_out)
        return both

    def _state(self, name: str, shape: tuple[int, ...], dtype: str, initial: float) -> State:
        state = State(
            name_in=name,
            name_out=f"{name}.next",
            shape=shape,
            dtype=dtype,  # type: ignore[arg-type]
            initial=initial,
        )
        self.states.append(state)
        return state

    def _node(
        self,
        operator: str,
        inputs: list[str],
        output: str,
        domain: str = "",
        **attributes: int | list[int],
    ) -> str:
        self._nodes.append(
            helper.make_node(operator, inputs, [output], None, None, domain, None, **attributes)
        )
        return output

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        self._constants[name] = numpy_helper.from_array(value, name)
        return name
