"""Viatom (Wellue, Lepu) ER3 ECG recorder over Bluetooth LE, with up to 12 leads."""

from __future__ import annotations

from struct import Struct

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices.viatom_patch import BATTERY_MAX, BPM_MAX, PatchDecoder
from firmware_bridge.stream import Frame, HeartRate, StreamFormat

__all__ = ["ViatomEr3Decoder"]

REAL_TIME = 0x06
PAYLOAD_MAX = 16_384
RATE_HZ = 250.0
UV_PER_LSB = 1e3 / 409.6

# Heart rate, temperature, SpO2, perfusion, pulse and breathing rates, flags, battery, recorded
# seconds, date, cable, its serial number, leads off, reserved; index of the first sample, samples.
HEAD = Struct("<HHBBHHHBI7sB15sH6sIH")
CABLE_IN = 0x0004

EIGHT = ("V6", "I", "II", "V1", "V2", "V3", "V4", "V5")
FOUR = ("V5", "I", "II", "V1")
CABLES: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {
    0: (EIGHT, EIGHT),
    1: (FOUR, FOUR),
    2: (FOUR, ("I", "II", "V1")),
    3: (FOUR, ("II",)),
    4: (FOUR, ("I",)),
    5: (FOUR, ("I", "II")),
    6: (FOUR, ("V5", "I", "II")),
    7: (FOUR, FOUR),
}
"""Of each cable: the channels that are sent, and those that have electrodes."""
OFF_BITS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
ALL_OFF = 0x0FFF

ORIGINALS = 0x80
"""Begins a row of which some channels are sent whole."""


class ViatomEr3Decoder(PatchDecoder):
    """Answers of an ER3 to frames of 1 to 8 leads, 250 Hz, 2.441 uV a count.

    The recorder is asked once a second for what it has measured since. An answer has the index of
    its first sample, which is the counter, and compressed samples: differences of 8 bit a channel,
    or whole values where a difference is too large. Which leads there are depends on the cable;
    an answer with an unknown cable is bad. Contact comes lead by lead; heart rate and battery
    come as readings with every answer. For an ER3 with its first firmware see `viatom_er1`.

    Source: LepuBle (Er3BleCmd, Er3BleResponse, Er3Decompress). Spec-tested, not capture-tested.
    """

    def __init__(self) -> None:
        super().__init__(REAL_TIME, b"", PAYLOAD_MAX)
        self._formats = {
            cable: StreamFormat(RATE_HZ, leads) for cable, (_, leads) in CABLES.items()
        }

    def _samples(self, payload: bytes) -> tuple[HeartRate, Frame | None] | None:
        if len(payload) < HEAD.size:
            return None
        head = HEAD.unpack_from(payload)
        bpm, is_in, battery = head[0], bool(head[6] & CABLE_IN), head[7]
        battery_percent = battery if battery <= BATTERY_MAX else None
        rate = float(bpm) if bpm <= BPM_MAX else 0.0
        heart_rate = HeartRate(rate, (), is_in, battery_percent)
        cable, off, first, samples = head[10], head[12], head[14], head[15]
        if not samples:
            return heart_rate, None
        samples_uv = _microvolts(payload[HEAD.size :], cable, samples)
        if samples_uv is None:
            return None
        frame_format = self._formats[cable]
        return heart_rate, Frame(
            format=frame_format,
            samples_uv=samples_uv,
            counter=first,
            lead_off=_lead_off(frame_format.leads, off if is_in else ALL_OFF),
            battery_percent=battery_percent,
        )


def _microvolts(compressed: bytes, cable: int, samples: int) -> NDArray[np.float32] | None:
    """Shape (samples, leads); None where cable or number of samples are not what they can be."""
    if cable not in CABLES:
        return None
    channels, leads = CABLES[cable]
    values = expand(compressed, len(channels))
    if values is None or len(values) != samples * len(channels):
        return None
    counts = np.array(values, np.float32).reshape(samples, len(channels))
    return counts[:, [channels.index(lead) for lead in leads]] * np.float32(UV_PER_LSB)


def expand(compressed: bytes, channels: int) -> list[int] | None:
    """Samples, channels interleaved; None where the bytes end within a row or make no sense.

    A row is one difference (signed, 8 bit) a channel; or 0x80, a mask of channels, and of each
    channel its value (signed, 16 bit LE) where the mask says so, else its difference.
    """
    values, rows = [0] * channels, []
    at, size = 0, len(compressed)
    while at < size:
        if compressed[at] == ORIGINALS:
            mask = compressed[at + 1] & (1 << channels) - 1 if at + 1 < size else 0
            at, end = at + 2, at + 2 + channels + mask.bit_count()
            if end > size:
                return None
            _update(values, compressed[at:end], mask)
        else:
            end = at + channels
            differences = compressed[at:end]
            if end > size or ORIGINALS in differences:
                return None
            for channel, byte in enumerate(differences):
                values[channel] += byte - 256 if byte & 0x80 else byte
        at = end
        rows += values
    return rows


def _update(values: list[int], row: bytes, mask: int) -> None:
    """Take a row of which the channels in `mask` are whole."""
    at = 0
    for channel in range(len(values)):
        if mask >> channel & 1:
            values[channel] = int.from_bytes(row[at : at + 2], "little", signed=True)
            at += 2
        else:
            values[channel] += int.from_bytes(row[at : at + 1], signed=True)
            at += 1


def _lead_off(leads: tuple[str, ...], off: int) -> int:
    return sum(1 << k for k, lead in enumerate(leads) if off >> OFF_BITS.index(lead) & 1)
