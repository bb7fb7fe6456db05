"""ProtoCentral's "OpenView" packets: the framing and the decoder that all its boards share.

A packet is `0A FA | length u16 LE | type | payload | 00 0B`. Source: firmware and libraries of
ProtoCentral and its programs OpenView and OpenView 2 (github.com/Protocentral).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Literal

import numpy as np

from firmware_bridge.devices.options import positive
from firmware_bridge.devices.resync import NO_FRAME, UNDECIDED, Resync
from firmware_bridge.devices.tally import Tally
from firmware_bridge.stream import (
    DecodeCount,
    Frame,
    HeartRate,
    Packet,
    Reading,
    StreamFormat,
    Waveform,
)

__all__ = ["Layout", "OpenViewDecoder", "Wave"]

HEADER, FOOTER = b"\x0a\xfa", b"\x00\x0b"
PAYLOAD_AT = 5
OVERHEAD_BYTES = PAYLOAD_AT + len(FOOTER)
KEPT_READINGS = 256
BPM_MAX = 300
"""No heart beats faster; boards compute nonsense where they detect no beat."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A signal beside the ECG: which values of a payload are its samples, and what they are.

    values: samples, interleaved where there are several channels. skip: index of the flag that
    is not 0 where the packet holds no new sample of it.
    """

    kind: Literal["ppg", "resp"]
    values: slice
    channels: tuple[str, ...]
    rate_hz: float
    skip: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The payload of one type of packet; all indices count the values of `form`.

    ecg: samples of the ECG, interleaved where there are several leads. uv_per_lsb: their scale.
    rr_ms: interval between the last two beats. zeros: values that are always 0. flags: values
    that are 0 or 255.
    """

    kind: int
    form: Struct
    ecg: slice | None = None
    uv_per_lsb: float = 1.0
    waves: tuple[Wave, ...] = ()
    heart_rate: int | None = None
    rr_ms: int | None = None
    zeros: tuple[int, ...] = ()
    flags: tuple[int, ...] = ()

    @property
    def key(self) -> bytes:
        """Length and type, as the packet has them."""
        return self.form.size.to_bytes(2, "little") + bytes([self.kind])


class OpenViewDecoder:
    """Packets of one board to frames, one frame a packet that holds ECG.

    There is no checksum, counter or clock. A packet is intact where length, type and footer are
    right and values that can only be 0 or a flag are so; a lost packet shows in nothing but a
    late arrival. Heart rates are told when they change and once a second, other signals in
    blocks of a second, in counts.

    rate: hertz. uv_per_lsb: microvolts a count; None for what the layouts say. Raises ValueError
    where either is no number above 0.
    """

    def __init__(
        self,
        layouts: Sequence[Layout],
        leads: tuple[str, ...],
        rate: float | str,
        uv_per_lsb: float | str | None = None,
    ) -> None:
        self._format = StreamFormat(positive("rate", rate), leads)
        self._uv = None if uv_per_lsb is None else positive("uv_per_lsb", uv_per_lsb)
        self._layouts = {layout.key: layout for layout in layouts}
        self._tally = Tally()
        longest = max(layout.form.size for layout in layouts)
        self._packets = Resync(HEADER, self._measure, longest + OVERHEAD_BYTES, self._tally)
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)
        self._told = (0, 0)
        self._untold_samples = 0
        self._blocks: dict[tuple[str, ...], list[float]] = {}

    def push(self, packet: Packet) -> list[Frame]:
        """The frames of the packets that these bytes complete."""
        frames = (self._frame(wire) for wire in self._packets.push(packet.data))
        return [frame for frame in frames if frame is not None]

    def start_commands(self) -> tuple[bytes, ...]:
        """None: the board streams as soon as it has power."""
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: the board cannot be told to stop."""
        return ()

    def reset(self) -> None:
        """Forget a packet and blocks half received."""
        self._packets.reset()
        self._blocks.clear()
        self._told, self._untold_samples = (0, 0), 0

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are packets with ECG, `bad_frames` those with a
        wrong length, type or footer, or with impossible values.
        """
        return self._tally.count

    def readings(self) -> tuple[Reading, ...]:
        """Heart rates, breathing and light since the last call; the last 256 are kept."""
        told = tuple(self._readings)
        self._readings.clear()
        return told

    def _counts(self, ecg: Sequence[int]) -> Sequence[float] | None:
        """Counts around 0 of what the packet holds, None where that is impossible."""
        return ecg

    def _lead_off(self, ecg: Sequence[int], values: Sequence[int]) -> int:
        """Bits of the leads without contact; most boards do not tell."""
        return 0

    def _measure(self, data: bytes) -> int:
        if len(data) < PAYLOAD_AT:
            return UNDECIDED
        layout = self._layouts.get(data[2:PAYLOAD_AT])
        if layout is not None:
            size = layout.form.size + OVERHEAD_BYTES
            if len(data) < size:
                return UNDECIDED
            if data[size - len(FOOTER) : size] == FOOTER:
                return size
        self._tally.bad_frames += 1
        return NO_FRAME

    def _frame(self, wire: bytes) -> Frame | None:
        layout = self._layouts[wire[2:PAYLOAD_AT]]
        values = layout.form.unpack_from(wire, PAYLOAD_AT)
        ecg = values[layout.ecg] if layout.ecg else ()
        counts = self._counts(ecg) if _is_sound(layout, values) else None
        if counts is None:
            self._tally.bad(len(wire))
            return None
        self._tell_waves(layout, values)
        if layout.heart_rate is not None:
            self._tell_heart_rate(layout, values, len(ecg))
        if not ecg:
            return None
        self._tally.frames += 1
        uv = self._uv or layout.uv_per_lsb
        samples_uv = np.array([count * uv for count in counts], np.float32)
        return Frame(
            format=self._format,
            samples_uv=samples_uv.reshape(-1, len(self._format.leads)),
            lead_off=self._lead_off(ecg, values),
        )

    def _tell_heart_rate(self, layout: Layout, values: Sequence[int], samples: int) -> None:
        bpm = values[layout.heart_rate or 0]
        rr_ms = 0 if layout.rr_ms is None else values[layout.rr_ms]
        now = (bpm if 0 < bpm <= BPM_MAX else 0, rr_ms)
        self._untold_samples += samples
        if now == self._told and self._untold_samples < self._format.rate_hz:
            return
        is_new_interval = rr_ms > 0 and rr_ms != self._told[1]
        self._told, self._untold_samples = now, 0
        self._readings.append(HeartRate(now[0], (float(rr_ms),) if is_new_interval else ()))

    def _tell_waves(self, layout: Layout, values: Sequence[int]) -> None:
        for wave in layout.waves:
            if wave.skip is not None and values[wave.skip]:
                continue
            block = self._blocks.setdefault(wave.channels, [])
            block += values[wave.values]
            if len(block) >= wave.rate_hz * len(wave.channels):
                self._blocks[wave.channels] = []
                self._readings.append(_waveform(wave, block))


def _is_sound(layout: Layout, values: Sequence[int]) -> bool:
    for index in layout.zeros:
        if values[index]:
            return False
    return all(values[index] in (0, 0xFF) for index in layout.flags)


def _waveform(wave: Wave, block: list[float]) -> Waveform:
    samples = np.array(block, np.float32).reshape(-1, len(wave.channels))
    return Waveform(wave.kind, "count", wave.channels, wave.rate_hz, samples)
