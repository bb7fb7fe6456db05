"""What Viatom's ECG patches share: messages, and the conversation of questions and answers.

A message is `A5 | command | ~command | 00 request or 01 answer | sequence | length u16 LE |
payload | CRC-8 of all before`. Source: github.com/viatomEcho/LepuBle, the maker's library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from firmware_bridge.devices.checksums import crc8
from firmware_bridge.devices.resync import NO_FRAME, UNDECIDED, Resync
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, HeartRate, Packet, Reading

__all__ = ["BATTERY_MAX", "BPM_MAX", "PatchDecoder"]

SERVICE = "14839ac4-7d7e-415c-9a42-167340cf2339"
WRITE = "8b00ace7-eb0b-49b0-bbe9-9aee0a26e1a3"
NOTIFY = "0734594a-a8e7-4b1a-a6b1-cd5243059a57"

START = 0xA5
REQUEST, ANSWER = 0x00, 0x01
HEAD_BYTES, OVERHEAD_BYTES = 7, 8
SEQUENCES = 255
BATTERY_MAX, BPM_MAX = 100, 300
KEPT_READINGS = 256


class PatchDecoder(ABC):
    """A patch that is asked once a second for what it has measured since.

    An answer comes in notifications of any size. Heart rate, contact and battery come as
    readings with every answer. command, request: what asks for samples. payload_max: longest
    answer, in bytes; some 4 s of samples.
    """

    gatt = GattProfile(
        control=WRITE,
        data=(NOTIFY,),
        services=(SERVICE,),
        name="[DEV][BRu][123eo]*",  # ER1, ER2, ER3, DuoEK, VBeat
    )
    keep_alive_s = 1.0

    def __init__(self, command: int, request: bytes, payload_max: int) -> None:
        self._command = command
        self._request = request
        self._payload_max = payload_max
        self._tally = Tally()
        longest = payload_max + OVERHEAD_BYTES
        self._messages = Resync(bytes([START]), self._measure, longest, self._tally)
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)
        self._polls = 0
        self._refusals = 0
        self._last_refusal = ""

    def push(self, packet: Packet) -> list[Frame]:
        """The frames of the answers that this notification completes."""
        if packet.channel not in ("", NOTIFY):
            self._tally.bytes += len(packet.data)
            self._tally.skipped_bytes += len(packet.data)
            return []
        frames = (self._message(wire) for wire in self._messages.push(packet.data))
        return [frame for frame in frames if frame is not None]

    def start_commands(self) -> tuple[bytes, ...]:
        """The first question for samples."""
        return (self._question(0),)

    def stop_commands(self) -> tuple[bytes, ...]:
        """None: the patch is silent unless it is asked."""
        return ()

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """The next question for samples."""
        self._polls += 1
        return (self._question(self._polls % SEQUENCES),)

    def replies(self) -> tuple[bytes, ...]:
        """None: the patch waits for no acknowledgement."""
        return ()

    def reset(self) -> None:
        """Forget an answer half received."""
        self._messages.reset()

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are intact answers, also those without samples."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How many questions the patch refused since the decoder was made."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """What it refused last and with which status; empty if nothing."""
        return self._last_refusal

    def readings(self) -> tuple[Reading, ...]:
        """Heart rates since the last call, in order; the last 256 are kept."""
        told = tuple(self._readings)
        self._readings.clear()
        return told

    @abstractmethod
    def _samples(self, payload: bytes) -> tuple[HeartRate, Frame | None] | None:
        """What an answer tells and its samples, if it has any; None where it is damaged."""

    def _question(self, sequence: int) -> bytes:
        command, size = self._command, len(self._request)
        head = bytes([START, command, command ^ 0xFF, REQUEST, sequence, size, 0])
        question = head + self._request
        return question + bytes([crc8(question)])

    def _measure(self, data: bytes) -> int:
        if len(data) < HEAD_BYTES:
            return UNDECIDED
        length = data[5] | data[6] << 8
        if data[1] ^ data[2] != 0xFF or length > self._payload_max:
            return NO_FRAME
        size = length + OVERHEAD_BYTES
        if len(data) < size:
            return UNDECIDED
        if crc8(data[: size - 1]) == data[size - 1]:
            return size
        self._tally.bad_frames += 1
        return NO_FRAME

    def _message(self, wire: bytes) -> Frame | None:
        if wire[1] != self._command or wire[3] == REQUEST:
            self._tally.skipped_bytes += len(wire)
        elif wire[3] != ANSWER:
            self._refusals += 1
            self._last_refusal = f"the patch refused to send samples (status {wire[3]:#04x})"
        else:
            return self._answer(wire)
        return None

    def _answer(self, wire: bytes) -> Frame | None:
        told = self._samples(wire[HEAD_BYTES:-1])
        if told is None:
            self._tally.bad(len(wire))
            return None
        self._tally.frames += 1
        self._readings.append(told[0])
        return told[1]
