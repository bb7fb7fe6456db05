"""WFDB annotation files in the MIT format (WFDB annot(5)).

A word of 16 bits each: 6 bits of code over 10 bits of samples since the annotation before. Longer
waits, sub-types, channels and texts have codes of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from edge.export.marks import Mark

__all__ = ["write_annotations"]

BEATS = {"N": 1, "V": 5, "F": 6, "S": 9, "Q": 13, "U": 13}
NOISE, NOTE, RHYTHM = 14, 22, 28
CODES = {"rhythm": RHYTHM, "quality": NOISE}
SKIP, SUBTYPE, CHANNEL, TEXT = 59, 61, 62, 63
STEP_MAX = (1 << 10) - 1
SUBTYPE_LEADS = 0x0F


def write_annotations(marks: Iterable[Mark], file: BinaryIO) -> None:
    """Write marks, which must be in order. A beat of no known class is `Q`, unclassifiable."""
    before = channel = 0
    for mark in marks:
        file.write(b"".join(_annotation(mark, mark.position - before, channel)))
        before, channel = mark.position, _channel(mark)
    file.write(_word(0, 0))


def _annotation(mark: Mark, wait: int, channel: int) -> Iterator[bytes]:
    if wait > STEP_MAX:
        yield _word(SKIP, 0) + struct.pack("<HH", wait >> 16, wait & 0xFFFF)
        wait = 0
    is_beat = mark.kind == "beat"
    yield _word(BEATS.get(mark.text, BEATS["Q"]) if is_beat else CODES.get(mark.kind, NOTE), wait)
    if mark.kind == "quality":
        yield _word(SUBTYPE, mark.leads & SUBTYPE_LEADS)
    if _channel(mark) != channel:
        yield _word(CHANNEL, _channel(mark))
    if not is_beat:
        text = mark.text.encode()[:255]
        yield _word(TEXT, len(text)) + text + b"\0" * (len(text) % 2)


def _channel(mark: Mark) -> int:
    """The lead in which a beat was found; other marks are of no lead."""
    return max(mark.leads.bit_length() - 1, 0) if mark.kind == "beat" else 0


def _word(code: int, value: int) -> bytes:
    return struct.pack("<H", code << 10 | value)
