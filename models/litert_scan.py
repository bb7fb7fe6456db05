"""Is a LiteRT model whole, self-contained and sane? Judged from its bytes, before any runtime.

LiteRT's interpreter trusts its file: a bad offset, index or shape makes it crash, not refuse.
So only models of the plain form that `models.training.litert_graph` writes are let through: one
graph of known operators in order, every constant inside, every shape and type as computed.
"""

from __future__ import annotations

import struct
from math import isfinite, prod
from typing import Any

from models.errors import BundleError
from models.flatbuffer import Table, read_root
from models.litert_operators import Tensor, check_scales, result_of
from models.litert_schema import IDENTIFIER, OPERATORS, TABLES, TENSOR_TYPES, VERSION, Operator

__all__ = ["scan_litert"]

_ELEMENTS_LIMIT = 16 * 1024 * 1024
_RANK_LIMIT = 4


def scan_litert(model: bytes, where: str) -> None:
    """BundleError, naming the model by `where`, unless LiteRT can be given these bytes."""
    try:
        _check_model(read_root(model, IDENTIFIER, TABLES, "Model"))
    except (ValueError, struct.error) as error:
        raise BundleError(
            f"{where}: not a LiteRT model that this version can run: {error};"
            " export it again, or upgrade edge"
        ) from None


def _check_model(model: Table) -> None:
    if model["version"] != VERSION or len(model["subgraphs"]) != 1:
        raise ValueError(f"not one graph of schema version {VERSION}")
    operators = [_operator(code) for code in model["operator_codes"]]
    graph = model["subgraphs"][0]
    tensors = [_tensor(table, model["buffers"]) for table in graph["tensors"]]
    known = {number for number, tensor in enumerate(tensors) if tensor.data is not None}
    for number in graph["inputs"].tolist():
        _define(number, known, tensors)
    for step in graph["operators"]:
        _check_step(step, operators, tensors, known)
    outputs = graph["outputs"].tolist()
    if not set(outputs) <= known or len(set(outputs)) != len(outputs):
        raise ValueError("an output is not computed, or given twice")


def _operator(code: Table) -> Operator:
    number = code["builtin_code"]
    if number not in OPERATORS or code["deprecated_builtin_code"] != number:
        raise ValueError(f"operator {number} is not supported")
    operator = OPERATORS[number]
    if not 1 <= code["version"] <= operator.version:
        raise ValueError(f"{operator.name} of version {code['version']} is not supported")
    return operator


def _tensor(table: Table, buffers: list[Table]) -> Tensor:
    name = table["name"]
    if table["type"] not in TENSOR_TYPES or table["buffer"] >= len(buffers):
        raise ValueError(f"the tensor {name!r} has a type or buffer that is not supported")
    dtype, shape = TENSOR_TYPES[table["type"]], tuple(table["shape"].tolist())
    if not 1 <= len(shape) <= _RANK_LIMIT or min(shape) < 1 or prod(shape) > _ELEMENTS_LIMIT:
        raise ValueError(f"the tensor {name!r} has the shape {list(shape)}")
    data = buffers[table["buffer"]]["data"]
    if data.size and data.nbytes != prod(shape) * dtype.itemsize:
        raise ValueError(f"the tensor {name!r} has {data.nbytes} bytes for {list(shape)}")
    constant = data.view(dtype).reshape(shape) if data.size else None
    return Tensor(name, dtype, shape, constant, _quantum(table["quantization"], name))


def _quantum(table: Table | None, name: str) -> tuple[tuple[float, ...], tuple[int, ...]]:
    if table is None:
        return (), ()
    scales, zeros = tuple(table["scale"].tolist()), tuple(table["zero_point"].tolist())
    sane = all(1e-12 < s < 1e12 and isfinite(s) for s in scales)
    if not sane or len(zeros) != len(scales) or not all(-128 <= z <= 127 for z in zeros):
        raise ValueError(f"the tensor {name!r} has no sane scale")
    return scales, zeros


def _define(number: int, known: set[int], tensors: list[Tensor]) -> None:
    """A tensor gets its value here: once, and with one scale where it is int8."""
    if not 0 <= number < len(tensors) or number in known:
        raise ValueError("a tensor is missing, or given twice")
    if (len(tensors[number].quantum[0]) == 1) != (tensors[number].dtype == "int8"):
        raise ValueError(f"the tensor {tensors[number].name!r} has no one scale, or needs none")
    known.add(number)


def _check_step(
    step: Table, operators: list[Operator], tensors: list[Tensor], known: set[int]
) -> None:
    if step["opcode_index"] >= len(operators):
        raise ValueError("an operator without a code")
    operator = operators[step["opcode_index"]]
    inputs, outputs = step["inputs"].tolist(), step["outputs"].tolist()
    if len(inputs) != operator.inputs or len(outputs) != 1 or not set(inputs) <= known:
        raise ValueError(f"{operator.name} has other inputs or outputs than it takes")
    _define(outputs[0], known, tensors)
    if step["options_type"] != operator.options or (step["options"] is None) == bool(
        operator.options
    ):
        raise ValueError(f"{operator.name} has the options of another operator")
    options: dict[str, Any] = step["options"] or {}
    taken, declared = [tensors[number] for number in inputs], tensors[outputs[0]]
    made = result_of(operator.name, taken, options)
    kept = not made.quantum[0] or made.quantum == declared.quantum
    if (made.dtype, made.shape) != (declared.dtype, declared.shape) or not kept:
        raise ValueError(
            f"{operator.name} makes {made.dtype} {list(made.shape)}, not the"
            f" {declared.dtype} {list(declared.shape)} of {declared.name!r}"
        )
    check_scales(operator.name, taken, declared)
