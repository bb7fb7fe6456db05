"""The Heart Rate and Battery services of Bluetooth LE, as many devices have them.

Source: Bluetooth SIG, Heart Rate Service 1.0, 3.1 (measurement), and Battery Service 1.0, 3.1.
"""

from __future__ import annotations

import struct
from collections import deque

from firmware_bridge.stream import HeartRate, Reading

__all__ = [
    "BATTERY_LEVEL",
    "BATTERY_SERVICE",
    "HEART_RATE",
    "HEART_RATE_SERVICE",
    "HeartRateService",
    "parse_battery",
    "parse_heart_rate",
]

HEART_RATE_SERVICE = "0000180d-0000-1000-8000-00805f9b34fb"
BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"

KEPT_READINGS = 256
RATE_IS_U16, CONTACT, CONTACT_SENSED, ENERGY, INTERVALS = 0x01, 0x02, 0x04, 0x08, 0x10
RESERVED = 0xE0
MS_PER_TICK = 1000 / 1024


def parse_heart_rate(data: bytes, battery_percent: int | None = None) -> HeartRate | None:
    """A Heart Rate Measurement (0x2A37); None where it is damaged.

    bpm: 0 to 65,535, as sent. rr_ms: any number of intervals of 0 to 63,999 ms, as sent.
    Energy expended is passed over. battery_percent: goes into the reading.
    """
    if len(data) < 2:
        return None
    flags = data[0]
    at = 3 if flags & RATE_IS_U16 else 2
    bpm = int.from_bytes(data[1:at], "little")
    if flags & ENERGY:
        at += 2
    rest = data[at:]
    if len(data) < at or not _whole(flags, len(rest)):
        return None
    contact = bool(flags & CONTACT) if flags & CONTACT_SENSED else None
    return HeartRate(float(bpm), _intervals_ms(rest, flags), contact, battery_percent)


def parse_battery(data: bytes) -> int | None:
    """A Battery Level (0x2A19): 0 to 100 %; None where it is damaged."""
    return data[0] if len(data) == 1 and data[0] <= 100 else None


class HeartRateService:
    """What a device told through both services, and the readings nobody has taken yet.

    At most 256 readings are kept, the latest. contact: None where the device does not sense it.
    """

    def __init__(self) -> None:
        self.battery_percent: int | None = None
        self.contact: bool | None = None
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)

    def heart_rate(self, data: bytes) -> bool:
        """Take a notification of 0x2A37; whether it is intact."""
        reading = parse_heart_rate(data, self.battery_percent)
        if reading is None:
            return False
        self.contact = reading.contact
        self.tell(reading)
        return True

    def battery(self, data: bytes) -> bool:
        """Take a notification of 0x2A19; whether it is intact."""
        percent = parse_battery(data)
        if percent is None:
            return False
        self.battery_percent = percent
        return True

    def tell(self, reading: Reading) -> None:
        """Add a reading to those that wait to be taken."""
        self._readings.append(reading)

    def readings(self) -> tuple[Reading, ...]:
        """The readings since the last call, in order."""
        told = tuple(self._readings)
        self._readings.clear()
        return told


def _whole(flags: int, rest_bytes: int) -> bool:
    """Whether what follows rate and energy is what the flags say.

    Fields that later versions may add are announced by reserved flags.
    """
    if flags & INTERVALS:
        return rest_bytes % 2 == 0
    return rest_bytes == 0 or bool(flags & RESERVED)


def _intervals_ms(rest: bytes, flags: int) -> tuple[float, ...]:
    if not flags & INTERVALS:
        return ()
    ticks = struct.unpack(f"<{len(rest) // 2}H", rest)
    return tuple(tick * MS_PER_TICK for tick in ticks)
