"""Records straight from the pages of a file that SQLite can no longer read as tables.

Every leaf of a table is looked at, whatever leads to it. That finds copies too that an earlier
state of the file left on free pages: the caller must know its records by checksums of their own.
Layout: https://www.sqlite.org/fileformat2.html, 1.5 to 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge.outbox.schema import PAGE_BYTES

MOST_RECORD_BYTES = 16 << 20
_LEAF_OF_TABLE = 0x0D
_FILE_HEADER_BYTES, _LEAF_HEADER_BYTES = 100, 8
_MOST_LOCAL, _LEAST_LOCAL = PAGE_BYTES - 35, (PAGE_BYTES - 12) * 32 // 255 - 23
_INT_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def records(image: bytes | bytearray) -> Iterator[list[Any]]:
    """The records of all leaves: integers, text, bytes and None, by column."""
    for start in range(0, len(image) - PAGE_BYTES + 1, PAGE_BYTES):
        header = start if start else _FILE_HEADER_BYTES
        if image[header] != _LEAF_OF_TABLE:
            continue
        first = header + _LEAF_HEADER_BYTES
        cells = min(_number(image, header + 3, 2), (PAGE_BYTES - _LEAF_HEADER_BYTES) // 2)
        for at in range(first, min(first + 2 * cells, start + PAGE_BYTES - 1), 2):
            try:
                yield _record(_payload(image, start, _number(image, at, 2)))
            except (IndexError, ValueError):
                continue


def _payload(image: bytes | bytearray, page: int, offset: int) -> bytes:
    size, at = _varint(image, page + offset)
    _, at = _varint(image, at)
    if size > MOST_RECORD_BYTES:
        raise ValueError("no record is so large")
    if size <= _MOST_LOCAL:
        return bytes(image[at : at + size])
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    if local > _MOST_LOCAL:
        local = _LEAST_LOCAL
    parts = [bytes(image[at : at + local])]
    following, missing = _number(image, at + local, 4), size - local
    while missing > 0:
        start = (following - 1) * PAGE_BYTES
        if following == 0 or start + PAGE_BYTES > len(image):
            raise ValueError("the chain of pages breaks off")
        parts.append(bytes(image[start + 4 : start + min(PAGE_BYTES, 4 + missing)]))
        following, missing = _number(image, start, 4), missing - PAGE_BYTES + 4
    return b"".join(parts)


def _record(payload: bytes) -> list[Any]:
    end, at = _varint(payload, 0)
    kinds, values, body = [], [], end
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    for kind in kinds:
        value, size = _value(payload, body, kind)
        values.append(value)
        body += size
    if body != len(payload):
        raise ValueError("the columns do not fill the record")
    return values


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    """A column and its size in bytes."""
    if kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind], 0
    if kind in _INT_BYTES:
        size = _INT_BYTES[kind]
        return int.from_bytes(payload[at : at + size], "big", signed=True), size
    if kind < 12:
        raise ValueError("no column of the outbox is of this type")
    size = (kind - 12) // 2
    raw = payload[at : at + size]
    return (raw.decode("utf-8", "replace") if kind % 2 else raw), size


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    number = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at
    return number << 8 | data[at], at + 1


def _number(data: bytes | bytearray, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


__all__ = ["records"]
