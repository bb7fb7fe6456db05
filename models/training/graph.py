"""The int8 step graph for ONNX Runtime, written node by node with the ONNX helpers.

Layout (leads, 1, frames, channels). Each convolution concatenates its carried past, uint8,
with the new frames and hands on the end of that; nothing is dequantised on the way, so any
number of hops in one run gives the same integers as one hop at a time. A convolution whose
past is as long as a hop could carry its input itself and save the Slice, for one run of
exactly one hop: a microsecond, not worth a graph that is wrong for every other length.
Operators beyond the ONNX standard (NHWC QLinearConv, QLinearAdd) are ONNX Runtime's own,
domain com.microsoft. `models.training.litert_graph` writes the same network for LiteRT.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.architecture import ConvSpec
from models.training.graph_writer import OPSET, GraphWriter

__all__ = ["OPSET", "QuantisedConv", "Range", "StepGraph"]

_MICROSOFT = "com.microsoft"
_TIME_AXIS = 2


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


class StepGraph(GraphWriter):
    """Writes the network in integers."""

    def __init__(self, ranges: dict[str, Range]) -> None:
        super().__init__()
        self._ranges = ranges
        self._node("QuantizeLinear", ["samples", *self._quantum("x")], "x")

    def conv(self, conv: QuantisedConv) -> None:
        """A convolution over its carried past, then the residual addition where it has one.

        A ReLU needs no node: the output's range starts at 0, and quantising clamps to it.
        """
        spec, name = conv.spec, conv.spec.name
        before = f"{name}+" if spec.adds else name
        inputs = [
            self._with_past(spec),
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

    def _with_past(self, spec: ConvSpec) -> str:
        """The source behind its carried past, silence at first."""
        if not spec.past:
            return spec.source
        silence = self._ranges[spec.source].zero_point
        state = self._state(f"{spec.name}.past", (1, spec.past, spec.c_in), "uint8", silence)
        return self._carry(spec.name, spec.source, _TIME_AXIS, state)

    def frames(self, source: str, width: int, output: str) -> None:
        """A tensor as it is, in floats: (leads, frames, width)."""
        real = self._node("DequantizeLinear", [source, *self._quantum(source)], f"{output}.nhwc")
        shape = self._constant(f"{output}.shape", np.array([0, -1, width], np.int64))
        self._node("Reshape", [real, shape], output)

    def pools(self, source: str, width: int, keep: float) -> None:
        """Pools over time, each (leads, 2 * width): means, then maxima.

        "hop_pooled": of the frames of this run. "embedding": its mean over the hops so far,
        weighted by trust, a hop of age n by keep**n.
        """
        real = self._node("DequantizeLinear", [source, *self._quantum(source)], f"{source}.real")
        self._pool(real, [1, 2], width, keep)

    def _quantum(self, tensor: str) -> tuple[str, str]:
        """The names of the tensor's scale and zero point."""
        quantum = self._ranges[tensor]
        scale = self._constant(f"{tensor}.scale", np.array(quantum.scale, np.float32))
        return scale, self._constant(f"{tensor}.zero", np.array(quantum.zero_point, np.uint8))
