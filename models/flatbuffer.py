"""Read FlatBuffers that nobody vouches for: every offset is checked, nothing is skipped.

A table is described by its fields in the order of its schema. A field that the description
leaves out must be absent from the bytes, so a file means no more than what was read of it. The
binary format: https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Field", "Table", "read_root"]

Table = dict[str, Any]
_SCALARS = frozenset("?bBhHiIqQ")
_TABLES_LIMIT = 20_000  # tables that share bytes could make a small file endless


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a table.

    kind: a struct code of a scalar ("i"), "s" a string, "[i" a vector of scalars, "T" a table,
    "[T" a vector of tables, "U" a union of tables. table: the description's name for "T" and
    "[T"; for "U" the scalar field before it that holds the member's number, and the member is
    described as "<name>:<number>". default: value of a scalar that is absent; an absent
    string or vector is empty, an absent table None.
    """

    name: str
    kind: str
    table: str = ""
    default: int = 0


Schema = Mapping[str, Mapping[int, Field]]


def read_root(data: bytes, identifier: bytes, schema: Schema, root: str) -> Table:
    """The root table as nested dictionaries; vectors of scalars as arrays, read-only.

    ValueError: not such a file, truncated, an offset out of bounds, a field unknown to the
    schema, or more tables than any honest file has.
    """
    if data[4:8] != identifier:
        raise ValueError("another kind of file")
    return _Reader(data, schema).table(struct.unpack_from("<I", data)[0], root)


class _Reader:
    """Follows offsets within `data`; ValueError where one leads out of it."""

    def __init__(self, data: bytes, schema: Schema) -> None:
        self._data = data
        self._schema = schema
        self._tables = 0

    def table(self, at: int, kind: str) -> Table:
        """The table at `at`, by the description `kind`."""
        self._tables += 1
        if self._tables > _TABLES_LIMIT:
            raise ValueError("more tables than any model has")
        fields = self._schema[kind]
        present = self._present(at)
        unknown = present.keys() - fields.keys()
        if unknown:
            raise ValueError(f"field {min(unknown)} of a {kind} is not supported")
        values: Table = {}
        for number, field in fields.items():
            values[field.name] = self._value(field, present.get(number), values)
        return values

    def _present(self, at: int) -> dict[int, tuple[int, int]]:
        """Field numbers that the table has: where they are, and where the table ends."""
        vtable = at - self._scalar("i", at)
        size, extent = self._scalar("H", vtable), self._scalar("H", vtable + 2)
        if size < 4 or size % 2 or vtable + size > len(self._data) or at + extent > len(self._data):
            raise ValueError("a table leads out of the file")
        offsets = struct.unpack_from(f"<{size // 2 - 2}H", self._data, vtable + 4)
        return {number: (at + o, at + extent) for number, o in enumerate(offsets) if o}

    def _value(self, field: Field, place: tuple[int, int] | None, before: Table) -> Any:
        """The field's value; `before`: the values of the fields before it."""
        scalar = field.kind in _SCALARS
        if place is None:
            return field.default if scalar else self._empty(field.kind)
        at, end = place
        if at + struct.calcsize(field.kind if scalar else "I") > end:
            raise ValueError("a field leads out of its table")
        if scalar:
            return self._scalar(field.kind, at)
        target = at + self._scalar("I", at)
        if field.kind == "U":
            return self._member(target, f"{field.name}:{before[field.table]}")
        if field.kind == "T":
            return self.table(target, field.table)
        if field.kind == "[T":
            return self._tables_at(target, field.table)
        return self._text(target) if field.kind == "s" else self._vector(target, field.kind[1:])

    def _empty(self, kind: str) -> Any:
        if kind.startswith("[") and kind != "[T":
            return np.empty(0, f"<{kind[1:]}")
        return {"s": "", "[T": []}.get(kind)

    def _member(self, at: int, kind: str) -> Table:
        if kind not in self._schema:
            raise ValueError(f"{kind} is not supported")
        return self.table(at, kind)

    def _scalar(self, code: str, at: int) -> int:
        size = struct.calcsize(code)
        if at < 0 or at % size or at + size > len(self._data):
            raise ValueError("an offset leads out of the file")
        return int(struct.unpack_from(f"<{code}", self._data, at)[0])

    def _vector(self, at: int, code: str) -> Any:
        count, kind = self._scalar("I", at), np.dtype(f"<{code}")
        if (at + 4) % kind.itemsize or at + 4 + count * kind.itemsize > len(self._data):
            raise ValueError("a vector leads out of the file")
        return np.frombuffer(self._data, kind, count, at + 4)

    def _text(self, at: int) -> str:
        raw: bytes = self._vector(at, "B").tobytes()
        if self._data[at + 4 + len(raw) : at + 5 + len(raw)] != b"\0":
            raise ValueError("a string does not end")
        return str(raw, "utf-8")

    def _tables_at(self, at: int, kind: str) -> list[Table]:
        offsets = self._vector(at, "I").tolist()
        if len(offsets) > _TABLES_LIMIT:
            raise ValueError("more tables than any model has")
        return [self.table(at + 4 * (n + 1) + offset, kind) for n, offset in enumerate(offsets)]
