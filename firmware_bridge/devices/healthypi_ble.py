"""HealthyPi over Bluetooth LE: v4, 5 and Move, which share one service and differ in its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from struct import calcsize, unpack

import numpy as np

from firmware_bridge.devices.heart_rate_service import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    HEART_RATE,
    HEART_RATE_SERVICE,
    HeartRateService,
)
from firmware_bridge.devices.options import chosen_word, positive
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, Reading, StreamFormat

__all__ = ["HealthyPiBleDecoder"]

ECG_SERVICE = "00001122-0000-1000-8000-00805f9b34fb"
ECG = "00001424-0000-1000-8000-00805f9b34fb"


@dataclass(frozen=True, slots=True)
class Model:
    """How one model sends its ECG: code (of `struct`) and bits of a count, counts at a time."""

    code: str
    bits: int
    samples_min: int
    samples_max: int
    uv_per_lsb: float
    rate_hz: float


V4 = Model("h", 16, 9, 9, 2.42e6 / 6 / (2**23 - 1) * 2**8, 125.0)
MAX30001 = Model("i", 18, 1, 32, 1e6 / 2**17 / 80, 128.0)
MODELS = {"v4": V4, "5": MAX30001, "move": MAX30001}
V4_BYTES = 18
"""Only the v4 sends so many: the others send multiples of 4."""


class HealthyPiBleDecoder:
    """Notifications of a HealthyPi's ECG characteristic to frames of one lead.

    model: "v4" (9 counts of 16 bit, 125 Hz: the ADS1292R's 24 bit less the lower 8), "5" or
    "move" (up to 32 counts of 32 bit that hold the MAX30001's 18, 128 Hz); where it is not
    given, the length of each notification tells. rate: hertz. uv_per_lsb: 12.309 for the v4 at
    gain 6 and 2.42 V; undocumented for the others, where 0.09537 is the data sheet's for gain
    80, which their device trees set (`ecg-gain = <2>`).

    There is no checksum, counter or clock: a notification is intact where its length fits and
    its counts have no more bits than the chip's. When its buffers are full the device drops
    notifications, which shows in nothing but a late arrival. None tells contact along with its
    ECG: the v4 sends none while electrodes are off. Heart rate and battery come from their
    services. The Move wants bonding for its command service only, which is not used here.

    Source: protocentral_healthypi_v4, protocentral_healthypi5_zephyr and healthypi-move-fw
    (github.com/Protocentral). Spec-tested, not capture-tested.
    """

    gatt = GattProfile(
        control="",
        data=(ECG,),
        side=(HEART_RATE, BATTERY_LEVEL),
        services=(ECG_SERVICE, HEART_RATE_SERVICE, BATTERY_SERVICE),
        name="[Hh]ealthy[Pp]i*",
    )

    def __init__(
        self,
        model: int | str | None = None,
        rate: float | str | None = None,
        uv_per_lsb: float | str | None = None,
    ) -> None:
        self._model = None if model is None else MODELS[chosen_word("model", model, MODELS)]
        rate_hz = None if rate is None else positive("rate", rate)
        self._uv = None if uv_per_lsb is None else positive("uv_per_lsb", uv_per_lsb)
        self._formats = {
            each: StreamFormat(rate_hz or each.rate_hz, ("ECG",)) for each in (V4, MAX30001)
        }
        self._tally = Tally()
        self._heart = HeartRateService()

    def push(self, packet: Packet) -> list[Frame]:
        """The frame of one notification, if it holds ECG; a channel of "" counts as ECG."""
        data, channel = packet.data, packet.channel
        self._tally.bytes += len(data)
        if channel in ("", ECG):
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

    def readings(self) -> tuple[Reading, ...]:
        """Heart rates since the last call, in order; the last 256 are kept."""
        return self._heart.readings()

    def start_commands(self) -> tuple[bytes, ...]:
        """None: it speaks as soon as it is subscribed to."""
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: it rests as soon as it is left."""
        return ()

    def reset(self) -> None:
        """Nothing to forget: each notification stands alone."""

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are those of ECG."""
        return self._tally.count

    def _ecg(self, data: bytes) -> list[Frame]:
        model = self._model or (V4 if len(data) == V4_BYTES else MAX30001)
        counts = _counts(data, model)
        if counts is None:
            self._tally.bad(len(data))
            return []
        self._tally.frames += 1
        samples_uv = np.array(counts, np.float32).reshape(-1, 1)
        samples_uv *= np.float32(self._uv or model.uv_per_lsb)
        battery_percent = self._heart.battery_percent
        return [Frame(self._formats[model], samples_uv, battery_percent=battery_percent)]


def _counts(data: bytes, model: Model) -> tuple[int, ...] | None:
    """The counts of a notification, None where length or range are not the model's."""
    samples, rest = divmod(len(data), calcsize(model.code))
    if rest or not model.samples_min <= samples <= model.samples_max:
        return None
    counts: tuple[int, ...] = unpack(f"<{samples}{model.code}", data)
    limit = 1 << model.bits - 1
    if min(counts) < -limit or max(counts) >= limit:
        return None
    return counts
