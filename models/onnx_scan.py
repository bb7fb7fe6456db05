"""What an ONNX file is made of, read from its bytes, without the onnx package and before ONNX
Runtime sees it: which operators, how many, how large; anything a bundle may not have is refused.

The field numbers are those of onnx.proto; the wire format is protobuf's
(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import prod
from types import MappingProxyType

from models.errors import BundleError

__all__ = ["BUILT_IN_DOMAINS", "OnnxFacts", "scan_onnx"]

BUILT_IN_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})
"""Operators of ONNX itself and those that every build of ONNX Runtime brings."""

_NODE_LIMIT = 50_000
_TENSOR_LIMIT = 50_000
_ELEMENT_LIMIT = 64 * 1024 * 1024  # all tensors together; a sparse one counts as it unfolds
_FIELD_LIMIT = 500_000  # a second of reading
_DEEPEST = 32
_MOST_DIMS = 64
_LAST_FIELD = (1 << 29) - 1  # protobuf's; readers differ in what they make of a higher one

# message -> {field number: message of that field}
_CHILDREN = {
    "Model": {7: "Graph", 8: "OperatorSet", 20: "TrainingInfo", 25: "Function"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 9: "OperatorSet", 11: "Attribute"},
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
    "OperatorSet": {},
}
_DOMAIN = {"OperatorSet": 1, "Node": 7, "Function": 10}  # the field that names the domain
_DIMS = {"Tensor": 1, "SparseTensor": 3}  # the field that gives the shape
_OPERATOR = 4  # of a node
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
# Fields that are judged: of the others, a file may hold any number.
_OWN = {
    "OperatorSet": {1},
    "Function": {10},
    "Node": {_OPERATOR, 7},
    "SparseTensor": {3},
    "Tensor": {1, _EXTERNAL_DATA, _DATA_LOCATION},
}

_Value = int | memoryview


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """operators: name to number of nodes, sub-graphs and functions included; those of another
    domain than ONNX's as "domain::name". elements: of all tensors in the file.
    """

    operators: Mapping[str, int]
    nodes: int
    tensors: int
    elements: int


def scan_onnx(model: bytes, where: str) -> OnnxFacts:
    """The facts of a model that may run.

    BundleError, naming `where` and the reason: a malformed file, one nested too deeply or too
    large, tensors in other files, operators of a domain that is not built in.
    """
    scan = _Scan(where)
    try:
        scan.message(memoryview(model), "Model", 0)
    except (ValueError, IndexError):  # UnicodeDecodeError is a ValueError
        raise BundleError(f"{where}: the model is not an ONNX file; export it again") from None
    return scan.facts()


@dataclass(slots=True)
class _Scan:
    """Counts on the way through the file."""

    where: str
    operators: Counter[str] = field(default_factory=Counter)
    tensors: int = 0
    elements: int = 0
    fields: int = 0

    def facts(self) -> OnnxFacts:
        nodes = self.operators.total()
        return OnnxFacts(MappingProxyType(dict(self.operators)), nodes, self.tensors, self.elements)

    def message(self, data: memoryview, kind: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        children, judged = _CHILDREN[kind], _OWN.get(kind, ())
        own: dict[int, list[_Value]] = {}
        for number, value in _fields(data):
            self.fields += 1
            if self.fields > _FIELD_LIMIT:
                raise ValueError("too many fields")
            child = children.get(number)
            if child is not None and isinstance(value, memoryview):
                self.message(value, child, depth + 1)
            elif number in judged:
                own.setdefault(number, []).append(value)
        self._judge(kind, own)

    def _judge(self, kind: str, own: Mapping[int, list[_Value]]) -> None:
        """What the message says of itself, its children aside."""
        domains = _texts(own, _DOMAIN.get(kind))
        for domain in domains:
            if domain not in BUILT_IN_DOMAINS:
                self._refuse(
                    f"operators of the domain {domain[:80]!r}, which ONNX Runtime does not bring",
                    "export it with operators of ONNX only",
                )
        if kind == "Node":
            self._count_node(domains, _texts(own, _OPERATOR))
        if kind in _DIMS:
            self._count_tensor(own, _DIMS[kind])
        if kind == "Tensor" and (_EXTERNAL_DATA in own or any(own.get(_DATA_LOCATION, ()))):
            self._refuse(
                "tensors in other files, which no digest covers",
                "export it with all tensors inside",
            )

    def _count_node(self, domains: list[str], names: list[str]) -> None:
        prefix = "com.microsoft::" if domains[-1:] == ["com.microsoft"] else ""
        self.operators[prefix + (names[-1] if names else "")] += 1
        if self.operators.total() > _NODE_LIMIT:
            self._refuse(f"more than {_NODE_LIMIT} nodes", "simplify it")

    def _count_tensor(self, own: Mapping[int, list[_Value]], field_number: int) -> None:
        self.tensors += 1
        sizes = (size for value in own.get(field_number, ()) for size in _ints(value))
        shape = list(islice(sizes, _MOST_DIMS + 1))
        if len(shape) > _MOST_DIMS:
            raise ValueError("too many dimensions")
        self.elements += prod(shape)
        if self.tensors > _TENSOR_LIMIT or self.elements > _ELEMENT_LIMIT:
            self._refuse(
                f"more than {_TENSOR_LIMIT} tensors or {_ELEMENT_LIMIT} elements", "simplify it"
            )

    def _refuse(self, has: str, remedy: str) -> None:
        raise BundleError(f"{self.where}: the ONNX model has {has}; {remedy}")


def _texts(own: Mapping[int, list[_Value]], number: int | None) -> list[str]:
    values = own.get(number, ()) if number is not None else ()
    return [str(value, "utf-8") for value in values if isinstance(value, memoryview)]


def _ints(value: _Value) -> Iterator[int]:
    """A repeated integer, whether it is packed or not."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _fields(data: memoryview) -> Iterator[tuple[int, _Value]]:
    """Field numbers and values: ints for varints, the bytes of everything else."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number <= _LAST_FIELD:
            raise ValueError("no such field")
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(kind, -1)
        if length < 0 or at + length > len(data):
            raise ValueError("truncated or unknown field")
        yield number, data[at : at + length]
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
