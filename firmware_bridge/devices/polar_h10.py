"""Polar H10 chest strap: ECG over the Polar Measurement Data (PMD) service of Bluetooth LE.

Written by Polar's online measurement specification (polar-ble-sdk, 2024) and checked against
frames captured from a real strap. Contact comes from the Heart Rate service (Bluetooth SIG HRS
1.0, 3.1.1.1), the charge from the Battery service.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import NS_PER_S, DecodeCount, Frame, Packet, StreamFormat

__all__ = ["PolarH10Decoder"]

PMD_SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
HEART_RATE_SERVICE = "0000180d-0000-1000-8000-00805f9b34fb"
BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
PMD_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
PMD_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"

FORMAT = StreamFormat(130.0, ("ECG",))
NOMINAL_STEP_NS = NS_PER_S / FORMAT.rate_hz
STEP_TOLERANCE = 0.05
"""Specified deviation of the strap's rate over its whole range of temperature."""

START_ECG = bytes.fromhex("02 00 00 01 82 00 01 01 0e 00")  # type ECG, 130 Hz, 14 bit
STOP_ECG = bytes.fromhex("03 00")
DATA_HEADER_BYTES = 10
ECG = 0x00
TYPE_MASK = 0x3F
FRAME_TYPE_INT24 = 0x00

REPLY, FEATURES, STOPPED_BY_DEVICE = 0xF0, 0x0F, 0x01
OP_START = 0x02
ACCEPTED = (0, 6)  # success; already in the state asked for
STATUS = {
    1: "it does not know the command",
    2: "it does not know the measurement",
    3: "it does not support this",
    4: "length of the command",
    5: "a setting",
    7: "resolution",
    8: "rate",
    9: "range",
    10: "the MTU is too small; connect again, or raise ExchangeMTU in BlueZ's main.conf to 70",
    11: "channels",
    12: "its state forbids it",
    13: "it is in its charger",
    14: "its storage is full",
}


class PolarH10Decoder:
    """Notifications of a Polar H10 to frames of one lead in microvolts, about 130 Hz.

    A frame has no counter; its time is the strap's own clock, nanoseconds since 2000-01-01 where
    it was set and of no meaning else. The strap stamps the last sample of a frame; `Frame` has
    the first one's time, by the spacing measured from stamp to stamp. Repeated and backward
    stamps are passed on for the timeline to judge.
    """

    gatt = GattProfile(
        control=PMD_CONTROL,
        data=(PMD_DATA,),
        side=(HEART_RATE, BATTERY_LEVEL),
        services=(PMD_SERVICE, HEART_RATE_SERVICE, BATTERY_SERVICE),
        name="Polar H10*",
    )

    def __init__(self) -> None:
        self._count = DecodeCount()
        self._refusals = 0
        self._last_refusal = ""
        self._battery_percent: int | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the clock of the former connection; counts stay."""
        self._last_ns: int | None = None
        self._step_ns = NOMINAL_STEP_NS
        self._lead_off = 0

    def push(self, packet: Packet) -> list[Frame]:
        """The frame of one notification, if it holds one; a channel of "" counts as data."""
        data = packet.data
        self._count = replace(self._count, bytes=self._count.bytes + len(data))
        if packet.channel == PMD_CONTROL:
            self._control(data)
        elif packet.channel == HEART_RATE:
            self._contact(data)
        elif packet.channel == BATTERY_LEVEL:
            self._battery(data)
        elif packet.channel in ("", PMD_DATA):
            return self._measurement(data)
        else:
            self._skip(data)
        return []

    def start_commands(self) -> tuple[bytes, ...]:
        """Start ECG at 130 Hz, 14 bit."""
        return (START_ECG,)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop ECG; a strap left streaming stays on until its battery is empty."""
        return (STOP_ECG,)

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are those of ECG."""
        return self._count

    @property
    def refusals(self) -> int:
        """How many commands the strap refused since the decoder was made."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """Which command it refused last and why, in words; empty if none."""
        return self._last_refusal

    def _measurement(self, data: bytes) -> list[Frame]:
        if data and data[0] & TYPE_MASK != ECG:
            self._skip(data)
            return []
        samples_bytes = len(data) - DATA_HEADER_BYTES
        if samples_bytes < 3 or samples_bytes % 3 or data[9] != FRAME_TYPE_INT24:
            self._bad(data)
            return []
        samples_uv = _int24(data[DATA_HEADER_BYTES:])
        last_ns = int.from_bytes(data[1:9], "little")
        first_ns = self._first_ns(last_ns, len(samples_uv))
        self._count = replace(self._count, frames=self._count.frames + 1)
        return [
            Frame(
                format=FORMAT,
                samples_uv=samples_uv,
                device_time_ns=first_ns,
                lead_off=self._lead_off,
                battery_percent=self._battery_percent,
            )
        ]

    def _first_ns(self, last_ns: int, samples: int) -> int:
        """Time of the first sample; the step is measured where no sample is missing."""
        before_ns, self._last_ns = self._last_ns, last_ns
        if before_ns is not None:
            step_ns = (last_ns - before_ns) / samples
            if abs(step_ns / NOMINAL_STEP_NS - 1) <= STEP_TOLERANCE:
                self._step_ns = step_ns
        return last_ns - round(self._step_ns * (samples - 1))

    def _control(self, data: bytes) -> None:
        if data[:1] == bytes([FEATURES]) and len(data) >= 2:
            if not data[1] & 1:
                self._refuse("offers no ECG; its firmware is too old, or it is another model")
        elif data[:1] == bytes([STOPPED_BY_DEVICE]):
            if ECG in data[1:]:
                self._refuse("stopped the measurement by itself")
        elif data[:1] != bytes([REPLY]) or len(data) < 4:
            self._bad(data)
        elif data[3] not in ACCEPTED and data[1] == OP_START:
            why = STATUS.get(data[3], f"status {data[3]}")
            self._refuse(f"refused to start: {why}")

    def _refuse(self, words: str) -> None:
        self._refusals += 1
        self._last_refusal = f"Polar H10 {words}"

    def _contact(self, data: bytes) -> None:
        """Bit 2 of the flags: contact is sensed at all; bit 1: there is contact."""
        if len(data) < 2:
            self._bad(data)
            return
        supported, contact = data[0] & 0x04, data[0] & 0x02
        self._lead_off = 1 if supported and not contact else 0

    def _battery(self, data: bytes) -> None:
        if len(data) == 1 and data[0] <= 100:
            self._battery_percent = data[0]
        else:
            self._bad(data)

    def _bad(self, data: bytes) -> None:
        self._skip(data)
        self._count = replace(self._count, bad_frames=self._count.bad_frames + 1)

    def _skip(self, data: bytes) -> None:
        self._count = replace(self._count, skipped_bytes=self._count.skipped_bytes + len(data))


def _int24(data: bytes) -> NDArray[np.float32]:
    padded = np.zeros((len(data) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    values = padded.view("<i4") >> 8  # carries the sign
    return values.astype(np.float32)
