"""Polar Measurement Data (PMD): the service through which Polar's sensors stream.

Commands and replies of its control point, the header of its data and the times in it. Source:
polar-ble-sdk (polarofficial), technical_documentation/online_measurement.pdf and the classes
PmdControlPointResponse, PmdSetting and PmdTimeStampUtils. All integers are little-endian.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from firmware_bridge.devices.options import chosen_word
from firmware_bridge.stream import NS_PER_S

__all__ = [
    "ACC",
    "CHANNELS",
    "ECG",
    "GET_SETTINGS",
    "PMD_CONTROL",
    "PMD_DATA",
    "PMD_SERVICE",
    "PPG",
    "PPI",
    "RANGE",
    "RATE",
    "RESOLUTION",
    "SDK_MODE",
    "START",
    "Data",
    "Features",
    "Reply",
    "SampleClock",
    "Stopped",
    "choose_settings",
    "parse_control",
    "parse_factor",
    "parse_settings",
    "rate_option",
    "settings_command",
    "split_data",
    "start_command",
    "stop_command",
]

PMD_SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
PMD_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
PMD_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

ECG, PPG, ACC, PPI, SDK_MODE = 0, 1, 2, 3, 9
"""Measurements; the last is a mode that is switched like one."""
TYPE_MASK = 0x3F

GET_SETTINGS, START, STOP = 1, 2, 3
FEATURES, STOPPED_BY_DEVICE, REPLY = 0x0F, 0x01, 0xF0
FEATURE_BITS = 16

RATE, RESOLUTION, RANGE, RANGE_MILLI, CHANNELS, FACTOR, SECURITY = range(7)
VALUE_BYTES = {RATE: 2, RESOLUTION: 2, RANGE: 2, RANGE_MILLI: 4, CHANNELS: 1, FACTOR: 4}
VALUE_BYTES[SECURITY] = 16
USUAL_RANGE_G = 8

ACCEPTED = (0, 6)  # success; already in the state asked for
MTU_TOO_SMALL = 10
STATUS = {
    1: "it does not know the command",
    2: "it does not know the measurement",
    3: "it does not support this",
    4: "length of the command",
    5: "a setting",
    7: "resolution",
    8: "rate",
    9: "range",
    MTU_TOO_SMALL: (
        "the MTU is too small; connect again, or raise ExchangeMTU in BlueZ's main.conf to 70"
    ),
    11: "channels",
    12: "its state forbids it",
    13: "it is in its charger",
    14: "its storage is full",
}

HEADER = struct.Struct("<BQB")
Data = tuple[int, int, int, bytes]
"""Measurement, time of the last sample in ns, frame type and content of a notification."""
STEP_TOLERANCE = 0.05
"""Specified deviation of the H10's rate over its whole range of temperature."""


@dataclass(frozen=True, slots=True)
class Features:
    """What a sensor can measure (the value of its control point when read)."""

    measurements: frozenset[int]


@dataclass(frozen=True, slots=True)
class Stopped:
    """A sensor ended these measurements by itself."""

    measurements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """A sensor's answer to a command. more: its parameters go on in the next reply."""

    op: int
    measurement: int
    status: int
    more: bool = False
    parameters: bytes = b""

    @property
    def refused(self) -> bool:
        """Whether the command was not carried out; being in that state already is no refusal."""
        return self.status not in ACCEPTED

    @property
    def why(self) -> str:
        """The status in words."""
        return STATUS.get(self.status, f"status {self.status}")

    @property
    def starts(self) -> bool:
        """Whether it tells of a start; a link too small is also told with other op codes."""
        return self.op == START or self.status == MTU_TOO_SMALL


def settings_command(measurement: int) -> bytes:
    """Ask which settings a measurement offers."""
    return bytes([GET_SETTINGS, measurement])


def start_command(measurement: int, settings: Iterable[tuple[int, int]] = ()) -> bytes:
    """Start a measurement with one value for each setting, in the order given."""
    chosen = b"".join(
        bytes([kind, 1]) + value.to_bytes(VALUE_BYTES[kind], "little") for kind, value in settings
    )
    return bytes([START, measurement]) + chosen


def stop_command(measurement: int) -> bytes:
    """Stop a measurement."""
    return bytes([STOP, measurement])


def parse_control(data: bytes) -> Features | Stopped | Reply | None:
    """What the control point says, by notification or when read; None where it is damaged."""
    first = data[0] if data else -1
    if first == FEATURES and len(data) >= 2:
        bits = int.from_bytes(data[1:3], "little")
        return Features(frozenset(bit for bit in range(FEATURE_BITS) if bits >> bit & 1))
    if first == STOPPED_BY_DEVICE:
        return Stopped(tuple(value & TYPE_MASK for value in data[1:]))
    if first != REPLY or len(data) < 4:
        return None
    more = len(data) > 4 and data[4] != 0 and data[3] == 0
    return Reply(data[1], data[2] & TYPE_MASK, data[3], more, data[5:])


def parse_settings(parameters: bytes) -> dict[int, tuple[int, ...]]:
    """Values by setting, in the order of the reply; what is cut off or unknown ends them."""
    settings: dict[int, tuple[int, ...]] = {}
    at = 0
    while at + 2 <= len(parameters) and parameters[at] in VALUE_BYTES:
        kind, count = parameters[at], parameters[at + 1]
        size = VALUE_BYTES[kind]
        stop = at + 2 + count * size
        if stop > len(parameters):
            break
        starts = range(at + 2, stop, size)
        settings[kind] = tuple(int.from_bytes(parameters[i : i + size], "little") for i in starts)
        at = stop
    return settings


def choose_settings(
    offered: Mapping[int, tuple[int, ...]], rate_hz: int
) -> tuple[tuple[int, int], ...]:
    """One value for each setting offered: this rate, a range of 8 g, else the largest there is."""
    wanted = {RATE: rate_hz, RANGE: USUAL_RANGE_G}
    return tuple(
        (kind, wanted[kind] if wanted.get(kind) in values else max(values))
        for kind, values in offered.items()
        if values and kind not in (FACTOR, SECURITY)
    )


def parse_factor(parameters: bytes) -> float | None:
    """What compressed samples are to be multiplied by; None where a reply does not tell."""
    values = parse_settings(parameters).get(FACTOR, ())
    if not values:
        return None
    (factor,) = struct.unpack("<f", values[0].to_bytes(4, "little"))
    return factor if math.isfinite(factor) and factor > 0 else None


def split_data(data: bytes) -> Data | None:
    """A data notification in its parts; None where it is too short for its header.

    The time counts from 2000-01-01 where the clock of the sensor was set.
    """
    if len(data) < HEADER.size:
        return None
    measurement, last_ns, frame_type = HEADER.unpack_from(data)
    return measurement & TYPE_MASK, last_ns, frame_type, data[HEADER.size :]


class SampleClock:
    """From the time of the last sample of a frame, which is sent, to that of the first.

    The step from sample to sample is measured from frame to frame where no sample is missing,
    and nominal until then. rate_hz: nominal.
    """

    def __init__(self, rate_hz: float) -> None:
        self._nominal_step_ns = NS_PER_S / rate_hz
        self.reset()

    def reset(self) -> None:
        """Forget the clock of the former connection."""
        self._last_ns: int | None = None
        self._step_ns = self._nominal_step_ns

    def first_ns(self, last_ns: int, samples: int) -> int:
        """Time of the first of `samples`; repeated and backward times are passed on."""
        before_ns, self._last_ns = self._last_ns, last_ns
        if before_ns is not None:
            step_ns = (last_ns - before_ns) / samples
            if abs(step_ns / self._nominal_step_ns - 1) <= STEP_TOLERANCE:
                self._step_ns = step_ns
        return last_ns - round(self._step_ns * (samples - 1))


def rate_option(option: str, value: object, allowed_hz: tuple[int, ...]) -> int | None:
    """Hertz that an option asks for, None for `off`; ValueError names what is allowed."""
    word = chosen_word(option, value, ("off", *map(str, allowed_hz)))
    return None if word == "off" else int(word)
