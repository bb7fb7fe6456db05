"""Read the pickle of a PyTorch checkpoint as data: nothing in it is imported, called or run.

A pickle is a program for a stack machine. This interpreter knows only those instructions that a
dictionary of tensors needs and treats the two functions among them (`OrderedDict` and
`_rebuild_tensor_v2`) as marks on the stack. Everything else is refused by name.
Instructions: `pickletools` of the standard library. Tensors: `torch/_utils.py`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.errors import ModelError

__all__ = ["STORAGES", "TensorRecord", "tensor_records"]

STORAGES: Mapping[str, str] = MappingProxyType(
    {
        "DoubleStorage": "<f8",
        "FloatStorage": "<f4",
        "HalfStorage": "<f2",
        "LongStorage": "<i8",
        "IntStorage": "<i4",
        "ShortStorage": "<i2",
        "CharStorage": "<i1",
        "ByteStorage": "<u1",
        "BoolStorage": "|b1",
    }
)
"""PyTorch's storages and the NumPy type of their elements, little-endian."""

_ORDERED_DICT = "collections.OrderedDict"
_REBUILD = "torch._utils._rebuild_tensor_v2"
_DEEPEST = 4
_MOST_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """Where the elements of a tensor lie: in storage `key`, from element `offset` on.

    dtype: as NumPy writes it. elements: of the whole storage. strides: in elements.
    """

    key: str
    dtype: str
    elements: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Global:
    """A name that the pickle mentions; it is never looked up."""

    name: str


class _Mark:
    """Where on the stack a group begins."""


def tensor_records(pickle: bytes, where: str) -> dict[str, TensorRecord]:
    """Name to record, in the order of the pickle; dictionaries within are joined with dots.

    ModelError: an instruction, a function or a type that tensors do not need, or a pickle that
    is cut or malformed. `where` names the file in errors.
    """
    try:
        root = _Machine().run(pickle)
        found: dict[str, TensorRecord] = {}
        _collect(root, "", 0, found, [_MOST_ENTRIES])
    except ModelError as error:
        raise ModelError(
            f"{where}: {error}; use the checkpoint as its authors published it"
        ) from None
    except (ValueError, IndexError, KeyError, TypeError, RecursionError, MemoryError):
        raise ModelError(f"{where}: the pickle is cut or malformed; download it again") from None
    return found


class _Machine:
    """The stack machine, with the few instructions that it obeys."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, pickle: bytes) -> Any:
        """What the pickle leaves on the stack."""
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name == "STOP":
                break
            obey = _INSTRUCTIONS.get(opcode.name)
            if obey is None:
                raise ModelError(
                    f"the pickle has the instruction {opcode.name}, which no tensor needs:"
                    " it may hold code and was not run"
                )
            obey(self, argument)
        return self._stack.pop()

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def memoize(self, slot: int | None) -> None:
        self._memo[len(self._memo) if slot is None else slot] = self._stack[-1]

    def recall(self, slot: int) -> None:
        self._stack.append(self._memo[slot])

    def named(self, argument: str) -> None:
        self.mention(".".join(argument.split(" ", 1)))

    def stack_named(self, _: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self.mention(f"{module}.{name}" if isinstance(module, str) else "a name that is no text")

    def mention(self, name: str) -> None:
        module, _, attribute = name.rpartition(".")
        if name not in (_ORDERED_DICT, _REBUILD) and not (
            module == "torch" and attribute in STORAGES
        ):
            raise ModelError(
                f"the pickle asks for {name!r}, which no tensor of a type known here needs:"
                " it may hold code and was not run"
            )
        self._stack.append(_Global(name))

    def group(self) -> list[Any]:
        """What lies above the last mark; the mark goes too."""
        items: list[Any] = []
        while not isinstance(item := self._stack.pop(), _Mark):
            items.append(item)
        return items[::-1]

    def take(self, count: int) -> list[Any]:
        """The last `count` items, the last one last."""
        return [self._stack.pop() for _ in range(count)][::-1]

    def set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict):
            raise TypeError
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int):
                raise TypeError
            target[key] = value

    def append_all(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise TypeError
        self._stack[-1].extend(items)

    def persistent(self, _: None) -> None:
        kind, storage, key, _device, elements = self._stack.pop()
        if kind != "storage" or not isinstance(storage, _Global) or not isinstance(key, str):
            raise TypeError
        dtype = STORAGES[storage.name.removeprefix("torch.")]
        self._stack.append((dtype, key, _natural(elements)))

    def reduce(self, _: None) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if function == _Global(_ORDERED_DICT) and arguments == ():
            self._stack.append({})
        elif function == _Global(_REBUILD):
            (dtype, key, elements), offset, shape, strides, *_ = arguments
            sizes, steps = tuple(map(_natural, shape)), tuple(map(_natural, strides))
            record = TensorRecord(key, dtype, elements, _natural(offset), sizes, steps)
            self._stack.append(record)
        else:
            raise TypeError

    def build(self, _: None) -> None:
        """The attributes of a dictionary (`_metadata` of a state dict) are not needed."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict):
            raise TypeError


def _natural(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


_INSTRUCTIONS: Mapping[str, Callable[[_Machine, Any], object]] = MappingProxyType(
    {
        **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
        **dict.fromkeys(
            ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), lambda m, value: m.push(value)
        ),
        **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE"), lambda m, value: m.push(value)),
        **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.memoize),
        **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
        "NONE": lambda m, _: m.push(None),
        "NEWTRUE": lambda m, _: m.push(True),
        "NEWFALSE": lambda m, _: m.push(False),
        "EMPTY_TUPLE": lambda m, _: m.push(()),
        "EMPTY_LIST": lambda m, _: m.push([]),
        "EMPTY_DICT": lambda m, _: m.push({}),
        "MARK": lambda m, _: m.push(_Mark()),
        "TUPLE": lambda m, _: m.push(tuple(m.group())),
        "TUPLE1": lambda m, _: m.push(tuple(m.take(1))),
        "TUPLE2": lambda m, _: m.push(tuple(m.take(2))),
        "TUPLE3": lambda m, _: m.push(tuple(m.take(3))),
        "SETITEM": lambda m, _: m.set_items(m.take(2)),
        "SETITEMS": lambda m, _: m.set_items(m.group()),
        "APPEND": lambda m, _: m.append_all(m.take(1)),
        "APPENDS": lambda m, _: m.append_all(m.group()),
        "GLOBAL": _Machine.named,
        "STACK_GLOBAL": _Machine.stack_named,
        "BINPERSID": _Machine.persistent,
        "REDUCE": _Machine.reduce,
        "BUILD": _Machine.build,
    }
)


def _collect(
    value: Any, name: str, depth: int, found: dict[str, TensorRecord], left: list[int]
) -> None:
    """Put the tensors below `value` into `found`; numbers, texts and lists are passed over."""
    left[0] -= 1
    if depth > _DEEPEST or left[0] < 0:
        raise ModelError(f"dictionaries deeper than {_DEEPEST}, or too many entries")
    if name in found:
        raise ModelError(f"two tensors have the name {name!r}")
    if isinstance(value, TensorRecord):
        found[name] = value
    elif isinstance(value, dict):
        for key, entry in value.items():
            _collect(entry, f"{name}.{key}" if name else str(key), depth + 1, found, left)
