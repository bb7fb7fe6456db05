"""What a packet of the OpenBCI Cyton carries behind its channels: movement and the board's time."""

from __future__ import annotations

from collections import deque
from struct import Struct

import numpy as np

from firmware_bridge.devices.packet_clock import PacketClock
from firmware_bridge.stream import Reading, Waveform

__all__ = ["CytonAux"]

AUX, STOP = slice(26, 32), 32
ACC, TIMED_ACC_SET, TIMED_ACC, TIMED_AUX_SET, TIMED_AUX = 0xC0, 0xC3, 0xC4, 0xC5, 0xC6
NO_ACC = bytes(6)
XYZ = Struct(">3h")
TIME_MS = Struct(">I")
TIME_AT = 28
CODES = b"XxYyZz"
"""Which byte of which axis a time-stamped packet carries: upper case is the upper byte."""
MG_PER_COUNT = np.float32(2 / 16)
"""2 mg a digit, in the upper 12 of 16 bits."""
ACC_HZ = 25.0
KEPT_READINGS = 256


class CytonAux:
    """Reads the six auxiliary bytes of each packet by its stop byte, C0 to C6.

    packet_hz: how often packets come whose time is asked for.
    """

    def __init__(self, packet_hz: float) -> None:
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)
        self._clock = PacketClock(packet_hz)
        self._bytes = bytearray(6)
        self._next_code = 0

    def reset(self) -> None:
        """Forget the clock and a movement half told."""
        self._clock.reset()
        self._next_code = 0

    def readings(self) -> tuple[Reading, ...]:
        """Movements since the last call; the last 256 are kept."""
        told = tuple(self._readings)
        self._readings.clear()
        return told

    def time_ns(self, packet: bytes) -> int | None:
        """Board time of a packet, nanoseconds since it started; None where it tells none.

        To be asked of every packet that is delivered, in order.
        """
        if packet[STOP] < TIMED_ACC_SET:
            return None
        return self._clock.first_ns(TIME_MS.unpack_from(packet, TIME_AT)[0], 1)

    def take(self, packet: bytes) -> None:
        """Keep the movement that a packet tells, if any."""
        stop = packet[STOP]
        if stop == ACC:
            told = packet[AUX]
            if told != NO_ACC:
                self._tell(told)
        elif stop in (TIMED_ACC_SET, TIMED_ACC):
            self._gather(packet[26], packet[27])

    def _gather(self, code: int, value: int) -> None:
        """One of six bytes, which come in order; one that is missing spoils the triple."""
        place = CODES.find(code)
        if place == 0 or (place > 0 and place == self._next_code):
            self._bytes[place] = value
            self._next_code = place + 1
        elif place > 0:
            self._next_code = 0
        if self._next_code == len(CODES):
            self._next_code = 0
            self._tell(bytes(self._bytes))

    def _tell(self, xyz: bytes) -> None:
        samples = np.array([XYZ.unpack(xyz)], np.float32) * MG_PER_COUNT
        self._readings.append(Waveform("acc", "mg", ("x", "y", "z"), ACC_HZ, samples))
