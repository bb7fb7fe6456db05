"""Layout of a native frame, version 1: 28 bytes of header, then samples, little-endian.

docs/wire-protocol.md is the specification.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["NativeHeader", "pack_samples", "unpack_samples"]

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

HEADER = struct.Struct("<BBBBIIIQHBB")
PAYLOAD_MAX = HEADER.size + LEADS_MAX * SAMPLES_MAX * 3


class NativeHeader(NamedTuple):
    """The 28 bytes in front of the samples, in wire order and wire units.

    samples: a lead. sequence: index of the first sample modulo 2^32. device_time_us: device
    clock at the first sample. battery_percent: 0 to 100, 255 where unknown.
    """

    version: int
    flags: int
    leads: int
    samples: int
    rate_mhz: int
    scale_pv: int
    sequence: int
    device_time_us: int
    lead_off: int
    battery_percent: int
    boot_id: int

    @property
    def sample_bytes(self) -> int:
        """Size of one sample of one lead."""
        return 3 if self.flags & FLAG_INT24 else 2

    def pack(self) -> bytes:
        """The header as it stands on the wire; no checks."""
        return HEADER.pack(
            *(self.version, self.flags, self.leads, self.samples, self.rate_mhz, self.scale_pv),
            *(self.sequence, self.device_time_us, self.lead_off),
            *(self.battery_percent, self.boot_id),
        )

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
        return self._fault_of_values()

    def _fault_of_values(self) -> str | None:
        if not 1 <= self.rate_mhz <= RATE_MAX_MHZ:
            return f"rate {self.rate_mhz} mHz is not 1 to {RATE_MAX_MHZ}"
        if not 1 <= self.scale_pv < 1 << 32:
            return f"scale {self.scale_pv} pV is not 1 to {(1 << 32) - 1}"
        if not 0 <= self.device_time_us < 1 << 64:
            return f"device clock {self.device_time_us} us is not an unsigned 64-bit number"
        if not 0 <= self.lead_off < 1 << self.leads:
            return f"lead-off 0x{self.lead_off:x} names a lead beyond {self.leads}"
        if not (0 <= self.battery_percent <= 100 or self.battery_percent == BATTERY_UNKNOWN):
            return f"battery {self.battery_percent} is not 0 to 100 percent"
        if not 0 <= self.boot_id <= 255:
            return f"boot id {self.boot_id} is not 0 to 255"
        return None


def unpack_samples(data: bytes, header: NativeHeader) -> NDArray[np.signedinteger]:
    """Samples as they stand on the wire, shape (samples, leads)."""
    shape = (header.samples, header.leads)
    if header.sample_bytes == 2:
        return np.frombuffer(data, "<i2").reshape(shape)
    padded = np.zeros((header.samples * header.leads, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    shifted: NDArray[np.int32] = padded.view("<i4").reshape(shape) >> 8  # carries the sign
    return shifted


def pack_samples(digital: NDArray[Any], int24: bool) -> bytes:
    """Integers of shape (samples, leads) as they stand on the wire; no checks."""
    if not int24:
        return digital.astype("<i2").tobytes()
    as_bytes = np.ascontiguousarray(digital.astype("<i4")).view(np.uint8).reshape(-1, 4)
    return as_bytes[:, :3].tobytes()
