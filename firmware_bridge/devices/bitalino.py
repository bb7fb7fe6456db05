"""BITalino (r)evolution: up to six analogue channels over Bluetooth, classic or Low Energy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_bridge.devices.checksums import crc4
from firmware_bridge.devices.frame_lock import NO_KEY, FrameLock
from firmware_bridge.devices.options import chosen_number, chosen_numbers
from firmware_bridge.devices.sample_runs import runs
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile, SerialProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, StreamFormat

__all__ = ["BitalinoDecoder"]

SERVICE = "c566488a-0882-4e1b-a6d0-0b717e652234"
COMMANDS = "4051eb11-bf0a-4c74-8730-a48f4193fcea"
FRAMES = "40fdba6b-672e-47c4-808a-e529adff3633"

CHANNELS = 6
RATE_COMMANDS = {100: b"\x83", 1000: b"\xc3"}
STOP = b"\x00"
COUNTS = 16
STATUS_BITS = 12
"""Counter, checksum and digital channels, 4 bits each, above the analogue values."""
WIDE_BITS, WIDE_CHANNELS, NARROW_BITS = 10, 4, 6
SUPPLY_UV, SENSOR_GAIN = 3.3e6, 1100.0
SPAN_UV = SUPPLY_UV / SENSOR_GAIN


class BitalinoDecoder:
    """Frames of a BITalino (r)evolution to frames, 100 or 1000 Hz.

    Source: PLUX's own library and firmware (BITalinoWorld: revolution-python-api,
    firmware-bitalino-revolution). Spec-tested, not capture-tested.

    A frame has no header, but a 4-bit checksum and a 4-bit counter: the decoder slides along the
    bytes until three frames in a row are right, and gives no frame whose checksum is wrong. So
    short a checksum sees all errors within 4 bits, of others 15 in 16. The counter knows 16
    frames and there is no clock, so where many are lost at once nothing tells how many.

    rate: 100 or 1000 (the 1 and 10 Hz of the device are too slow for an ECG). channels: the
    inputs that the device is told to read, such as "1,2" or "A1,A2"; the first four have 10 bits,
    the fifth and sixth 6. ecg: those that are delivered; all by default. Microvolts are those of
    PLUX's ECG sensor (gain 1100, 3.3 V): at 10 bits 2.93 uV a count, from -1500 to 1497 uV.
    """

    gatt = GattProfile(control=COMMANDS, data=(FRAMES,), services=(SERVICE,), name="BITalino*")
    serial = SerialProfile(baud=115_200)

    def __init__(
        self,
        rate: int | str = 1000,
        channels: str | Sequence[int] = "2",
        ecg: str | Sequence[int] | None = None,
    ) -> None:
        self._rate_hz = chosen_number("rate", rate, RATE_COMMANDS)
        self._inputs = tuple(sorted(_inputs("channels", channels)))
        leads = self._inputs if ecg is None else _inputs("ecg", ecg)
        missing = sorted(set(leads) - set(self._inputs))
        if missing:
            read = ",".join(str(number) for number in self._inputs)
            raise ValueError(f"ecg names input {missing[0]}, but channels are {read}")
        self._format = StreamFormat(float(self._rate_hz), tuple(f"A{lead}" for lead in leads))
        self._arrange(leads)
        self._tally = Tally()
        self._lock = FrameLock(
            self._size, self._key, _follows, self._tally, confirm=3, strict=True, trusted=False
        )

    def reset(self) -> None:
        """Forget frames half received; counts stay."""
        self._lock.reset()

    def push(self, packet: Packet) -> list[Frame]:
        """The samples that these bytes complete, those without a gap between in one frame."""
        if packet.channel not in ("", FRAMES):
            self._tally.bytes += len(packet.data)
            self._tally.skipped_bytes += len(packet.data)
            return []
        wires = self._lock.push(packet.data)
        if not wires:
            return []
        self._tally.frames += len(wires)
        rows = [self._counts(wire) for wire in wires]
        samples_uv = (np.array(rows, np.float32) * self._step_uv) + self._lowest_uv
        counters = [wire[-1] >> 4 for wire in wires]
        return [
            Frame(self._format, samples_uv[run], counters[run.start], COUNTS)
            for run in runs(counters, COUNTS, [0] * len(wires))
        ]

    def start_commands(self) -> tuple[bytes, ...]:
        """Stop what may run still, set the rate, and read the channels."""
        mask = sum(1 << number + 1 for number in self._inputs)
        return (STOP, RATE_COMMANDS[self._rate_hz], bytes([1 | mask]))

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop reading."""
        return (STOP,)

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are samples."""
        return self._tally.count

    def _arrange(self, leads: Sequence[int]) -> None:
        """Where values lie in a frame read as a little-endian number, counter uppermost."""
        wide = min(len(self._inputs), WIDE_CHANNELS)
        narrow = len(self._inputs) - wide
        bits = STATUS_BITS + WIDE_BITS * wide + NARROW_BITS * narrow
        self._size = -(-bits // 8)
        self._unused = (1 << 8 * self._size - bits) - 1
        fields, widths = [], []
        for lead in leads:
            place = self._inputs.index(lead)
            width = WIDE_BITS if place < WIDE_CHANNELS else NARROW_BITS
            above = WIDE_BITS * min(place, WIDE_CHANNELS) + NARROW_BITS * max(0, place - 4)
            shift = 8 * self._size - STATUS_BITS - above - width
            fields.append((shift, (1 << width) - 1))
            widths.append(width)
        self._fields = tuple(fields)
        self._step_uv = np.array([SPAN_UV / (1 << width) for width in widths], np.float32)
        self._lowest_uv = np.float32(-SPAN_UV / 2)

    def _counts(self, wire: bytes) -> list[int]:
        value = int.from_bytes(wire, "little")
        return [value >> shift & mask for shift, mask in self._fields]

    def _key(self, data: bytes, at: int) -> int:
        """Counter of a frame whose checksum is right and whose unused bits are 0."""
        end = at + self._size - 1
        counter, checksum = data[end] >> 4, data[end] & 0x0F
        remainder = crc4((crc4(data[at:end]) ^ counter,))  # over all half bytes but the last
        return counter if remainder == checksum and not data[at] & self._unused else NO_KEY


def _inputs(name: str, value: str | Sequence[int]) -> tuple[int, ...]:
    bare = value.upper().replace("A", "") if isinstance(value, str) else value
    return chosen_numbers(name, bare, 1, CHANNELS)


def _follows(before: int, after: int, frames: int) -> bool:
    return (after - before) % COUNTS == max(1, frames) % COUNTS
