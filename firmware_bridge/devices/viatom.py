"""Viatom (Wellue, Lepu) ECG patches over Bluetooth LE: ER1, ER2, DuoEK and VBeat."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices.options import chosen_word, positive
from firmware_bridge.devices.viatom_patch import BATTERY_MAX, BPM_MAX, PatchDecoder
from firmware_bridge.stream import Frame, HeartRate, StreamFormat

__all__ = ["ViatomDecoder"]

REAL_TIME, POLL_RATE = 0x03, b"\x7d"
STATE = Struct("<HBBIB11xH")  # heart rate, flags, battery, recorded seconds, status, samples
LEADS_OFF = 0x07
INVALID = 0x7FFF
UV_PER_LSB = 1.0035 * 1800e3 / (4096 * 178.74)


@dataclass(frozen=True, slots=True)
class Model:
    """What differs between the patches. payload_max: some 4 s of samples, in bytes."""

    leads: tuple[str, ...]
    rate_hz: float
    payload_max: int


MODELS = {
    "er1": Model(("ECG",), 125.0, 1024),
    "er3": Model(("CH1", "CH2", "CH3", "CH4"), 250.0, 8192),
}


class ViatomDecoder(PatchDecoder):
    """Answers of an ER1, ER2, DuoEK or VBeat to frames of one lead, 125 Hz, 2.467 uV a count.

    The patch is asked once a second for what it has measured since; an answer of some 128 samples
    comes in two or three notifications, in pieces of any size. It carries no index and no clock
    of samples (the recorded seconds run only while it records, and in whole seconds), so that an
    answer lost or damaged (`bad_frames`) takes about a second of samples that nothing else
    tells of. Counts of 0x7FFF are no measurement: they become 0 uV, and the frame says that
    its lead has no contact. Heart rate, contact and battery come as readings with every answer.

    model: "er1" for all of them; "er3" for an ER3 with its first firmware: four leads, 250 Hz
    (from the library's notes). For its present one see `viatom_er3`. rate: hertz, where a patch
    differs.

    Source: LepuBle (Er1BleResponse, Er1BleInterface, Er3BleInterface); the sizes of the pieces
    from the notes of others. Spec-tested, not capture-tested.
    """

    def __init__(self, model: str = "er1", rate: float | str | None = None) -> None:
        chosen = MODELS[chosen_word("model", model, MODELS)]
        super().__init__(REAL_TIME, POLL_RATE, chosen.payload_max)
        rate_hz = chosen.rate_hz if rate is None else positive("rate", rate)
        self._format = StreamFormat(rate_hz, chosen.leads)

    def _samples(self, payload: bytes) -> tuple[HeartRate, Frame | None] | None:
        counts = self._counts(payload)
        if counts is None:
            return None
        bpm, _, battery, _, status, _ = STATE.unpack_from(payload)
        is_off = status & LEADS_OFF == LEADS_OFF
        battery_percent = battery if battery <= BATTERY_MAX else None
        rate = float(bpm) if bpm <= BPM_MAX else 0.0
        heart_rate = HeartRate(rate, (), not is_off, battery_percent)
        return heart_rate, self._frame(counts, is_off, battery_percent) if counts.size else None

    def _counts(self, payload: bytes) -> NDArray[np.int16] | None:
        """Shape (samples, leads); None where the length is not what the head says."""
        size = len(payload) - STATE.size
        if size < 0:
            return None
        samples, leads = STATE.unpack_from(payload)[-1], len(self._format.leads)
        if size != samples * leads * 2:
            return None
        return np.frombuffer(payload, "<i2", offset=STATE.size).reshape(samples, leads)

    def _frame(self, counts: NDArray[np.int16], is_off: bool, battery_percent: int | None) -> Frame:
        samples_uv = counts.astype(np.float32)
        samples_uv *= np.float32(UV_PER_LSB)
        leads = len(self._format.leads)
        lead_off = (1 << leads) - 1 if is_off else 0
        invalid = counts == INVALID
        if invalid.any():
            samples_uv[invalid] = 0.0
            lead_off |= sum(1 << lead for lead in range(leads) if invalid[:, lead].any())
        return Frame(self._format, samples_uv, lead_off=lead_off, battery_percent=battery_percent)
