"""PC-80B handheld ECG (Creative Medical, also "Easy ECG") over Bluetooth LE.

A message is `A5 | event | length u8 | payload | CRC-8/MAXIM of all before`. Sources:
github.com/thewyrdguy/pc80b-bleak and github.com/viatomEcho/LepuBle (PC80BleResponse).
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices.checksums import crc8_maxim
from firmware_bridge.devices.options import positive
from firmware_bridge.devices.resync import NO_FRAME, UNDECIDED, Resync
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, HeartRate, Packet, Reading, StreamFormat

__all__ = ["Pc80bDecoder"]

SERVICE = "0000fff0-0000-1000-8000-00805f9b34fb"
NOTIFY = "0000fff1-0000-1000-8000-00805f9b34fb"
WRITE = "0000fff2-0000-1000-8000-00805f9b34fb"

START = 0xA5
HEAD_BYTES, OVERHEAD_BYTES = 3, 4
SESSION, CONTINUOUS, FAST, HEARTBEAT = 0x55, 0xAA, 0xDD, 0xFF
STORED_RECORDING = 0x01
LEAD_OFF, DATA_TYPE, SAMPLES = 0x80, 0x07, 0x01

FORMAT = StreamFormat(150.0, ("ECG",))
FRAME_SAMPLES = 25
SAMPLE_BYTES = FRAME_SAMPLES * 2
CONTINUOUS_BYTES, FAST_HEAD_BYTES = 1 + SAMPLE_BYTES + 3, 6
ACKNOWLEDGE_EVERY = 64
MIDDLE, TWELVE_BITS = 2048, 0x0FFF
UV_PER_LSB = 1000 / 330
KEPT_READINGS = 256
KEPT_REPLIES = 64


class Pc80bDecoder:
    """Messages of a PC-80B in its wireless mode to frames of 25 samples, 150 Hz, of one lead.

    It measures in two ways: continuously (event AA, a counter of 8 bit a packet, which turns
    after 42.7 s) and for 30 s (event DD, 16 bit). Counts of 12 bit around 2048, 3.030 uV each;
    both sources leave the gain bits (x1/2 to x4) out of the scale, and so does this decoder: give
    `uv_per_lsb` where a calibration says otherwise. It has no clock.

    A session (event 55) is answered, every 64th continuous packet and the end are acknowledged,
    and a heartbeat goes out every 10 s. A stored recording that it offers is declined; its
    packets are passed over. Lead-off comes with each packet, heart rates when they change. The
    battery is told in steps or volts, not percent, and is left out.

    Source: pc80b-bleak and LepuBle. Spec-tested, not capture-tested.
    """

    gatt = GattProfile(control=WRITE, data=(NOTIFY,), services=(SERVICE,), name="PC80B-BLE*")
    keep_alive_s = 10.0

    def __init__(self, uv_per_lsb: float | str = UV_PER_LSB) -> None:
        self._uv = np.float32(positive("uv_per_lsb", uv_per_lsb))
        self._tally = Tally()
        longest = 255 + OVERHEAD_BYTES
        self._messages = Resync(bytes([START]), self._measure, longest, self._tally)
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)
        self._replies: deque[bytes] = deque(maxlen=KEPT_REPLIES)
        self._is_stored = False
        self._told: tuple[int, bool] | None = None

    def push(self, packet: Packet) -> list[Frame]:
        """The frames of the messages that this notification completes."""
        if packet.channel not in ("", NOTIFY):
            self._tally.bytes += len(packet.data)
            self._tally.skipped_bytes += len(packet.data)
            return []
        frames = (self._message(wire) for wire in self._messages.push(packet.data))
        return [frame for frame in frames if frame is not None]

    def start_commands(self) -> tuple[bytes, ...]:
        """None: the device opens the session by itself."""
        return ()

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: it cannot be told to stop."""
        return ()

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """The heartbeat."""
        return (_message(HEARTBEAT, bytes([0])),)

    def replies(self) -> tuple[bytes, ...]:
        """Answers and acknowledgements since the last call; the last 64 are kept."""
        due: list[bytes] = []
        while self._replies:
            due.append(self._replies.popleft())
        return tuple(due)

    def reset(self) -> None:
        """Forget a message half received, the session and its answers."""
        self._messages.reset()
        self._replies.clear()
        self._is_stored = False
        self._told = None

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are packets of samples."""
        return self._tally.count

    def readings(self) -> tuple[Reading, ...]:
        """Heart rates since the last call, in order; the last 256 are kept."""
        told = tuple(self._readings)
        self._readings.clear()
        return told

    def _measure(self, data: bytes) -> int:
        if len(data) < HEAD_BYTES:
            return UNDECIDED
        size = data[2] + OVERHEAD_BYTES
        if len(data) < size:
            return UNDECIDED
        if crc8_maxim(data[: size - 1]) == data[size - 1]:
            return size
        self._tally.bad_frames += data[1] in (CONTINUOUS, FAST)
        return NO_FRAME

    def _message(self, wire: bytes) -> Frame | None:
        event, payload = wire[1], wire[HEAD_BYTES:-1]
        if event == CONTINUOUS and payload:
            return self._continuous(wire, payload)
        if event == FAST and len(payload) >= FAST_HEAD_BYTES:
            return self._fast(wire, payload)
        if event == SESSION and len(payload) >= 2:
            self._is_stored = bool(payload[1] & STORED_RECORDING)
            self._replies.append(_message(SESSION, bytes([self._is_stored])))
        elif event != HEARTBEAT:
            self._tally.skipped_bytes += len(wire)
        return None

    def _continuous(self, wire: bytes, payload: bytes) -> Frame | None:
        sequence, is_end = payload[0], len(payload) == 1
        if is_end or sequence % ACKNOWLEDGE_EVERY == 0:
            self._replies.append(_message(CONTINUOUS, bytes([sequence, 0])))
        if is_end:
            return None
        if self._is_stored:
            self._tally.skipped_bytes += len(wire)
            return None
        if len(payload) != CONTINUOUS_BYTES:
            self._tally.bad(len(wire))
            return None
        samples, bpm, flags = payload[1 : 1 + SAMPLE_BYTES], payload[-3], payload[-1]
        return self._frame(samples, sequence, 1 << 8, bpm, bool(flags & LEAD_OFF))

    def _fast(self, wire: bytes, payload: bytes) -> Frame | None:
        """Of 30 s: only packets of type 1 hold samples, others are empty or hold the result."""
        bpm, flags, samples = payload[4], payload[5], payload[FAST_HEAD_BYTES:]
        if flags & DATA_TYPE != SAMPLES:
            return None
        if len(samples) != SAMPLE_BYTES:
            self._tally.bad(len(wire))
            return None
        sequence = payload[0] | payload[1] << 8
        return self._frame(samples, sequence, 1 << 16, bpm, bool(flags & LEAD_OFF))

    def _frame(
        self, samples: bytes, sequence: int, sequences: int, bpm: int, is_off: bool
    ) -> Frame:
        self._tally.frames += 1
        if (bpm, is_off) != self._told:
            self._told = (bpm, is_off)
            self._readings.append(HeartRate(float(bpm), contact=not is_off))
        return Frame(
            format=FORMAT,
            samples_uv=self._microvolts(samples),
            counter=sequence * FRAME_SAMPLES,
            counter_modulus=sequences * FRAME_SAMPLES,
            lead_off=int(is_off),
        )

    def _microvolts(self, samples: bytes) -> NDArray[np.float32]:
        counts = np.frombuffer(samples, "<u2") & TWELVE_BITS
        samples_uv = counts.astype(np.float32).reshape(-1, 1)
        samples_uv -= MIDDLE
        samples_uv *= self._uv
        return samples_uv


def _message(event: int, payload: bytes) -> bytes:
    message = bytes([START, event, len(payload)]) + payload
    return message + bytes([crc8_maxim(message)])
