"""Polar H10 chest strap: ECG, and movement where wanted, by Bluetooth LE."""

from __future__ import annotations

from firmware_bridge.devices.heart_rate_service import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    HEART_RATE,
    HEART_RATE_SERVICE,
    HeartRateService,
)
from firmware_bridge.devices.integers import int24_le
from firmware_bridge.devices.polar_pmd import (
    ACC,
    ECG,
    PMD_CONTROL,
    PMD_DATA,
    PMD_SERVICE,
    RANGE,
    RATE,
    RESOLUTION,
    Data,
    Features,
    Reply,
    SampleClock,
    Stopped,
    parse_control,
    parse_factor,
    rate_option,
    split_data,
    start_command,
    stop_command,
)
from firmware_bridge.devices.polar_samples import WaveformStream
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, Reading, StreamFormat

__all__ = [
    "BATTERY_LEVEL",
    "HEART_RATE",
    "PMD_CONTROL",
    "PMD_DATA",
    "START_ECG",
    "STOP_ECG",
    "PolarH10Decoder",
]

FORMAT = StreamFormat(130.0, ("ECG",))
CONTACT_SAMPLES = 5 * 130
"""A contact once lost holds for 5 s unless told again: silence of the Heart Rate service must not
hold alarms back for ever."""
FRAME_TYPE_INT24 = 0
ACC_RATES_HZ = (25, 50, 100, 200)
ACC_RANGE_G = 8

START_ECG = start_command(ECG, ((RATE, 130), (RESOLUTION, 14)))
STOP_ECG = stop_command(ECG)


class PolarH10Decoder:
    """Notifications of a Polar H10 to frames of one lead in microvolts, about 130 Hz.

    A frame has no counter; its time is the strap's own clock, nanoseconds since 2000-01-01 where
    it was set and of no meaning else. The strap stamps the last sample of a frame; `Frame` has
    the first one's time, by the spacing measured from stamp to stamp. Repeated and backward
    stamps are passed on for the timeline to judge. The wire has no checksum: frames are judged
    by their length and type. Contact, heart rate and RR intervals come from the Heart Rate
    service; a strap that does not sense contact is not one without contact.

    acc: `off`, or the rate in Hz (25, 50, 100, 200) at which movement is read besides, within
    8 g. A strap that refuses it goes on with its ECG: `last_refusal` says so, `refusals` does
    not count it.

    Source: polar-ble-sdk (polarofficial), online_measurement.pdf of 2024.
    Confirmed by a real capture. That holds for ECG and heart rate; movement is confirmed only by
    the example of Polar's specification.
    """

    gatt = GattProfile(
        control=PMD_CONTROL,
        data=(PMD_DATA,),
        side=(HEART_RATE, BATTERY_LEVEL),
        services=(PMD_SERVICE, HEART_RATE_SERVICE, BATTERY_SERVICE),
        name="Polar H10*",
    )

    def __init__(self, acc: int | str = "off") -> None:
        self._acc_hz = rate_option("acc", acc, ACC_RATES_HZ)
        self._acc = WaveformStream(ACC, self._acc_hz) if self._acc_hz else None
        self._clock = SampleClock(FORMAT.rate_hz)
        self._heart = HeartRateService()
        self._tally = Tally()
        self._samples_since_contact = 0
        self._refusals = 0
        self._last_refusal = ""
        self._hearers = {
            PMD_CONTROL: self._control,
            HEART_RATE: self._heart.heart_rate,
            BATTERY_LEVEL: self._heart.battery,
        }

    def reset(self) -> None:
        """Forget the clock and the contact of the former connection; counts stay."""
        self._clock.reset()
        self._heart.contact = None
        if self._acc:
            self._acc.reset()

    def push(self, packet: Packet) -> list[Frame]:
        """The frame of one notification, if it holds one; a channel of "" counts as data."""
        data, channel = packet.data, packet.channel
        self._tally.bytes += len(data)
        if channel in (PMD_DATA, ""):
            return self._measurement(data)
        hear = self._hearers.get(channel)
        if hear is None:
            self._tally.skipped_bytes += len(data)
        elif not hear(data):
            self._tally.bad(len(data))
        elif channel == HEART_RATE:
            self._samples_since_contact = 0
        return []

    def readings(self) -> tuple[Reading, ...]:
        """Heart rate and movement since the last call, in order; the last 256 are kept."""
        return self._heart.readings()

    def start_commands(self) -> tuple[bytes, ...]:
        """Start ECG at 130 Hz, 14 bit, and movement where wanted."""
        if self._acc_hz is None:
            return (START_ECG,)
        settings = ((RANGE, ACC_RANGE_G), (RATE, self._acc_hz), (RESOLUTION, 16))
        return START_ECG, start_command(ACC, settings)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop it all; a strap left streaming stays on until its battery is empty."""
        return (STOP_ECG,) if self._acc is None else (STOP_ECG, stop_command(ACC))

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are those of ECG."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How often the strap refused its ECG since the decoder was made."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """What it refused last and why, in words; empty if nothing."""
        return self._last_refusal

    def _measurement(self, data: bytes) -> list[Frame]:
        parts = split_data(data)
        if parts is None:
            self._tally.bad(len(data))
            return []
        measurement, last_ns, frame_type, content = parts
        if measurement != ECG:
            self._movement(parts, len(data))
            return []
        if frame_type != FRAME_TYPE_INT24 or not content or len(content) % 3:
            self._tally.bad(len(data))
            return []
        samples_uv = int24_le(content).reshape(-1, 1)
        self._tally.frames += 1
        self._samples_since_contact += len(samples_uv)
        off = self._heart.contact is False and self._samples_since_contact <= CONTACT_SAMPLES
        return [
            Frame(
                format=FORMAT,
                samples_uv=samples_uv,
                device_time_ns=self._clock.first_ns(last_ns, len(samples_uv)),
                lead_off=int(off),
                battery_percent=self._heart.battery_percent,
            )
        ]

    def _movement(self, parts: Data, size_bytes: int) -> None:
        measurement, last_ns, frame_type, content = parts
        if self._acc is None or measurement != ACC:
            self._tally.skipped_bytes += size_bytes
            return
        waveform = self._acc.read(last_ns, frame_type, content)
        if waveform is None:
            self._tally.bad(size_bytes)
        else:
            self._heart.tell(waveform)

    def _control(self, data: bytes) -> bool:
        message = parse_control(data)
        if message is None:
            return False
        if isinstance(message, Reply):
            self._replied(message)
        elif isinstance(message, Features) and ECG not in message.measurements:
            self._refuse("offers no ECG; its firmware is too old, or it is another model")
        elif isinstance(message, Stopped) and ECG in message.measurements:
            self._refuse("stopped the measurement by itself")
        return True

    def _replied(self, reply: Reply) -> None:
        if not reply.starts:
            return
        if reply.refused and reply.measurement != ACC:
            self._refuse(f"refused to start: {reply.why}")
        elif reply.refused:
            self._last_refusal = f"Polar H10 refused to start its movement sensor: {reply.why}"
        elif self._acc and reply.measurement == ACC:
            self._acc.factor = parse_factor(reply.parameters)

    def _refuse(self, words: str) -> None:
        self._refusals += 1
        self._last_refusal = f"Polar H10 {words}"
