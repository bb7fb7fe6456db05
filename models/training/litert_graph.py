"""The int8 step graph for LiteRT: the same integers, scales and states as `StepGraph` writes.

Layout (1, 1, frames, channels), batch 1: the leads are stepped in turn. LiteRT's int8 is
ONNX Runtime's uint8 less 128, tensor by tensor; weights and biases are the same integers. Only
operators that XNNPACK takes are used, so that the whole graph runs in it. No length of time is
written into the graph, so the samples may be resized to any whole number of hops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from models.training.graph import QuantisedConv, Range

__all__ = ["LiteRTGraph"]

_VERSION = 3  # of the TFLite schema
_IDENTIFIER = b"TFL3"
_UINT8_TO_INT8 = -128
_ALIGNMENT = 16  # of constants, as the schema asks
_INT8, _INT32, _FLOAT = schema.TensorType.INT8, schema.TensorType.INT32, schema.TensorType.FLOAT32
_TYPES = {np.dtype(np.int8): _INT8, np.dtype(np.int32): _INT32, np.dtype(np.float32): _FLOAT}
_OPERATOR_VERSIONS = {  # the first that knows int8; 1 where everything is float
    "CONV_2D": 3,
    "CONCATENATION": 2,
    "ADD": 2,
    "STRIDED_SLICE": 2,
    "DEQUANTIZE": 2,
}


@dataclass(frozen=True, slots=True)
class _Operator:
    """An operator on named tensors. options: of its own type of the schema, or None."""

    name: str
    inputs: list[str]
    output: str
    options: Any


class LiteRTGraph:
    """Collects operators and tensors; `build` gives the model. Methods as in `StepGraph`."""

    def __init__(self, ranges: dict[str, Range], samples: int) -> None:
        """samples: how many a step takes."""
        self._ranges = ranges
        self._tensors: dict[str, Any] = {}
        self._buffers: list[Any] = [schema.BufferT()]  # the first stays empty
        self._operators: list[_Operator] = []
        self._states: list[tuple[str, str]] = []
        self._frames = {"x": samples}
        self._tensor("samples", _FLOAT, (1, 1, samples, 1))
        self._tensor("weights", _FLOAT, (1, 1))
        self._operator("QUANTIZE", ["samples"], self._quantised("x", "x", samples, 1))

    def conv(self, conv: QuantisedConv) -> None:
        """A convolution over its carried past, then the residual addition where it has one."""
        spec, name = conv.spec, conv.spec.name
        before = f"{name}+" if spec.adds else name
        frames = self._frames[spec.source] // spec.stride
        self._frames[name] = frames
        scale_in = np.float32(self._ranges[spec.source].scale)
        bias = self._constant(f"{name}.bias", conv.bias, conv.weight_scale * scale_in)
        rows = np.ascontiguousarray(conv.weight.transpose(0, 2, 3, 1))  # out, height, width, in
        weight = self._constant(f"{name}.weight", rows, conv.weight_scale)
        padded = self._with_past(name, spec.source, spec.past, spec.c_in)
        options = schema.Conv2DOptionsT(
            padding=schema.Padding.VALID,
            strideW=spec.stride,
            strideH=1,
            dilationWFactor=spec.dilation,
            dilationHFactor=1,
        )
        result = self._quantised(before, before, frames, spec.c_out)
        self._operator("CONV_2D", [padded, weight, bias], result, options)
        if spec.adds:
            total = self._quantised(name, name, frames, spec.c_out)
            self._operator("ADD", [before, spec.adds], total, schema.AddOptionsT())

    def _with_past(self, name: str, source: str, past: int, channels: int) -> str:
        """The source behind its carried past; the last `past` frames are carried on."""
        if not past:
            return source
        state, after = f"{name}.past", f"{name}.past.next"
        self._quantised(state, source, past, channels)
        self._states.append((state, after))
        both = self._quantised(f"{name}.padded", source, past + self._frames[source], channels)
        self._operator("CONCATENATION", [state, source], both, schema.ConcatenationOptionsT(axis=2))
        first = self._constant(f"{name}.first", np.array([0, 0, -past, 0], np.int32))
        last = self._constant("slice.end", np.zeros(4, np.int32))
        steps = self._constant("slice.steps", np.ones(4, np.int32))
        options = schema.StridedSliceOptionsT(beginMask=0b1011, endMask=0b1111)
        result = self._quantised(after, source, past, channels)
        self._operator("STRIDED_SLICE", [both, first, last, steps], result, options)
        return both

    def frames(self, source: str, width: int, output: str) -> None:
        """A tensor as it is, in floats: (1, 1, frames, width)."""
        real = self._tensor(output, _FLOAT, (1, 1, self._frames[source], width))
        self._operator("DEQUANTIZE", [source], real)

    def pools(self, source: str, width: int, keep: float) -> None:
        """Pools over time, as `StepGraph.pools`."""
        real = self._tensor(f"{source}.real", _FLOAT, (1, 1, self._frames[source], width))
        self._operator("DEQUANTIZE", [source], real)
        axes = self._constant("pool.axes", np.array([1, 2], np.int32))
        for operator, name in (("MEAN", "hop_mean"), ("REDUCE_MAX", "hop_max")):
            pooled = self._tensor(name, _FLOAT, (1, width))
            self._operator(operator, [real, axes], pooled, schema.ReducerOptionsT(keepDims=False))
        both = self._tensor("hop_pooled", _FLOAT, (1, 2 * width))
        options = schema.ConcatenationOptionsT(axis=1)
        self._operator("CONCATENATION", ["hop_mean", "hop_max"], both, options)
        heard = self._arithmetic("MUL", "hop_pooled", "weights", "heard", 2 * width)
        total = self._faded("total", 2 * width, keep, heard)
        weight = self._faded("weight", 1, keep, "weights")
        trace = self._constant("embedding.trace", np.array([1e-6], np.float32))
        divisor = self._arithmetic("ADD", weight, trace, "divisor", 1)
        self._arithmetic("DIV", total, divisor, "embedding", 2 * width)

    def _faded(self, name: str, width: int, keep: float, new: str) -> str:
        """A float state that fades by `keep` a hop and to which something new is added."""
        state = self._tensor(name, _FLOAT, (1, width))
        self._states.append((state, f"{name}.next"))
        factor = self._constant(f"{name}.keep", np.array([keep], np.float32))
        faded = self._arithmetic("MUL", state, factor, f"{name}.faded", width)
        return self._arithmetic("ADD", faded, new, f"{name}.next", width)

    def _arithmetic(self, operator: str, left: str, right: str, output: str, width: int) -> str:
        options = {"ADD": schema.AddOptionsT, "MUL": schema.MulOptionsT, "DIV": schema.DivOptionsT}
        result = self._tensor(output, _FLOAT, (1, width))
        self._operator(operator, [left, right], result, options[operator]())
        return result

    def linear(
        self, source: str, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> None:
        """A float head: weight (outputs, inputs)."""
        constants = [
            self._constant(f"{name}.weight", np.ascontiguousarray(weight, np.float32)),
            self._constant(f"{name}.bias", np.ascontiguousarray(bias, np.float32)),
        ]
        result = self._tensor(name, _FLOAT, (1, len(bias)))
        options = schema.FullyConnectedOptionsT()
        self._operator("FULLY_CONNECTED", [source, *constants], result, options)

    def build(self, outputs: list[str]) -> bytes:
        """The serialised model; `outputs` names the heads."""
        index = {name: number for number, name in enumerate(self._tensors)}
        taken = ["samples", "weights", *(before for before, _ in self._states)]
        given = [*outputs, *(after for _, after in self._states)]
        graph = schema.SubGraphT(
            name=b"step",
            tensors=list(self._tensors.values()),
            inputs=[index[name] for name in taken],
            outputs=[index[name] for name in given],
            operators=[self._numbered(operator, index) for operator in self._operators],
        )
        model = schema.ModelT(
            version=_VERSION,
            operatorCodes=[_operator_code(name) for name in self._codes()],
            subgraphs=[graph],
            description=b"edge",
            buffers=self._buffers,
        )
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def _operator(self, operator: str, inputs: list[str], output: str, options: Any = None) -> None:
        self._operators.append(_Operator(operator, inputs, output, options))

    def _numbered(self, operator: _Operator, index: dict[str, int]) -> Any:
        options = operator.options
        kind = type(options).__name__.removesuffix("T") if options else "NONE"
        return schema.OperatorT(
            opcodeIndex=self._codes().index(operator.name),
            inputs=[index[name] for name in operator.inputs],
            outputs=[index[operator.output]],
            builtinOptionsType=getattr(schema.BuiltinOptions, kind),
            builtinOptions=options,
        )

    def _codes(self) -> list[str]:
        """The operators in use, each once."""
        return list(dict.fromkeys(operator.name for operator in self._operators))

    def _quantised(self, name: str, like: str, frames: int, channels: int) -> str:
        """An int8 tensor in the range of the tensor `like`."""
        quantum = self._ranges[like]
        zero = quantum.zero_point + _UINT8_TO_INT8
        parameters = schema.QuantizationParametersT(scale=[quantum.scale], zeroPoint=[zero])
        return self._tensor(name, _INT8, (1, 1, frames, channels), parameters)

    def _constant(
        self, name: str, value: NDArray[Any], channel_scale: NDArray[np.float32] | None = None
    ) -> str:
        """A tensor with data; channel_scale: one a row, all zero points 0."""
        if name in self._tensors:
            return name
        parameters = None
        if channel_scale is not None:
            parameters = schema.QuantizationParametersT(
                scale=channel_scale.tolist(),
                zeroPoint=[0] * len(channel_scale),
                quantizedDimension=0,
            )
        self._buffers.append(_AlignedBuffer(data=value.view(np.uint8).ravel()))
        return self._tensor(
            name, _TYPES[value.dtype], value.shape, parameters, len(self._buffers) - 1
        )

    def _tensor(
        self,
        name: str,
        kind: int,
        shape: tuple[int, ...],
        quantisation: Any = None,
        buffer: int = 0,
    ) -> str:
        self._tensors[name] = schema.TensorT(
            shape=list(shape),
            type=kind,
            buffer=buffer,
            name=name.encode(),
            quantization=quantisation,
            hasRank=True,
        )
        return name


class _AlignedBuffer(schema.BufferT):
    """A constant whose bytes lie at a multiple of 16, as kernels may load them."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
        data = self.data.tobytes()
        builder.StartVector(1, len(data), _ALIGNMENT)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


def _operator_code(name: str) -> Any:
    code = getattr(schema.BuiltinOperator, name)
    return schema.OperatorCodeT(
        deprecatedBuiltinCode=min(code, 127),
        builtinCode=code,
        version=_OPERATOR_VERSIONS.get(name, 1),
    )
