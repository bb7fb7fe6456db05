"""Layout of a native frame, version 1: 28 bytes of header, then samples, little-endian.

docs/wire-protocol.md is the specification.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["NativeLayout", "NativeMoment", "pack_header", "pack_samples", "unpack_samples"]

VERSION = 1
FLAG_INT24 = 0x01
LEADS_MAX = 12
SAMPLES_MAX = 255
RATE_MAX_MHZ = 100_000_000
"""100 kHz in millihertz: above any ECG front end, so a greater rate is a mistake."""
BATTERY_UNKNOWN = 255
SEQUENCE_MODULUS = 1 << 32
INT16_RANGE = (-(1 << 15), (1 << 15) - 1)
INT24_RANGE = (-(1 << 23), (1 << 23) - 1)

LAYOUT = struct.Struct("<BBBBII")
MOMENT = struct.Struct("<IQHBB")
HEADER_BYTES = LAYOUT.size + MOMENT.size
PAYLOAD_MAX = HEADER_BYTES + LEADS_MAX * SAMPLES_MAX * 3

INT16, INT32, FLOAT64 = np.dtype("<i2"), np.dtype("<i4"), np.dtype(np.float64)


class NativeLayout(NamedTuple):
    """The first 12 bytes of a header, in wire order and wire units: alike in all frames of a
    stream. samples: a lead."""

    version: int
    flags: int
    leads: int
    samples: int
    rate_mhz: int
    scale_pv: int

    @property
    def sample_bytes(self) -> int:
        """Size of one sample of one lead."""
        return 3 if self.flags & FLAG_INT24 else 2

    @property
    def payload_bytes(self) -> int:
        """Size of header and samples."""
        return HEADER_BYTES + self.leads * self.samples * self.sample_bytes

    def fault(self) -> str | None:
        """What no version 1 device may send, or None where all is well."""
        if self.version != VERSION:
            return f"version {self.version} is not supported, only {VERSION}"
        if self.flags & ~FLAG_INT24:
            return f"flags 0x{self.flags:02x} hold reserved bits"
        if not 1 <= self.leads <= LEADS_MAX:
            return f"leads {self.leads} is not 1 to {LEADS_MAX}"
        if not 1 <= self.samples <= SAMPLES_MAX:
            return f"samples a lead {self.samples} is not 1 to {SAMPLES_MAX}"
        if not 1 <= self.rate_mhz <= RATE_MAX_MHZ:
            return f"rate {self.rate_mhz} mHz is not 1 to {RATE_MAX_MHZ}"
        if not 1 <= self.scale_pv < 1 << 32:
            return f"scale {self.scale_pv} pV is not 1 to {(1 << 32) - 1}"
        return None


class NativeMoment(msgspec.Struct, frozen=True):
    """The other 16 bytes of a header, in wire order and wire units.

    sequence: index of the first sample modulo 2^32. device_time_us: device clock at the first
    sample. battery_percent: 0 to 100, 255 where unknown.
    """

    sequence: int
    device_time_us: int
    lead_off: int
    battery_percent: int
    boot_id: int

    def fault(self, leads: int) -> str | None:
        """What no version 1 device of so many leads may send, or None where all is well."""
        if not 0 <= self.device_time_us < 1 << 64:
            return f"device clock {self.device_time_us} us is not an unsigned 64-bit number"
        if not 0 <= self.lead_off < 1 << leads:
            return f"lead-off 0x{self.lead_off:x} names a lead beyond {leads}"
        if not (0 <= self.battery_percent <= 100 or self.battery_percent == BATTERY_UNKNOWN):
            return f"battery {self.battery_percent} is not 0 to 100 percent"
        if not 0 <= self.boot_id <= 255:
            return f"boot id {self.boot_id} is not 0 to 255"
        return None


def pack_header(layout: NativeLayout, moment: NativeMoment) -> bytes:
    """The header as it stands on the wire; no checks."""
    return LAYOUT.pack(*layout) + MOMENT.pack(*msgspec.structs.astuple(moment))


def unpack_samples(payload: bytes, layout: NativeLayout) -> NDArray[np.float64]:
    """The integers behind the header, shape (samples, leads)."""
    shape = (layout.samples, layout.leads)
    if not layout.flags & FLAG_INT24:
        return np.ndarray(shape, INT16, payload, HEADER_BYTES).astype(FLOAT64)
    # Words of 32 bits, each with the byte before its integer: the shift drops it, and carries the
    # sign.
    words: NDArray[np.int32] = np.ndarray(
        shape, INT32, payload, HEADER_BYTES - 1, (3 * layout.leads, 3)
    )
    return (words >> 8).astype(FLOAT64)


def pack_samples(digital: NDArray[Any], int24: bool) -> bytes:
    """Integers of shape (samples, leads) as they stand on the wire; no checks."""
    if not int24:
        return digital.astype("<i2").tobytes()
    as_bytes = np.ascontiguousarray(digital.astype("<i4")).view(np.uint8).reshape(-1, 4)
    return as_bytes[:, :3].tobytes()
