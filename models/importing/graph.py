"""Write an ONNX graph node by node. Needs the package `onnx` (extra `training`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.importing.blocks import quantise_blocks

__all__ = ["MICROSOFT", "OPSET", "Graph"]

OPSET = 17
MICROSOFT = "com.microsoft"
"""The domain of the operators that every build of ONNX Runtime adds to ONNX's."""

_IR_VERSION = 8
Shapes = Mapping[str, Sequence[int | str]]


class Graph:
    """Nodes and constants in the order in which they were added; names are made here.

    int8: the weights of `linear` are kept as 8-bit numbers in blocks.
    """

    def __init__(self, int8: bool = False) -> None:
        self._onnx = _onnx()
        self._int8 = int8
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A constant by this name; asked for again, the same one."""
        if name not in self._constants:
            tensor = self._onnx.numpy_helper.from_array(np.ascontiguousarray(value), name)
            self._constants[name] = tensor
        return name

    def integers(self, *values: int) -> str:
        """A constant of int64: a shape, axes or indices."""
        name = "int64_" + "_".join(str(value).replace("-", "m") for value in values)
        return self.constant(name, np.array(values, np.int64))

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """A node of one output; gives the output's name. An input "" is left out."""
        return self._add(kind, inputs, 1, domain, attributes)[0]

    def parts(self, x: str, count: int, axis: int) -> list[str]:
        """`x` in `count` equal parts along an axis."""
        return self._add("Split", (x,), count, "", {"axis": axis})

    def linear(
        self, x: str, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32] | None
    ) -> str:
        """x @ weight.T + bias: x (rows, inputs), weight (outputs, inputs), as PyTorch has them."""
        rows = self._expanded(name, weight) if self._int8 else ""
        matrix = rows or self.constant(f"{name}.weight", weight.T)
        if bias is None:
            return self.node("MatMul", x, matrix)
        return self.node("Gemm", x, matrix, self.constant(f"{name}.bias", bias))

    def _expanded(self, name: str, weight: NDArray[np.float32]) -> str:
        """weight.T from its 8-bit numbers: all constants, which ONNX Runtime folds at loading."""
        blocks = quantise_blocks(weight)
        numbers = self.constant(f"{name}.weight", blocks.numbers)
        zeros = self.constant(f"{name}.zero", blocks.zeros)
        steps = self.node("Sub", self._as_float(numbers), self._as_float(zeros))
        scaled = self.node("Mul", steps, self.constant(f"{name}.scale", blocks.scales))
        matrix = self.node("Reshape", scaled, self.integers(*weight.shape))
        return self.node("Transpose", matrix, perm=[1, 0])

    def _as_float(self, x: str) -> str:
        return self.node("Cast", x, to=self._onnx.TensorProto.FLOAT)

    def name_output(self, name: str, value: str) -> None:
        """Call the tensor `value` by this name from now on and in all nodes so far."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == value else each for each in names]

    def model(self, inputs: Shapes, outputs: Shapes) -> bytes:
        """The checked model: int64 inputs and float32 outputs by name and shape."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(n, kinds.INT64, list(s)) for n, s in inputs.items()],
            [helper.make_tensor_value_info(n, kinds.FLOAT, list(s)) for n, s in outputs.items()],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        self._onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _add(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: int,
        domain: str,
        attributes: Mapping[str, object],
    ) -> list[str]:
        name = f"{kind}_{len(self._nodes)}"
        names = [f"{name}_{i}" for i in range(outputs)]
        node = self._onnx.helper.make_node(
            kind, inputs, names, name=name, domain=domain, **attributes
        )
        self._nodes.append(node)
        return names


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError as error:
        raise ModelError(
            f"importing an encoder needs the package onnx ({error}); pip install onnx"
        ) from None
    return onnx
