"""The float step graph: the same convolutions as `models.training.graph`, not quantised.

Layout (leads, channels, 1, frames), which ONNX Runtime's float convolutions are fastest in; only
operators of the ONNX standard. Chunking changes a result by no more than the rounding of float
sums. This is what `edge models quantize` starts from and what int8 is measured against.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.training.architecture import ConvSpec
from models.training.graph_writer import GraphWriter

__all__ = ["FloatStepGraph"]

_TIME_AXIS = 3


class FloatStepGraph(GraphWriter):
    """Writes the network in floats."""

    def __init__(self) -> None:
        super().__init__()
        shape = self._constant("x.shape", np.array([0, 1, 1, -1], np.int64))
        self._node("Reshape", ["samples", shape], "x")

    def conv(self, spec: ConvSpec, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """A convolution over its carried past, then ReLU and the residual addition.

        weight: (c_out, c_in, 1, kernel). bias: (c_out,).
        """
        name, last = spec.name, "+" if spec.adds else ""
        inputs = [
            self._with_past(spec),
            self._constant(f"{name}.weight", np.asarray(weight, np.float32)),
            self._constant(f"{name}.bias", np.asarray(bias, np.float32)),
        ]
        linear = f"{name}.linear" if spec.relu else f"{name}{last}"
        self._node(
            "Conv",
            inputs,
            linear,
            kernel_shape=[1, spec.kernel],
            strides=[1, spec.stride],
            dilations=[1, spec.dilation],
            pads=[0, 0, 0, 0],
        )
        if spec.relu:
            self._node("Relu", [linear], f"{name}{last}")
        if spec.adds:
            self._node("Add", [f"{name}{last}", spec.adds], name)

    def _with_past(self, spec: ConvSpec) -> str:
        """The source behind its carried past, silence at first."""
        if not spec.past:
            return spec.source
        state = self._state(f"{spec.name}.past", (spec.c_in, 1, spec.past), "float32", 0.0)
        return self._carry(spec.name, spec.source, _TIME_AXIS, state)

    def frames(self, source: str, width: int, output: str) -> None:
        """A tensor as it is: (leads, frames, width)."""
        last = self._node("Transpose", [source], f"{output}.nhwc", perm=[0, 2, 3, 1])
        shape = self._constant(f"{output}.shape", np.array([0, -1, width], np.int64))
        self._node("Reshape", [last, shape], output)

    def pools(self, source: str, width: int, keep: float) -> None:
        """ "hop_pooled" and "embedding", as `models.training.graph.StepGraph.pools` says."""
        self._pool(source, [2, 3], width, keep)
