"""Sessions of ProtoCentral's boards, encoded by their OpenView format."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import numpy as np

from firmware_bridge.stream import Packet
from tests.firmware_bridge.devices.specimen import Specimen

__all__ = [
    "SPECIMENS",
    "ads1292r_2026",
    "ads1292r_classic",
    "ads1293",
    "healthypi5",
    "healthypi5_batch",
    "healthypi5_light",
    "healthypi_v4",
    "max30001",
    "max30003",
    "openview",
    "packed_left",
]

COUNTS = [0, 1, -1, 300, -300, 2047, 4, -2048, 7, 12, -13, 1024, 65, -66, 900, 500]
LEADS_COUNTS = np.array(COUNTS[:15]).reshape(-1, 3)


def openview(payload: bytes, kind: int = 2) -> bytes:
    return b"\x0a\xfa" + struct.pack("<HB", len(payload), kind) + payload + b"\x00\x0b"


def healthypi_v4(
    ecg: int, resp: int = 5, ir: int = 70_000, red: int = 60_000, bpm: int = 72, status: int = 0
) -> bytes:
    vitals = struct.pack("<HBBBBBB", 3650, 15, 98, bpm, 80, 120, status)
    return openview(struct.pack("<hhii", ecg, resp, ir, red) + vitals)


def healthypi5(ecg: int, bioz: int = 9, skip: bool = False, bpm: int = 61) -> bytes:
    flag = 0xFF if skip else 0x00
    return openview(struct.pack("<iiBiihBBB", ecg, bioz, flag, 500, 600, 365, 97, bpm, 14))


def healthypi5_batch(ecg: Iterable[int], bpm: int = 63) -> bytes:
    return openview(struct.pack("<8i4iBB", *ecg, 1, 2, 3, 4, bpm, 15), kind=3)


def healthypi5_light(light: Iterable[int]) -> bytes:
    return openview(struct.pack("<8hBh", *light, 98, 3650), kind=4)


def ads1292r_classic(ecg: int, resp: int = 3, bpm: int = 70) -> bytes:
    return openview(struct.pack("<hhHHB", ecg, resp, 16, bpm, 0))


def ads1292r_2026(ecg: int, resp: int = 3, bpm: int = 70) -> bytes:
    return openview(struct.pack("<hhhh", ecg, resp, bpm, 16))


def ads1293(channels: Iterable[int]) -> bytes:
    """Codes of the chip, 0 to 0x800000, as the sketch mistakes them for two's complement."""
    signed = (code - (1 << 24) if code & 0x800000 else code for code in channels)
    return openview(struct.pack("<3i", *signed))


def packed_left(code: int) -> int:
    """18 bits as getEcgSamples() of the MAX30003 library packs the FIFO's three bytes."""
    fifo = ((code & 0x3FFFF) << 6).to_bytes(3, "big")
    packed = fifo[0] << 24 | fifo[1] << 16 | (fifo[2] >> 6 & 3)
    return packed - (1 << 32) if packed & 1 << 31 else packed


def max30001(ecg: int, bioz: int = 0, skip: bool = False) -> bytes:
    return openview(struct.pack("<iiBBBB", ecg, bioz, 0xFF if skip else 0, 0, 0, 0))


def max30003(ecg: int, rr_ms: int = 820, bpm: int = 73, pad: bytes = b"") -> bytes:
    return openview(pad + struct.pack("<iHHHH", ecg, rr_ms, 0, bpm, 0))


def _session(device: str, wires: Iterable[bytes], uv: object, rate_hz: float) -> Specimen:
    samples_uv = np.array(uv, np.float32)
    if samples_uv.ndim == 1:
        samples_uv = samples_uv.reshape(-1, 1)
    period_ns = round(1e9 / rate_hz)
    return Specimen(
        device=device,
        packets=tuple(Packet(wire, at * period_ns) for at, wire in enumerate(wires)),
        samples_uv=samples_uv,
        leads=("ECG",) if samples_uv.shape[1] == 1 else ("I", "II", "V1"),
        rate_hz=rate_hz,
        byte_stream=True,
        checked=False,
    )


def _each(encode: Callable[[int], bytes]) -> list[bytes]:
    return [encode(count) for count in COUNTS]


def _scaled(uv_per_count: float) -> list[float]:
    return [count * uv_per_count for count in COUNTS]


ADS1292R_UV = 2.42e6 / 6 / (2**23 - 1)
SPECIMENS = (
    _session("healthypi_v4", _each(healthypi_v4), _scaled(ADS1292R_UV * 1024), 125.0),
    _session("healthypi5", _each(healthypi5), _scaled(1e6 / 2**17 / 80), 128.0),
    _session(
        "healthypi5",
        [
            healthypi5_batch(COUNTS[:8]),
            healthypi5_light(range(8)),
            healthypi5_batch(COUNTS[8:]),
        ],
        _scaled(1e6 / 2**17 / 80),
        128.0,
    ),
    _session("ads1292r", _each(ads1292r_classic), _scaled(ADS1292R_UV * 1024), 125.0),
    _session("ads1292r", _each(ads1292r_2026), _scaled(ADS1292R_UV * 16), 125.0),
    _session(
        "ads1293",
        [ads1293(0x400000 + int(count) for count in row) for row in LEADS_COUNTS],
        LEADS_COUNTS * (4.8e6 / 3.5 / 0x800000),
        100.0,
    ),
    _session("max30001", _each(max30001), _scaled(1e6 / 2**17 / 80), 125.0),
    _session(
        "max30003",
        _each(lambda count: max30003(packed_left(count))),
        _scaled(1e6 / 2**17 / 20),
        125.0,
    ),
)
