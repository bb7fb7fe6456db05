"""What each operator of a LiteRT encoder makes of its inputs: type and shape.

LiteRT hands most operators to XNNPACK with the shapes that the file declares, and native code
that is told a wrong shape writes out of bounds. So each shape is worked out here and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tensor", "check_scales", "result_of"]

Shape = tuple[int, ...]
_FLOAT, _INT8, _INT32 = np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.int32)
_EXTENT_LIMIT = 4096  # of strides, dilations
_SMALLEST_ADD, _SMALLEST_CONV, _LARGEST = 2**-10, 2**-60, 2**8  # what XNNPACK rescales by


@dataclass(frozen=True, slots=True)
class Tensor:
    """data: of a constant, shaped; None where it is computed. quantum: scales, zero points."""

    name: str
    dtype: np.dtype[Any]
    shape: Shape
    data: NDArray[Any] | None
    quantum: tuple[tuple[float, ...], tuple[int, ...]]


def result_of(operator: str, inputs: Sequence[Tensor], options: dict[str, Any]) -> Tensor:
    """What the operator gives, as an unnamed tensor; its quantum is that of the input, where
    the operator keeps it, else empty.

    ValueError: it cannot take these inputs or options.
    """
    if any(t.dtype == _INT8 and t.data is not None for t in inputs) != (operator == "CONV_2D"):
        raise ValueError("only the weights of a convolution are int8 constants")
    return _RULES[operator](inputs, options)


def check_scales(operator: str, inputs: Sequence[Tensor], output: Tensor) -> None:
    """ValueError where the operator would rescale by more than its kernels can: they abort."""
    if output.dtype != _INT8 or operator not in ("ADD", "CONV_2D"):
        return
    scales = [np.array(tensor.quantum[0]) for tensor in inputs]
    factors = scales[0] * scales[1] if operator == "CONV_2D" else np.concatenate(scales)
    ratios = factors / output.quantum[0][0]
    smallest = _SMALLEST_CONV if operator == "CONV_2D" else _SMALLEST_ADD
    _demand(bool(((ratios >= smallest) & (ratios < _LARGEST)).all()), "scales too far apart")


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


def _made(dtype: np.dtype[Any], shape: Sequence[int], like: Tensor | None = None) -> Tensor:
    return Tensor("", dtype, tuple(shape), None, like.quantum if like else ((), ()))


def _constant(tensor: Tensor, dtype: np.dtype[Any], rank: int) -> NDArray[Any]:
    fits = tensor.data is not None and tensor.dtype == dtype and len(tensor.shape) == rank
    _demand(fits, f"{tensor.name!r} is not a {dtype} constant of rank {rank}")
    assert tensor.data is not None
    return tensor.data


def _quantize(inputs: Sequence[Tensor], _: dict[str, Any]) -> Tensor:
    _demand(inputs[0].dtype == _FLOAT, "takes float32")
    return _made(_INT8, inputs[0].shape)


def _dequantize(inputs: Sequence[Tensor], _: dict[str, Any]) -> Tensor:
    _demand(inputs[0].dtype == _INT8, "takes int8")
    return _made(_FLOAT, inputs[0].shape)


def _conv(inputs: Sequence[Tensor], options: dict[str, Any]) -> Tensor:
    source, weight, bias = inputs
    rows = _constant(weight, _INT8, 4)
    computed = source.data is None and source.dtype == _INT8
    _demand(computed and len(source.shape) == 4, "takes int8 of rank 4")
    _demand(rows.shape[3] == source.shape[3], "weights of other channels")
    _demand(_constant(bias, _INT32, 1).shape == rows.shape[:1], "a bias of other channels")
    channels = len(rows)
    one_each = all(len(t.quantum[0]) == channels and not any(t.quantum[1]) for t in (weight, bias))
    _demand(one_each, "weights need one scale a channel, and zero point 0")
    _demand(options["padding"] == 1, "padding is not supported")
    extents = []
    for axis, side in ((1, "h"), (2, "w")):
        stride, dilation = options[f"stride_{side}"], options[f"dilation_{side}"]
        _demand(1 <= stride <= _EXTENT_LIMIT and 1 <= dilation <= _EXTENT_LIMIT, "stride, dilation")
        reach = (rows.shape[axis] - 1) * dilation
        _demand(source.shape[axis] > reach, "the input is shorter than the kernel")
        extents.append((source.shape[axis] - reach - 1) // stride + 1)
    return _made(_INT8, (source.shape[0], *extents, channels))


def _concatenation(inputs: Sequence[Tensor], options: dict[str, Any]) -> Tensor:
    left, right = inputs
    axis = options["axis"]
    _demand(left.dtype == right.dtype and left.dtype in (_FLOAT, _INT8), "types differ")
    _demand(left.quantum == right.quantum, "scales differ")
    _demand(0 <= axis < len(left.shape) == len(right.shape), "axis or ranks")
    rest = [s[:axis] + s[axis + 1 :] for s in (left.shape, right.shape)]
    _demand(rest[0] == rest[1], "shapes differ")
    total = left.shape[axis] + right.shape[axis]
    return _made(left.dtype, (*left.shape[:axis], total, *left.shape[axis + 1 :]), left)


def _add(inputs: Sequence[Tensor], options: dict[str, Any]) -> Tensor:
    if inputs[0].dtype == inputs[1].dtype == _INT8:
        _demand(inputs[0].shape == inputs[1].shape, "shapes differ")
        return _made(_INT8, inputs[0].shape)
    return _arithmetic(inputs, options)


def _arithmetic(inputs: Sequence[Tensor], _: dict[str, Any]) -> Tensor:
    _demand(all(t.dtype == _FLOAT for t in inputs), "takes float32")
    return _made(_FLOAT, np.broadcast_shapes(*(t.shape for t in inputs)))


def _fully_connected(inputs: Sequence[Tensor], _: dict[str, Any]) -> Tensor:
    source, weight, bias = inputs
    matrix = _constant(weight, _FLOAT, 2)
    _demand(source.dtype == _FLOAT and len(source.shape) == 2, "takes float32 of rank 2")
    _demand(source.shape[1] == matrix.shape[1], "weights of another width")
    _demand(_constant(bias, _FLOAT, 1).shape == matrix.shape[:1], "a bias of another width")
    return _made(_FLOAT, (source.shape[0], len(matrix)))


def _reshape(inputs: Sequence[Tensor], options: dict[str, Any]) -> Tensor:
    target = _constant(inputs[1], _INT32, 1)
    _demand(inputs[0].dtype == _FLOAT and np.array_equal(options["new_shape"], target), "new shape")
    _demand(bool((target >= -1).all()) and 0 not in target, "new shape")
    empty: NDArray[Any] = np.broadcast_to(np.float32(0), inputs[0].shape)
    return _made(_FLOAT, empty.reshape(target).shape)


def _reduction(inputs: Sequence[Tensor], options: dict[str, Any]) -> Tensor:
    axes = _constant(inputs[1], _INT32, 1).tolist()
    rank = len(inputs[0].shape)
    _demand(inputs[0].dtype == _FLOAT and not options["keep_dims"], "takes float32")
    _demand(axes == sorted(set(axes)) and all(0 <= a < rank for a in axes) and axes != [], "axes")
    return _made(_FLOAT, [e for n, e in enumerate(inputs[0].shape) if n not in axes])


def _strided_slice(inputs: Sequence[Tensor], options: dict[str, Any]) -> Tensor:
    """The end of the third axis, the only slice that carried past needs."""
    source = inputs[0]
    first, last, steps = (_constant(t, _INT32, 1).tolist() for t in inputs[1:])
    past = -first[2] if len(first) == 4 else 0
    ends = (options["begin_mask"], options["end_mask"], last, steps)
    _demand(ends == (0b1011, 0b1111, [0] * 4, [1] * 4), "only the end of axis 2 can be taken")
    _demand(source.dtype == _INT8 and len(source.shape) == 4, "takes int8 of rank 4")
    _demand(0 < past <= source.shape[2], "it takes more than there is")
    return _made(_INT8, (*source.shape[:2], past, source.shape[3]), source)


_RULES: dict[str, Callable[[Sequence[Tensor], dict[str, Any]], Tensor]] = {
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
    "CONV_2D": _conv,
    "CONCATENATION": _concatenation,
    "ADD": _add,
    "MUL": _arithmetic,
    "DIV": _arithmetic,
    "FULLY_CONNECTED": _fully_connected,
    "RESHAPE": _reshape,
    "MEAN": _reduction,
    "REDUCE_MAX": _reduction,
    "STRIDED_SLICE": _strided_slice,
}
