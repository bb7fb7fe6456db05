"""Records in a file, each with a mark and a checksum: whatever happens to the file, what is read
is what was written.

    mark   4 bytes  FF 45 52 00
    kind   u8
    length u32      of the payload, in bytes
    crc    u32      CRC-32 (as zlib has it) of kind, length and payload
    payload

All numbers are little-endian. A damaged record is left out, and reading goes on at the next mark
from which a whole record follows.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

__all__ = ["PAYLOAD_MAX", "Kind", "Raw", "framed", "raw_records"]

MARK = b"\xffER\x00"
"""Begins with a byte that no text in UTF-8 has."""

HEAD = struct.Struct("<4sBII")
_CHECKED = struct.Struct("<BI")
PAYLOAD_MAX = 1 << 22
_STEP = 1 << 16


class Kind(IntEnum):
    """What a record holds."""

    HEADER = 1
    FORMAT = 2
    SAMPLES = 3
    GAP = 4
    NOTES = 5


@dataclass(frozen=True, slots=True)
class Raw:
    """One intact record. skipped: damaged bytes between the record before it and this one."""

    kind: int
    payload: bytes
    skipped: int = 0


def framed(kind: Kind, payload: bytes) -> bytes:
    """The record as bytes. Raises ValueError where the payload is longer than `PAYLOAD_MAX`."""
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"a record of {len(payload)} bytes: at most {PAYLOAD_MAX} fit")
    crc = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(kind, len(payload))))
    return HEAD.pack(MARK, kind, len(payload), crc) + payload


def raw_records(file: BinaryIO) -> Iterator[Raw]:
    """All intact records of a seekable file, in order; a torn end is left out."""
    at, expected = 0, 0
    while (start := _next_mark(file, at)) is not None:
        record = _record_at(file, start)
        if record is None:
            at = start + 1
            continue
        kind, payload = record
        yield Raw(kind, payload, start - expected)
        at = expected = start + HEAD.size + len(payload)


def _record_at(file: BinaryIO, start: int) -> tuple[int, bytes] | None:
    """Kind and payload of the record that begins there, None where none is whole."""
    file.seek(start)
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    mark, kind, length, crc = HEAD.unpack(head)
    if mark != MARK or length > PAYLOAD_MAX:
        return None
    payload = file.read(length)
    found = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(kind, length)))
    return (kind, payload) if len(payload) == length and found == crc else None


def _next_mark(file: BinaryIO, at: int) -> int | None:
    """Where the first mark from `at` on begins."""
    file.seek(at)
    if file.read(len(MARK)) == MARK:
        return at
    while True:
        file.seek(at)
        window = file.read(_STEP)
        found = window.find(MARK)
        if found >= 0:
            return at + found
        if len(window) < _STEP:
            return None
        at += _STEP - len(MARK) + 1
