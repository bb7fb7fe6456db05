"""Any strap, band or watch with the Heart Rate service of Bluetooth LE."""

from __future__ import annotations

from firmware_bridge.devices.heart_rate_service import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    HEART_RATE,
    HEART_RATE_SERVICE,
    HeartRateService,
)
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, Reading

__all__ = ["HeartRateDecoder"]


class HeartRateDecoder:
    """Notifications of the Heart Rate service to readings: rate, RR intervals, contact, battery.

    It has no ECG, so no frames; `count.frames` counts intact measurements. The wire has no
    checksum, counter or clock: a measurement is intact where its length is what its flags say.

    Source: Bluetooth SIG, Heart Rate Service 1.0. Confirmed by a real capture. There are packets
    of a Polar H10, a Polar H7 and an unbranded strap.
    """

    gatt = GattProfile(
        control="",
        data=(HEART_RATE,),
        side=(BATTERY_LEVEL,),
        services=(HEART_RATE_SERVICE, BATTERY_SERVICE),
        advertised=HEART_RATE_SERVICE,
    )

    def __init__(self) -> None:
        self._tally = Tally()
        self._heart = HeartRateService()

    def push(self, packet: Packet) -> list[Frame]:
        """No frames; what was told waits in `readings`. A channel of "" counts as data."""
        size = len(packet.data)
        self._tally.bytes += size
        if packet.channel in ("", HEART_RATE):
            if self._heart.heart_rate(packet.data):
                self._tally.frames += 1
            else:
                self._tally.bad(size)
        elif packet.channel != BATTERY_LEVEL:
            self._tally.skipped_bytes += size
        elif not self._heart.battery(packet.data):
            self._tally.bad(size)
        return []

    def readings(self) -> tuple[Reading, ...]:
        """Readings since the last call, in order; the last 256 are kept."""
        return self._heart.readings()

    def start_commands(self) -> tuple[bytes, ...]:
        """None: such a device speaks as soon as it is subscribed to."""
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: it rests as soon as it is left."""
        return ()

    def reset(self) -> None:
        """Nothing to forget: each notification stands alone."""

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made."""
        return self._tally.count
