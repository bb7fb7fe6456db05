"""Zephyr BioHarness 3 chest strap over Bluetooth's serial port (SPP).

A message is `02 | id | length | payload | CRC-8/MAXIM of the payload | end`; the end is 03, or 06
and 15 where the strap accepts or refuses a command. Source: github.com/jpaalasm/zephyr-bt.
"""

from __future__ import annotations

from collections import deque
from datetime import date
from functools import lru_cache
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices.checksums import crc8_maxim
from firmware_bridge.devices.integers import uint10_le
from firmware_bridge.devices.options import chosen_word, positive
from firmware_bridge.devices.resync import NO_FRAME, UNDECIDED, Resync
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import SerialProfile
from firmware_bridge.stream import (
    DecodeCount,
    Frame,
    HeartRate,
    Packet,
    Reading,
    StreamFormat,
    Waveform,
)

__all__ = ["BioHarnessDecoder"]

START, END, ACCEPTED, REFUSED = 0x02, 0x03, 0x06, 0x15
ENDS = (END, ACCEPTED, REFUSED)
PAYLOAD_AT, OVERHEAD_BYTES, PAYLOAD_MAX = 3, 5, 128

BREATHING, ECG, INTERVALS, ACCELERATION, SUMMARY = 0x21, 0x22, 0x24, 0x25, 0x2B
PAYLOAD_BYTES = {BREATHING: 32, ECG: 88, INTERVALS: 45, ACCELERATION: 84}
SET_ECG, SET_SUMMARY, LIFE_SIGN = 0x16, 0xBD, 0x23
SWITCHES = {"rr": 0x19, "summary": SET_SUMMARY, "breathing": 0x15, "accel": 0x1E}
COMMANDS = {SET_ECG: "ECG"} | {identifier: name for name, identifier in SWITCHES.items()}

FORMAT = StreamFormat(250.0, ("ECG",))
ECG_SAMPLES = 63
PACKET_NS = ECG_SAMPLES * 4_000_000
COUNTER_MODULUS = 256 * ECG_SAMPLES
MIDDLE = 512
UV_PER_LSB = 13.4
MG_PER_LSB = 1000 / 20.75
JITTER_MAX_NS = 50_000_000
"""Stamps of packets that are 252 ms apart lie 245 to 259 ms apart (recording of zephyr-bt)."""
SMOOTHING = 16

STAMP = Struct("<BHBBI")  # sequence, year, month, day, milliseconds of the day
STAMP_BYTES = STAMP.size
DAY_MS, NS_PER_MS = 86_400_000, 1_000_000
HEART_RATE_AT, BATTERY_AT = 10, 24
BPM_MAX = 240
KEPT_READINGS = 256


class BioHarnessDecoder:
    """Messages of a BioHarness 3 to frames of 63 samples, 250 Hz, of one lead.

    also: what to switch on beside the ECG, of "rr", "summary", "breathing", "accel"; all come as
    readings, heart rate and battery from the summary. uv_per_lsb: 13.4, from memory; the
    maker calls the ECG good for debugging only.

    The packet's sequence is the counter (it turns after 64.5 s). The clock, date and millisecond
    of the day, tells whole turns and jitters by some milliseconds, so that it is smoothed while
    the sequence goes on. The strap is told every 3 s that the host lives; it closes a link that
    is silent for 10 to 30 s. It tells no contact here.

    Source: zephyr-bt; scale and the place of the battery in the summary from memory. Spec-tested,
    not capture-tested.
    """

    serial = SerialProfile(115_200)
    keep_alive_s = 3.0

    def __init__(self, also: str = "rr,summary", uv_per_lsb: float | str = UV_PER_LSB) -> None:
        self._also = _chosen(also)
        self._uv = np.float32(positive("uv_per_lsb", uv_per_lsb))
        self._tally = Tally()
        longest = PAYLOAD_MAX + OVERHEAD_BYTES
        self._messages = Resync(bytes([START]), self._measure, longest, self._tally)
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)
        self._refusals = 0
        self._last_refusal = ""
        self._bpm = 0.0
        self._battery_percent: int | None = None
        self._forget()

    def push(self, packet: Packet) -> list[Frame]:
        """The frames of the messages that these bytes complete."""
        frames = (self._message(wire) for wire in self._messages.push(packet.data))
        return [frame for frame in frames if frame is not None]

    def start_commands(self) -> tuple[bytes, ...]:
        """Switch on the ECG and what else was chosen."""
        return self._switch(1)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Switch off what was switched on."""
        return self._switch(0)

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """The sign of life that keeps the link open."""
        return (_message(LIFE_SIGN, b""),)

    def replies(self) -> tuple[bytes, ...]:
        """None: the strap waits for no answer."""
        return ()

    def reset(self) -> None:
        """Forget a message half received, the sequence and the clock."""
        self._messages.reset()
        self._forget()

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are those of ECG."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How many commands the strap refused since the decoder was made."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """Which command it refused last; empty if none."""
        return self._last_refusal

    def readings(self) -> tuple[Reading, ...]:
        """Heart rates, breathing, movement since the last call; the last 256 are kept."""
        told = tuple(self._readings)
        self._readings.clear()
        return told

    def _forget(self) -> None:
        self._sequence: int | None = None
        self._clock_ns = 0
        self._is_negative: bool | None = None

    def _switch(self, on: int) -> tuple[bytes, ...]:
        commands = [_message(SET_ECG, bytes([on]))]
        for name in self._also:
            payload = bytes([on, 0] if name == "summary" else [on])  # seconds between summaries
            commands.append(_message(SWITCHES[name], payload))
        return tuple(commands)

    def _measure(self, data: bytes) -> int:
        """A message whose length or checksum is wrong is bad where its kind is known."""
        if len(data) < PAYLOAD_AT:
            return UNDECIDED
        identifier, length = data[1], data[2]
        known = PAYLOAD_BYTES.get(identifier)
        if length > PAYLOAD_MAX or (known is not None and length != known):
            return NO_FRAME
        size = length + OVERHEAD_BYTES
        if len(data) < size:
            return UNDECIDED
        checksum, end = data[size - 2], data[size - 1]
        if end in ENDS and crc8_maxim(data[PAYLOAD_AT : size - 2]) == checksum:
            return size
        self._tally.bad_frames += known is not None
        return NO_FRAME

    def _message(self, wire: bytes) -> Frame | None:
        identifier, payload = wire[1], wire[PAYLOAD_AT:-2]
        if identifier == ECG:
            return self._ecg(payload)
        if identifier == SUMMARY and len(payload) > BATTERY_AT:
            self._summary(payload)
        elif identifier == INTERVALS:
            self._intervals(payload)
        elif identifier == BREATHING:
            self._wave("resp", payload)
        elif identifier == ACCELERATION:
            self._wave("acc", payload)
        elif wire[-1] == REFUSED:
            self._refusals += 1
            what = COMMANDS.get(identifier, f"command {identifier:#04x}")
            self._last_refusal = f"BioHarness refused to switch {what}"
        elif wire[-1] != ACCEPTED:
            self._tally.skipped_bytes += len(wire)
        return None

    def _ecg(self, payload: bytes) -> Frame:
        sequence, stamp_ns = _stamp(payload)
        clock_ns = self._smoothed_ns(sequence, stamp_ns)
        self._sequence, self._clock_ns = sequence, clock_ns
        self._tally.frames += 1
        samples_uv = _ten_bits(payload)
        samples_uv *= self._uv
        return Frame(
            format=FORMAT,
            samples_uv=samples_uv.reshape(-1, 1),
            counter=sequence * ECG_SAMPLES,
            counter_modulus=COUNTER_MODULUS,
            device_time_ns=clock_ns,
            battery_percent=self._battery_percent,
        )

    def _smoothed_ns(self, sequence: int, stamp_ns: int) -> int:
        if self._sequence is None or sequence != (self._sequence + 1) & 0xFF:
            return stamp_ns
        expected_ns = self._clock_ns + PACKET_NS
        late_ns = stamp_ns - expected_ns
        return stamp_ns if abs(late_ns) > JITTER_MAX_NS else expected_ns + late_ns // SMOOTHING

    def _summary(self, payload: bytes) -> None:
        bpm = int.from_bytes(payload[HEART_RATE_AT : HEART_RATE_AT + 2], "little")
        self._bpm = float(bpm) if bpm <= BPM_MAX else 0.0
        if payload[BATTERY_AT] <= 100:
            self._battery_percent = payload[BATTERY_AT]
        self._readings.append(HeartRate(self._bpm, battery_percent=self._battery_percent))

    def _intervals(self, payload: bytes) -> None:
        """18 values a second that repeat the last interval; the sign turns at every beat."""
        rr_ms: list[float] = []
        for value in np.frombuffer(payload, "<i2", offset=STAMP_BYTES).tolist():
            is_negative = value < 0
            if self._is_negative not in (None, is_negative):
                rr_ms.append(float(abs(value)))
            self._is_negative = is_negative
        if rr_ms:
            bpm = self._bpm or 60_000 * len(rr_ms) / max(1.0, sum(rr_ms))
            self._readings.append(HeartRate(bpm, tuple(rr_ms)))

    def _wave(self, kind: str, payload: bytes) -> None:
        samples, time_ns = _ten_bits(payload), _stamp(payload)[1]
        if kind == "resp":
            rows = samples.reshape(-1, 1)
            wave = Waveform("resp", "count", ("resp",), 18.0, rows, time_ns)
        else:
            rows = samples.reshape(-1, 3) * np.float32(MG_PER_LSB)
            wave = Waveform("acc", "mg", ("x", "y", "z"), 50.0, rows, time_ns)
        self._readings.append(wave)


def _chosen(also: str) -> tuple[str, ...]:
    names = (name.strip() for name in also.split(","))
    return tuple(chosen_word("also", name, SWITCHES) for name in names if name)


def _message(identifier: int, payload: bytes) -> bytes:
    head = bytes([START, identifier, len(payload)])
    return head + payload + bytes([crc8_maxim(payload), END])


@lru_cache(maxsize=4)
def _day_ms(year: int, month: int, day: int) -> int:
    """Milliseconds until that day; 0 for a date that is none, as before the clock was set."""
    try:
        return date(year, month, day).toordinal() * DAY_MS
    except ValueError:
        return 0


def _stamp(payload: bytes) -> tuple[int, int]:
    """Sequence and time in nanoseconds."""
    sequence, year, month, day, time_ms = STAMP.unpack_from(payload)
    return sequence, (_day_ms(year, month, day) + time_ms) * NS_PER_MS


def _ten_bits(payload: bytes) -> NDArray[np.float32]:
    """The samples of a payload, around 0."""
    return uint10_le(payload[STAMP_BYTES:]) - np.float32(MIDDLE)
