"""The int8 step graph, written node by node with the ONNX helpers.

Layout (leads, 1, frames, channels). Each convolution concatenates its carried past, uint8,
with the new frames and hands on the end of that; nothing is dequantised on the way, so any
number of hops in one run gives the same integers as one hop at a time. Operators beyond the
ONNX standard (NHWC QLinearConv, QLinearAdd) are ONNX Runtime's own, domain com.microsoft.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.manifest import State
from models.training.architecture import ConvSpec

__all__ = ["OPSET", "QuantisedConv", "Range", "StepGraph"]

OPSET = 17
_MICROSOFT = "com.microsoft"
_ONNX_TYPE = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}


@dataclass(frozen=True)
class Range:
    """A uint8 tensor stands for (value - zero_point) * scale."""

    scale: float
    zero_point: int

    @classmethod
    def of(cls, low: float, high: float) -> Range:
        """The range that covers [low, high] and has an exact 0."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-6) / 255
        return cls(float(np.float32(scale)), int(np.clip(round(-low / scale), 0, 255)))


@dataclass(frozen=True)
class QuantisedConv:
    """weight: int8 (c_out, c_in, 1, kernel); weight_scale: (c_out,); bias: int32 (c_out,)."""

    spec: ConvSpec
    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]


class StepGraph:
    """Collects nodes, constants and states; `build` gives the model."""

    def __init__(self, ranges: dict[str, Range]) -> None:
        self._ranges = ranges
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self.states: list[State] = []
        self._node("QuantizeLinear", ["samples", *self._quantum("x")], "x")

    def conv(self, conv: QuantisedConv) -> None:
        """A convolution over its carried past, then the residual addition where it has one."""
        spec = conv.spec
        before = f"{spec.name}+" if spec.adds else spec.name
        padded = self._with_past(spec.name, spec.source, spec.past, spec.c_in)
        name = spec.name
        inputs = [
            padded,
            *self._quantum(spec.source),
            self._constant(f"{name}.weight", conv.weight),
            self._constant(f"{name}.weight_scale", conv.weight_scale),
            self._constant(f"{name}.weight_zero", np.zeros(len(conv.weight), np.int8)),
            *self._quantum(before),
            self._constant(f"{name}.bias", conv.bias),
        ]
        self._node(
            "QLinearConv",
            inputs,
            before,
            _MICROSOFT,
            channels_last=1,
            kernel_shape=[1, spec.kernel],
            strides=[1, spec.stride],
            dilations=[1, spec.dilation],
            pads=[0, 0, 0, 0],
        )
        if spec.adds:
            addends = [before, *self._quantum(before), spec.adds, *self._quantum(spec.adds)]
            self._node("QLinearAdd", [*addends, *self._quantum(name)], name, _MICROSOFT)

    def _with_past(self, name: str, source: str, past: int, channels: int) -> str:
        """The source behind its carried past; the last `past` frames are carried on."""
        if not past:
            return source
        state = self._state(
            f"{name}.past", (1, past, channels), "uint8", self._ranges[source].zero_point
        )
        both = self._node("Concat", [state.name_in, source], f"{name}.padded", axis=2)
        first = self._constant(f"{name}.first", np.array([-past], np.int64))
        last = self._constant("slice.end", np.array([2**62], np.int64))
        axis = self._constant("slice.axis", np.array([2], np.int64))
        self._node("Slice", [both, first, last, axis], state.name_out)
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

    def beats(self, source: str, classes: int) -> None:
        """Logits of each frame, (leads, frames, classes)."""
        logits = self._node("DequantizeLinear", [source, *self._quantum(source)], "beat_logits")
        shape = self._constant("beats.shape", np.array([0, -1, classes], np.int64))
        self._node("Reshape", [logits, shape], "beats")

    def pools(self, source: str, width: int, mean_keep: float, max_keep: float) -> None:
        """Mean and maximum within the hop, and both over the hops so far, as `model.pool`."""
        real = self._node("DequantizeLinear", [source, *self._quantum(source)], "features")
        mean = self._node("ReduceMean", [real], "hop_mean", axes=[1, 2], keepdims=0)
        peak = self._node("ReduceMax", [real], "hop_max", axes=[1, 2], keepdims=0)
        self._node("Concat", [mean, peak], "hop_pooled", axis=1)
        heard = self._node("Mul", [mean, "weights"], "heard_mean")
        total = self._faded("total", width, mean_keep, heard, "Add")
        weight = self._faded("weight", 1, mean_keep, "weights", "Add")
        trace = self._constant("embedding.trace", np.array(1e-6, np.float32))
        divisor = self._node("Add", [weight, trace], "divisor")
        self._node("Div", [total, divisor], "embedding")
        present = self._node("Ceil", ["weights"], "present")  # a doubtful lead's peaks count whole
        heard = self._node("Mul", [peak, present], "heard_max")
        highest = self._faded("highest", width, max_keep, heard, "Max")
        self._node("Concat", ["embedding", highest], "running_pooled", axis=1)

    def _faded(self, name: str, width: int, keep: float, new: str, operator: str) -> str:
        """A float state that fades by `keep` a hop and then takes in something new."""
        state = self._state(name, (width,), "float32", 0.0)
        factor = self._constant(f"{name}.keep", np.array(keep, np.float32))
        faded = self._node("Mul", [state.name_in, factor], f"{name}.faded")
        return self._node(operator, [faded, new], state.name_out)

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
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="edge")
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

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

    def _quantum(self, tensor: str) -> tuple[str, str]:
        """The names of the tensor's scale and zero point."""
        quantum = self._ranges[tensor]
        scale = self._constant(f"{tensor}.scale", np.array(quantum.scale, np.float32))
        return scale, self._constant(f"{tensor}.zero", np.array(quantum.zero_point, np.uint8))
