"""AD8232 breakout on an Arduino or ESP32 that prints lines of text."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from firmware_bridge.devices.options import chosen_word, positive, whole_number
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import SerialProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, StreamFormat

__all__ = ["Ad8232Decoder"]

GAIN = 1100.0
"""Of SparkFun's breakout and its copies: 100 in the chip's first stage, 11 in its filter."""
LINE_MAX_BYTES = 64
VALUE = rb"(\d{1,6}(?:\.\d{0,6})?|!?)"
COLUMNS = {
    "value": re.compile(VALUE),
    "value,leadoff": re.compile(VALUE + rb"\s*,\s*([01])"),
    "millis,value": re.compile(rb"(\d{1,10})\s*,\s*" + VALUE),
}
PLAIN = re.compile(rb"(?:\d{1,6}\r? )*\d{1,6}\r?")
NO_CONTACT = (b"", b"!")
"""Lines in place of a sample; they hold for any columns."""
WRAP_MS = 1 << 32
MISSING_PERIODS = 2.5
"""So many periods from stamp to stamp, and a sample between them is missing for certain."""


class _Line(NamedTuple):
    """One sample. time_ns: of the board's clock, None without one. is_next: whether no sample is
    missing before it."""

    uv: float
    is_off: bool
    time_ns: int | None = None
    is_next: bool = True


class Ad8232Decoder:
    """Lines of text to frames of one lead in microvolts; half the converter's range is 0 uV.

    A line is a number as the converter gives it, or volts where it has a decimal point. A line
    with `!`, or none at all, is a sample without contact: 0 uV, lead off. The first line after
    opening is dropped, as the port may have been opened within it. Other lines are bad. Lines that
    arrive together make one frame as long as contact and time are the same. Nothing guards a line
    but its form and range: a digit altered on the way goes unseen.

    Such sketches sample as fast as they print, about 200 a second at 9600 baud, and not evenly.
    Without a clock the samples count as taken at `rate`: measure it (`edge probe`) and say it, as
    heart rate is as wrong as it is. With `millis,value` the board's clock tells loss and drift.

    Options: columns: `value`, `value,leadoff` (1: no contact) or `millis,value`; rate in hertz;
    bits and vref (volts) of the converter, 10 and 5 for an Uno, 12 and 3.3 for an ESP32; gain of
    the breakout.

    Sources: Heart_Rate_Display_Arduino.ino of github.com/sparkfun/AD8232_Heart_Rate_Monitor; the
    other columns are those of common sketches. Spec-tested, not capture-tested.
    """

    serial = SerialProfile(9600, settle_s=2.0)

    def __init__(
        self,
        columns: object = "value",
        rate: object = 200,
        vref: object = 5,
        bits: object = 10,
        gain: object = GAIN,
    ) -> None:
        self._columns = chosen_word("columns", columns, COLUMNS)
        self._pattern = COLUMNS[self._columns]
        rate_hz = positive("rate", rate)
        self._format = StreamFormat(rate_hz, ("ECG",))
        self._limit = 1 << whole_number("bits", bits, 8, 24)
        self._vref_v = positive("vref", vref)
        self._uv_per_volt = 1e6 / positive("gain", gain)
        self._tally = Tally()
        self._pending = b""
        self._cut_bytes = 0
        self.reset()

    def push(self, packet: Packet) -> list[Frame]:
        """The frames of the lines completed by these bytes; their borders depend on chunking."""
        self._tally.bytes += len(packet.data)
        *complete, rest = (self._pending + packet.data).split(b"\n")
        frames = self._plain(complete) or self._mixed(complete)
        self._pending = rest[: LINE_MAX_BYTES + 1]
        self._cut_bytes += len(rest) - len(self._pending)
        return frames

    def start_commands(self) -> tuple[bytes, ...]:
        """None: the board prints from the moment it runs."""
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: the board never rests."""
        return ()

    def reset(self) -> None:
        """Forget a line half received and the board's clock; the next line is dropped."""
        self._tally.skipped_bytes += len(self._pending) + self._cut_bytes
        self._pending = b""
        self._cut_bytes = 0
        self._is_first = True
        has_stamps = self._columns == "millis,value"
        self._clock = _LineClock(1e3 / self._format.rate_hz) if has_stamps else None

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are lines."""
        return self._tally.count

    def _line(self, raw: bytes) -> _Line | None:
        """The sample of a line, None where it has none; its bytes are accounted for."""
        size = len(raw) + 1 + self._cut_bytes
        self._cut_bytes = 0
        if self._is_first:
            self._is_first = False
            self._tally.skipped_bytes += size
            return None
        sample = self._sample(raw.strip()) if len(raw) <= LINE_MAX_BYTES else None
        if sample is None:
            self._tally.bad(size)
        else:
            self._tally.frames += 1
        return sample

    def _sample(self, text: bytes) -> _Line | None:
        if text in NO_CONTACT:
            return self._placed(0.0, True, None)
        found = self._pattern.fullmatch(text)
        if found is None:
            return None
        first, last = found[1], found[found.re.groups]
        stamp_ms = int(first) if self._clock else None
        value = first if stamp_ms is None else last
        is_off = value in NO_CONTACT or (self._columns == "value,leadoff" and last == b"1")
        uv = 0.0 if value in NO_CONTACT else self._microvolts(value)
        if uv is None or (stamp_ms or 0) >= WRAP_MS:
            return None
        return self._placed(uv, is_off, stamp_ms)

    def _microvolts(self, value: bytes) -> float | None:
        """Of volts or of a number of the converter; None where it has no such value."""
        if b"." in value:
            volts = float(value)
            is_possible = volts <= self._vref_v
        else:
            volts = int(value) * self._vref_v / self._limit
            is_possible = int(value) < self._limit
        return (volts - self._vref_v / 2) * self._uv_per_volt if is_possible else None

    def _placed(self, uv: float, is_off: bool, stamp_ms: int | None) -> _Line:
        if self._clock is None:
            return _Line(uv, is_off)
        return _Line(uv, is_off, *self._clock.place(stamp_ms))

    def _plain(self, complete: list[bytes]) -> list[Frame]:
        """What `_mixed` makes of lines that are but numbers of the converter, only faster.

        Empty for other lines; nothing has happened then.
        """
        if self._columns != "value" or self._is_first or self._cut_bytes:
            return []
        block = b" ".join(complete)
        if not PLAIN.fullmatch(block):
            return []
        numbers = np.fromstring(block, np.float64, sep=" ")
        if numbers.max() >= self._limit:
            return []
        self._tally.frames += len(complete)
        volts = numbers * self._vref_v / self._limit
        uv = (volts - self._vref_v / 2) * self._uv_per_volt
        return [Frame(self._format, uv.astype(np.float32).reshape(-1, 1))]

    def _mixed(self, complete: list[bytes]) -> list[Frame]:
        lines = [line for raw in complete if (line := self._line(raw)) is not None]
        return self._frames(lines) if lines else []

    def _frames(self, lines: list[_Line]) -> list[Frame]:
        """One for each run of lines with the same contact and no sample missing between them."""
        starts = [0] + [
            k
            for k, (before, line) in enumerate(pairwise(lines), 1)
            if line.is_off != before.is_off or not line.is_next
        ]
        samples_uv = np.array([line.uv for line in lines], np.float32).reshape(-1, 1)
        return [
            Frame(
                self._format,
                samples_uv[start:stop],
                device_time_ns=lines[start].time_ns,
                lead_off=int(lines[start].is_off),
            )
            for start, stop in pairwise([*starts, len(lines)])
        ]


class _LineClock:
    """Times of lines that carry the board's `millis()`; one without follows the line before."""

    def __init__(self, period_ms: float) -> None:
        self._period_ms = period_ms
        self._stamp_ms: int | None = None
        self._time_ms: float | None = None
        self._ahead_ms = 0.0
        """Of our time before the stamps."""

    def place(self, stamp_ms: int | None) -> tuple[int, bool]:
        """Time in nanoseconds; whether no sample is missing since the line before."""
        before_ms = self._time_ms
        expected_ms = 0.0 if before_ms is None else before_ms + self._period_ms
        if stamp_ms is None:
            self._time_ms = expected_ms
        else:
            self._time_ms = stamp_ms + self._offset_ms(stamp_ms, expected_ms)
        is_next = before_ms is None or (
            0 <= self._time_ms - before_ms < MISSING_PERIODS * self._period_ms
        )
        return round(self._time_ms * 1e6), is_next

    def _offset_ms(self, stamp_ms: int, expected_ms: float) -> float:
        """Times before the first stamp begin at 0; the stamp wraps, and restarts with the board."""
        before_ms, self._stamp_ms = self._stamp_ms, stamp_ms
        if before_ms is None:
            self._ahead_ms = expected_ms - stamp_ms if self._time_ms is not None else 0.0
        elif stamp_ms < before_ms:
            is_wrap = before_ms - stamp_ms > WRAP_MS // 2
            self._ahead_ms = self._ahead_ms + WRAP_MS if is_wrap else 0.0
        return self._ahead_ms
