"""Movesense sensors with the firmware of J. Primbs (movesense-ble-ecg-firmware)."""

from __future__ import annotations

import re
import struct
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices.heart_rate_service import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    HEART_RATE,
    HEART_RATE_SERVICE,
    HeartRateService,
)
from firmware_bridge.devices.options import chosen_number
from firmware_bridge.devices.packet_clock import PacketClock
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, Reading, StreamFormat

__all__ = ["MovesensePrimbsDecoder"]

ACTIVITY_SERVICE = "00001859-0000-1000-8000-00805f9b34fb"
ECG = "00002bf1-0000-1000-8000-00805f9b34fb"
ECG_UNTIL_0_7 = "00002bdd-0000-1000-8000-00805f9b34fb"
INTERVAL_UNTIL_0_7 = "00002be3-0000-1000-8000-00805f9b34fb"

RATES_HZ = (100, 125, 250, 500)
SAMPLE_UV = np.array(0.381469726563, np.float32)
"""The firmware passes the raw values of /Meas/ECG on, cut to 16 bit."""
INVALID = -32768
INVALID_BYTES = b"\x00\x80"
STAMP = struct.Struct("<I")
INTERVAL = struct.Struct("<H")
SAMPLES_MAX = 255
"""In one notification; its firmware sends 16, and no attribute is longer than 512 bytes."""

RATE_TOLERANCE = 0.05
ODD_STEPS = 8
"""So many stamps in a row that fit no packet at our rate are those of another rate."""


class MovesensePrimbsDecoder:
    """Notifications of that firmware to frames of one lead in microvolts.

    The sensor's clock, milliseconds since it woke, tells loss (`PacketClock`). Values beyond
    +-12.5 mV arrive marked as invalid: they are left out, as a gap of just those samples. Contact
    is what its Heart Rate service says. Nothing guards the samples but the link itself.

    Options: firmware: its version, 0.8 or later by default; up to 0.7 it speaks through other
    characteristics. rate (hertz, one of 100, 125, 250, 500): up to 0.7 the sensor is set to it;
    from 0.8 on it is never written to, as the same message also deletes recordings: rate says
    what it is set to. Stamps that contradict the rate make `last_refusal` say so, and no samples
    are given until they fit: a wrong rate would be a wrong heart rate.

    Sources: README and LoggingActivitySvcClient.cpp of
    github.com/JonasPrimbs/movesense-ble-ecg-firmware. Spec-tested, not capture-tested. That the
    scale and the service of 0.8 are those of 0.7 is an assumption.
    """

    def __init__(self, firmware: object = "0.8", rate: object = 250) -> None:
        is_old = _version(firmware) < (0, 8)
        self._rate_hz = chosen_number("rate", rate, RATES_HZ)
        self._interval = INTERVAL.pack(1000 // self._rate_hz) if is_old else b""
        self._data_channel = ECG_UNTIL_0_7 if is_old else ECG
        self.gatt = GattProfile(
            control=INTERVAL_UNTIL_0_7 if is_old else "",
            data=(self._data_channel,),
            side=(HEART_RATE, BATTERY_LEVEL),
            services=(ACTIVITY_SERVICE, HEART_RATE_SERVICE, BATTERY_SERVICE),
            name="Movesense*",
        )
        self._format = StreamFormat(float(self._rate_hz), ("ECG",))
        self._clock = PacketClock(self._rate_hz)
        self._tally = Tally()
        self._heart = HeartRateService()
        self._refusals = 0
        self._last_refusal = ""
        self.reset()

    def push(self, packet: Packet) -> list[Frame]:
        """The frames of one notification; a channel of "" counts as data."""
        data, channel = packet.data, packet.channel
        self._tally.bytes += len(data)
        if channel in (self._data_channel, ""):
            return self._ecg(data)
        if channel == HEART_RATE:
            is_intact = self._heart.heart_rate(data)
        elif channel == BATTERY_LEVEL:
            is_intact = self._heart.battery(data)
        else:
            self._tally.skipped_bytes += len(data)
            return []
        if not is_intact:
            self._tally.bad(len(data))
        return []

    def start_commands(self) -> tuple[bytes, ...]:
        """Up to 0.7 the interval of samples; the stream itself runs while it is subscribed to."""
        return (self._interval,) if self._interval else ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: the stream ends with the subscription."""
        return ()

    def readings(self) -> tuple[Reading, ...]:
        """Heart rates since the last call, in order; firmware 0.5.0 has none."""
        return self._heart.readings()

    def reset(self) -> None:
        """Forget clock and contact of the former connection."""
        self._clock.reset()
        self._heart.contact = None
        self._stamp_ms = self._odd_steps = 0

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are notifications of ECG."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How often the sensor turned out to run at another rate."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """Which rate it runs at, in words; empty if it never was another."""
        return self._last_refusal

    def _ecg(self, data: bytes) -> list[Frame]:
        samples, odd_bytes = divmod(len(data) - STAMP.size, 2)
        if odd_bytes or not 1 <= samples <= SAMPLES_MAX:
            self._tally.bad(len(data))
            return []
        stamp_ms = STAMP.unpack_from(data)[0]
        if not self._fits(stamp_ms, samples):
            self._tally.bad(len(data))
            return []
        digital = np.frombuffer(data, "<i2", offset=STAMP.size)
        first_ns = self._clock.first_ns(stamp_ms, samples)
        self._tally.frames += 1
        if INVALID_BYTES not in data:
            return [self._frame(digital, first_ns)]
        return [
            self._frame(digital[start:stop], first_ns + round(start * 1e9 / self._rate_hz))
            for start, stop in _valid_runs(digital)
        ]

    def _frame(self, digital: NDArray[np.int16], first_ns: int) -> Frame:
        samples_uv = digital.astype(np.float32).reshape(-1, 1)
        samples_uv *= SAMPLE_UV
        return Frame(
            self._format,
            samples_uv,
            device_time_ns=first_ns,
            lead_off=int(self._heart.contact is False),
            battery_percent=self._heart.battery_percent,
        )

    def _fits(self, stamp_ms: int, samples: int) -> bool:
        """Whether the stamps so far can be those of our rate."""
        step_ms = (stamp_ms - self._stamp_ms) % (1 << 32)
        self._stamp_ms = stamp_ms
        if not step_ms:
            return self._odd_steps < ODD_STEPS
        heard_hz = samples * 1e3 / step_ms
        is_ours = abs(heard_hz / self._rate_hz - 1) <= RATE_TOLERANCE
        self._odd_steps = 0 if is_ours else self._odd_steps + 1
        if self._odd_steps == ODD_STEPS:
            self._refusals += 1
            self._last_refusal = (
                f"Movesense sends about {heard_hz:.0f} samples a second, not {self._rate_hz}; "
                f"the source must say the rate that the sensor is set to"
            )
        return self._odd_steps < ODD_STEPS


def _version(firmware: object) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})(\.\d{1,3})?", str(firmware))
    if found is None:
        raise ValueError(f"firmware must be its version, such as 0.8, but is {firmware!r}")
    return int(found[1]), int(found[2])


def _valid_runs(digital: NDArray[np.int16]) -> list[tuple[int, int]]:
    """Start and stop of what lies between invalid samples."""
    borders = [-1, *np.flatnonzero(digital == INVALID).tolist(), len(digital)]
    return [(a + 1, b) for a, b in pairwise(borders) if b > a + 1]
