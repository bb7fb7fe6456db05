"""Does an ONNX file refer to other files? Read from its bytes, without the onnx package.

The field numbers are those of onnx.proto; the wire format is protobuf's.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.errors import BundleError

__all__ = ["refuse_external_data"]

# message -> {field number: message of that field}
_CHILDREN = {
    "Model": {7: "Graph", 20: "TrainingInfo", 25: "Function"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_TENSOR_EXTERNAL_DATA = 13
_TENSOR_DATA_LOCATION = 14
_DEEPEST = 32


def refuse_external_data(model: bytes, where: str) -> None:
    """BundleError where a tensor lies outside the model file, or the file is malformed."""
    try:
        external = _has_external(memoryview(model), "Model", 0)
    except (ValueError, IndexError):
        raise BundleError(f"{where}: the model is not an ONNX file; export it again") from None
    if external:
        raise BundleError(
            f"{where}: the ONNX model keeps tensors in other files, which no digest covers;"
            " export it with all tensors inside"
        )


def _has_external(data: memoryview, message: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    children = _CHILDREN[message]
    for field, value in _fields(data):
        if message == "Tensor" and _is_external(field, value):
            return True
        child = children.get(field)
        if (
            child is not None
            and isinstance(value, memoryview)
            and _has_external(value, child, depth + 1)
        ):
            return True
    return False


def _is_external(field: int, value: int | memoryview) -> bool:
    return field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_DATA_LOCATION and value != 0)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values: ints for varints, the bytes of everything else."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(kind, -1)
        if length < 0 or at + length > len(data):
            raise ValueError("truncated or unknown field")
        yield tag >> 3, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("varint too long")
