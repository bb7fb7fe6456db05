"""EDF+ files (Kemp and Olivan 2003): 16-bit signals with annotations.

Without gaps EDF+C; with gaps EDF+D, in which a data record that holds no sample at all is left
out. All records begin at whole multiples of their duration after the start, so that every sample
has its place to a microsecond. A sample that is missing within a record has the least number,
-32768, which no sample has, and an annotation says `gap` with its duration.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import BinaryIO

from edge.export.marks import Mark
from edge.export.parts import Part
from edge.export.scale import MISSING, Scale, digital, offset_scale

__all__ = ["write_edf"]

RECORD_BYTES_MAX = 61_440
"""Of one data record, as the specification recommends."""
RECORD_S_MAX = 10
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CENTURY = (1985, 2085)
"""Years that the two digits of the old header can say."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """samples: of a lead in a record. duration_s: as text. records: multiples of the duration
    at which there is one. texts: annotations of each record, as bytes."""

    samples: int
    duration: str
    records: list[int]
    texts: list[bytes]
    annotation_bytes: int
    start: datetime


def write_edf(part: Part, file: BinaryIO) -> None:
    """Write one part."""
    scales = [offset_scale(*each) for each in zip(part.low_uv, part.high_uv, strict=True)]
    layout = _layout(part)
    file.write(_header(part, layout, scales))
    room = layout.annotation_bytes
    for (_, frame), text in zip(part.frames(layout.samples), layout.texts, strict=True):
        file.write(digital(frame, scales).T.astype("<i2").tobytes() + text.ljust(room, b"\0"))


def _layout(part: Part) -> _Layout:
    samples, duration_s = _record(part.format.rate_hz, len(part.format.leads))
    records = list(_records(part, samples))
    start = EPOCH + timedelta(microseconds=part.start_utc_ns // 1000)
    late_s = start.microsecond / 1e6
    duration = _number(duration_s)
    texts = [_tal(late_s + k * float(duration), 0.0, "") for k in records]
    rate_hz = samples / float(duration)
    for mark in [*part.marks, *_ending(part, samples, records)]:
        at = max(0, bisect_right(records, mark.position // samples) - 1)
        onset_s = late_s + mark.position / rate_hz
        texts[at] += _tal(onset_s, mark.length / rate_hz, mark.text)
    room = max(len(text) for text in texts)
    return _Layout(samples, duration, records, texts, room + room % 2, start)


def _record(rate_hz: float, leads: int) -> tuple[int, float]:
    """Samples a lead in a record, and its duration in seconds: whole seconds if it can be."""
    exact = Fraction(rate_hz).limit_denominator(1000)
    seconds = exact.denominator
    if abs(float(exact) - rate_hz) > 1e-9 * rate_hz or seconds > RECORD_S_MAX:
        samples = round(rate_hz)
        return samples, samples / rate_hz
    samples = exact.numerator
    while samples * leads * 2 > RECORD_BYTES_MAX and samples % 2 == 0:
        samples //= 2
    return samples, samples / rate_hz


def _records(part: Part, samples: int) -> Iterator[int]:
    """The records that hold a sample."""
    begin, following = 0, 0
    for gap in [*part.gaps, Mark(part.length, "gap", "")]:
        yield from range(max(begin // samples, following), -(-gap.position // samples))
        following = max(following, -(-gap.position // samples))
        begin = gap.position + gap.length


def _ending(part: Part, samples: int, records: list[int]) -> list[Mark]:
    """Where the samples end before the last record does."""
    left = (records[-1] + 1) * samples - part.length
    return [Mark(part.length, "gap", "gap end of recording", length=left)] if left else []


def _tal(onset_s: float, duration_s: float, text: str) -> bytes:
    """A time-stamped annotation list; one without a text tells when its record begins."""
    plain = "".join(each if each.isprintable() else " " for each in text)
    lasting = f"\x15{_seconds(duration_s)}" if duration_s else ""
    return f"+{_seconds(onset_s)}{lasting}\x14{plain}\x14\0".encode()


def _seconds(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _number(value: float) -> str:
    """A number in at most eight characters."""
    for digits in range(8, 0, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 8 and "e" not in text:
            return text
    return f"{value:.0f}"[:8]


def _header(part: Part, layout: _Layout, scales: list[Scale]) -> bytes:
    leads, start = part.format.leads, layout.start
    count = len(leads) + 1
    kind = "EDF+C" if len(layout.records) == layout.records[-1] + 1 and not part.gaps else "EDF+D"
    year = start.year
    date = f"{start:%d.%m}.{year % 100:02d}" if CENTURY[0] <= year < CENTURY[1] else "01.01.85"
    device = "_".join(part.request.recording.device.split()) or "X"
    begun = f"{start.day:02d}-{MONTHS[start.month - 1]}-{year}"
    fixed = [
        ("0", 8),
        (f"{part.request.recording.patient} X X X", 80),
        (f"Startdate {begun} X X {device}", 80),
        *((date, 8), (f"{start:%H.%M.%S}", 8), (str(256 * (count + 1)), 8), (kind, 44)),
        *((str(len(layout.records)), 8), (layout.duration, 8), (str(count), 4)),
    ]
    each: list[tuple[list[str], int]] = [
        ([*map(_label, leads), "EDF Annotations"], 16),
        ([""] * count, 80),
        (["uV"] * len(leads) + [""], 8),
        ([*(_number(scale.low_uv) for scale in scales), "-1"], 8),
        ([*(_number(scale.high_uv) for scale in scales), "1"], 8),
        ([str(MISSING)] * count, 8),
        (["32767"] * count, 8),
        ([""] * count, 80),
        ([str(layout.samples)] * len(leads) + [str(layout.annotation_bytes // 2)], 8),
        ([""] * count, 32),
    ]
    fixed += [(text, width) for texts, width in each for text in texts]
    return b"".join(_ascii(text, width) for text, width in fixed)


def _label(lead: str) -> str:
    """`ECG I` for lead I, as the specification names them."""
    return lead if lead.upper().startswith("ECG") else f"ECG {lead}"


def _ascii(text: str, width: int) -> bytes:
    printable = "".join(each if " " <= each <= "~" else "?" for each in text)
    return printable.encode()[:width].ljust(width)
