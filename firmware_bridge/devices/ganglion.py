"""OpenBCI Ganglion: four channels over Bluetooth Low Energy."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from firmware_bridge.devices.ganglion_packets import (
    CHANNELS,
    AbsolutePackets,
    Counted,
    DeltaPackets,
    is_raw,
)
from firmware_bridge.devices.options import chosen_numbers, chosen_word, switch
from firmware_bridge.devices.railed import railed
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, Reading, StreamFormat, Waveform

__all__ = ["GanglionDecoder"]

SERVICE = "0000fe84-0000-1000-8000-00805f9b34fb"
RECEIVE = "2d30c082-f39f-4ce6-923f-3484ea480596"
SEND = "2d30c083-f39f-4ce6-923f-3484ea480596"

PACKET_BYTES = 20
DATA_MAX, IMPEDANCE, TEXT, TEXT_END = 200, range(201, 206), 206, 207
TEXT_MAX_BYTES = 1200
VERSION = re.compile(rb"Ganglion v(\d)[\d.]*")
RATE_HZ = 200.0
COUNT_UV = np.array(1.2e6 / (8_388_607 * 1.5 * 51), np.float32)
"""MCP3912: reference 1.2 V, gain 1; the board's amplifier: 51; 1.5 of the converter's formula."""

RESET, START, STOP, ACC_ON = b"v", b"b", b"s", b"n"
ACC_MG, ACC_HZ = 16.0, 10.0
ACC_AT = 19
KEPT_READINGS = 256


class GanglionDecoder:
    """Notifications of a Ganglion to frames of one or two samples of four leads, 200 Hz.

    Source: OpenBCI's document "Ganglion Data Format" (docs.openbci.com), the source of firmware
    2.0.1, and brainflow's `ganglion_native_v2.cpp` and `_v3.cpp`.
    Spec-tested, not capture-tested.

    Firmware 2 sends a whole sample every 201 and differences between, so a lost packet costs all
    up to the next whole sample. The sign of a difference is its lowest bit, as the firmware's own
    source writes it and OpenBCI's NodeJS library reads it; brainflow reads the uppermost, which
    is the same within a count (0.002 uV) for steps below 0.24 mV, but not for larger ones.

    firmware: 2, 3, or auto: told by the board's greeting, else by the numbers of its packets.
    acc: whether to ask for movement, 10 Hz, at the cost of a bit of each sample. channels: those
    to deliver, such as "1,2". Impedances and text are skipped. A railed channel counts as a lead
    off.
    """

    gatt = GattProfile(control=SEND, data=(RECEIVE,), services=(SERVICE,), name="Ganglion*")

    def __init__(
        self,
        firmware: int | str = "auto",
        acc: bool | str = False,
        channels: str | Sequence[int] = "1,2,3,4",
    ) -> None:
        self._asked_firmware = chosen_word("firmware", firmware, ("auto", "2", "3"))
        self._acc = switch("acc", acc)
        chosen = chosen_numbers("channels", channels, 1, CHANNELS)
        self._columns = None if chosen == (1, 2, 3, 4) else [number - 1 for number in chosen]
        self._format = StreamFormat(RATE_HZ, tuple(f"CH{number}" for number in chosen))
        self._tally = Tally()
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)
        self._forget()

    def reset(self) -> None:
        """Forget the samples before: the board starts anew with each connection."""
        self._forget()

    def push(self, packet: Packet) -> list[Frame]:
        """The samples of one notification; a channel of "" counts as data."""
        data = packet.data
        self._tally.bytes += len(data)
        if packet.channel not in ("", RECEIVE) or not data:
            self._tally.skipped_bytes += len(data)
        elif data[0] <= DATA_MAX:
            return self._samples(data)
        else:
            self._aside(data)
        return []

    def start_commands(self) -> tuple[bytes, ...]:
        """Reset the board, so that it tells its firmware, and start it."""
        return (RESET, ACC_ON, START) if self._acc else (RESET, START)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop streaming."""
        return (STOP,)

    def readings(self) -> tuple[Reading, ...]:
        """Movement since the last call; the last 256 are kept."""
        told = tuple(self._readings)
        self._readings.clear()
        return told

    def about(self) -> Mapping[str, str]:
        """The firmware, once the board has greeted."""
        told = VERSION.search(self._greeting)
        return {"firmware": told[0].split()[1].decode("ascii")} if told else {}

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made. Packets whose samples cannot be known, as a difference before
        the first whole sample, count as skipped.
        """
        return self._tally.count

    def _forget(self) -> None:
        word = self._asked_firmware
        self._packets = None if word == "auto" else _packets_of(word)
        self._number = -1
        self._greeting = b""
        self._xyz = [0.0, 0.0, 0.0]

    def _samples(self, data: bytes) -> list[Frame]:
        if len(data) != PACKET_BYTES:
            self._tally.bad(len(data))
            return []
        if self._packets is None:
            self._packets = self._guessed(data)
        self._number = data[0]
        counted = None if self._packets is None else self._packets.take(data)
        if counted is None:
            self._tally.skipped_bytes += len(data)
            return []
        self._tally.frames += 1
        if self._acc:
            self._take_movement(data)
        return [self._frame(counted)]

    def _frame(self, counted: Counted) -> Frame:
        rows = counted.rows
        if self._columns is not None:
            rows = [[row[column] for column in self._columns] for row in rows]
        samples_uv = np.array(rows, np.float32)
        samples_uv *= COUNT_UV
        off = railed(rows[0]) | railed(rows[-1])
        return Frame(self._format, samples_uv, counted.index, counted.modulus, lead_off=off)

    def _guessed(self, data: bytes) -> DeltaPackets | AbsolutePackets | None:
        """By numbers: 0 is raw in firmware 2 alone, and in 3 alone a cycle begins with 100."""
        if data[0] == 0:
            return DeltaPackets() if is_raw(data) else AbsolutePackets()
        if data[0] == 100 and self._number != 99:
            return AbsolutePackets()
        return None

    def _take_movement(self, data: bytes) -> None:
        """The axes come one a packet, in the first three of each ten."""
        axis = data[0] % 10 - 1
        if data[0] > 100 or not 0 <= axis < 3:
            return
        self._xyz[axis] = ACC_MG * (data[ACC_AT] - (data[ACC_AT] >> 7 << 8))
        if axis == 2:
            samples = np.array([self._xyz], np.float32)
            self._readings.append(Waveform("acc", "mg", ("x", "y", "z"), ACC_HZ, samples))

    def _aside(self, data: bytes) -> None:
        """Text and impedances; the text after a reset names the firmware."""
        self._tally.skipped_bytes += len(data)
        if data[0] not in (TEXT, TEXT_END):
            self._tally.bad_frames += data[0] not in IMPEDANCE
            return
        self._greeting = (self._greeting + data[1:])[:TEXT_MAX_BYTES]
        told = VERSION.search(self._greeting)
        if told and self._packets is None:
            self._packets = _packets_of("3" if int(told[1]) >= 3 else "2")


def _packets_of(firmware: str) -> DeltaPackets | AbsolutePackets:
    return DeltaPackets() if firmware == "2" else AbsolutePackets()
