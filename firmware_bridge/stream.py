"""The vocabulary of the bridge: what travels from a wire to the sample buffers.

All of it is frozen. What is made anew for every packet is a struct of msgspec: one is made in a
tenth of the time of a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

NS_PER_S = 1_000_000_000

GapCause = Literal["loss", "reboot", "disconnect"]


class Packet(msgspec.Struct, frozen=True):
    """Bytes as one read of a transport gave them.

    host_time_ns: arrival on the host's monotonic clock, in nanoseconds.
    channel: where the link has several, which one spoke: over BLE the UUID of the
        characteristic, lower case, 36 characters; empty on a plain stream of bytes.
    """

    data: bytes
    host_time_ns: int
    channel: str = ""


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a device sends: nominal rate in hertz and the names of its leads, in order."""

    rate_hz: float
    leads: tuple[str, ...]


class Frame(msgspec.Struct, frozen=True, eq=False):
    """One intact message of a device, decoded.

    samples_uv: float32, shape (samples, leads), microvolts.
    counter: index of the first sample as the device counts samples, modulo
        `counter_modulus`; None where the device counts nothing.
    device_time_ns: device clock at the first sample, in nanoseconds of any epoch; None
        where the device has no clock.
    boot_id: changes when the device restarts; None where it does not tell.
    lead_off: bit k set means that lead k has no skin contact.
    battery_percent: 0 to 100, or None where unknown.
    """

    format: StreamFormat
    samples_uv: NDArray[np.float32]
    counter: int | None = None
    counter_modulus: int = 1 << 32
    device_time_ns: int | None = None
    boot_id: int | None = None
    lead_off: int = 0
    battery_percent: int | None = None


class HeartRate(msgspec.Struct, frozen=True):
    """What a device says of the heart by itself.

    bpm: beats a minute, 0 where it does not know. rr_ms: intervals between beats since the last
    reading, oldest first. contact: whether it feels skin, None where it does not tell.
    """

    bpm: float
    rr_ms: tuple[float, ...] = ()
    contact: bool | None = None
    battery_percent: int | None = None


class Waveform(msgspec.Struct, frozen=True, eq=False):
    """Samples that are no ECG: light (`ppg`), movement (`acc`), breathing (`resp`).

    samples: float32, shape (samples, channels), in `unit`. device_time_ns: device clock at the
    first sample, None where the device has no clock.
    """

    kind: Literal["ppg", "acc", "gyro", "resp"]
    unit: Literal["count", "mg", "deg/s", "ohm"]
    channels: tuple[str, ...]
    rate_hz: float
    samples: NDArray[np.float32]
    device_time_ns: int | None = None


Reading = HeartRate | Waveform


class Chunk(msgspec.Struct, frozen=True, eq=False):
    """Consecutive samples in their place on the stream's own axis.

    start: index of the first sample since the stream began; samples lost in gaps count.
    samples_uv: float32, shape (samples, leads), microvolts.
    host_time_ns: host monotonic time at which the first sample was taken, as estimated.
    device_time_ns: device clock at the first sample, where the device has one.
    """

    format: StreamFormat
    start: int
    samples_uv: NDArray[np.float32]
    host_time_ns: int
    device_time_ns: int | None = None
    lead_off: int = 0
    battery_percent: int | None = None

    @property
    def stop(self) -> int:
        """Index one past the last sample."""
        return self.start + int(self.samples_uv.shape[0])


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that never came: `length` of them from index `start`."""

    format: StreamFormat
    start: int
    length: int
    cause: GapCause


@dataclass(frozen=True, slots=True)
class FormatChange:
    """From `start` on the device sends another rate or other leads; filters begin anew."""

    start: int
    format: StreamFormat


TimelineEvent = Chunk | Gap | FormatChange


class DecodeCount(msgspec.Struct, frozen=True):
    """What a decoder made of the bytes so far (all since it was made)."""

    frames: int = 0
    bad_frames: int = 0
    bytes: int = 0
    skipped_bytes: int = 0


class TimelineCount(msgspec.Struct, frozen=True):
    """Conservation of samples: received = delivered + duplicate + late + bad + pending,
    span = delivered + gap. All in samples a lead; `pending` waits in the reorder window.
    """

    received: int = 0
    delivered: int = 0
    duplicate: int = 0
    late: int = 0
    bad: int = 0
    pending: int = 0
    gap: int = 0
    span: int = 0
    reboots: int = 0
    format_changes: int = 0
    drift_ppm: float | None = None
