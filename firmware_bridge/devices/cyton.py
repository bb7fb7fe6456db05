"""OpenBCI Cyton, alone or with the Daisy module: 8 or 16 channels over its USB radio dongle."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np

from firmware_bridge.devices.cyton_aux import CytonAux
from firmware_bridge.devices.frame_lock import NO_KEY, FrameLock
from firmware_bridge.devices.options import chosen_number, chosen_numbers, switch
from firmware_bridge.devices.railed import railed
from firmware_bridge.devices.sample_runs import runs
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import SerialProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet, Reading, StreamFormat

__all__ = ["CytonDecoder"]

START, STOPS = 0xA0, range(0xC0, 0xC7)
PACKET_BYTES = 33
COUNTER_AT, CHANNELS_AT, STOP_AT = 1, 2, 32
COUNTS = 256
BOARD_CHANNELS = 8
RATE_HZ, DAISY_RATE_HZ = 250.0, 125.0
GAIN_CODES = {1: b"0", 2: b"1", 4: b"2", 6: b"3", 8: b"4", 12: b"5", 24: b"6"}
CHANNEL_CODES = b"12345678QWERTYUI"
DEFAULT_GAIN = 24
REFERENCE_UV = 4.5e6

STOP, RESET, START_STREAM = b"s", b"v", b"b"
TIME_STAMPS, WITH_DAISY, WITHOUT_DAISY = b"<", b"C", b"c"
TEXT_END = b"$$$"
TEXT_MAX_BYTES = 600
VERSION = re.compile(rb"Firmware: (v[\d.]+)")


class CytonDecoder:
    """Packets of a Cyton to frames, 250 Hz; with a Daisy 125 Hz.

    Source: OpenBCI's documents "Cyton Data Format" and "Cyton Board SDK" (docs.openbci.com).
    Spec-tested, not capture-tested.

    A packet has no checksum: it is intact where it begins with A0 and ends with C0 to C6, and
    out of step with the stream only where the next one bears it out. Its counter knows 256
    packets, so the board is told to add its time, in milliseconds since it started, which tells
    longer losses (firmware 2.0 and later).

    gain: of the channels asked for, 1, 2, 4, 6, 8, 12 or 24; the board is set to it. daisy: odd
    packets hold channels 1 to 8 and even ones 9 to 16, each the mean of two samples, as the
    board sends them with a Daisy; a sample needs both where channels of both are asked for.
    channels: those to deliver, such as "1,2"; the first three by default, as an ECG takes one to
    three. srb2: whether they are measured against the common SRB2 pin, as the board does by
    default; 0 measures between the two pins of each channel. clock: whether to ask for the
    board's time. A railed channel counts as a lead off.
    """

    serial = SerialProfile(baud=115_200, settle_s=1.0)  # an 8-bit board restarts when opened
    keep_alive_s = 3600.0

    def __init__(
        self,
        gain: int | str = DEFAULT_GAIN,
        daisy: bool | str = False,
        channels: str | Sequence[int] = "1,2,3",
        srb2: bool | str = True,
        clock: bool | str = True,
    ) -> None:
        self._gain = chosen_number("gain", gain, GAIN_CODES)
        self._daisy = switch("daisy", daisy)
        highest = 2 * BOARD_CHANNELS if self._daisy else BOARD_CHANNELS
        self._channels = chosen_numbers("channels", channels, 1, highest)
        self._srb2 = switch("srb2", srb2)
        self._clock = switch("clock", clock)
        self._tally = Tally()
        self._packets = FrameLock(
            PACKET_BYTES,
            _counter,
            _follows,
            self._tally,
            confirm=2,
            strict=False,
            trusted=True,
            begins=bytes([START]),
            skipped=self._hear,
        )
        rate_hz = DAISY_RATE_HZ if self._daisy else RATE_HZ
        self._aux = CytonAux(rate_hz)
        self._arrange(rate_hz)
        self._replies: deque[bytes] = deque(maxlen=64)
        self._refusals = 0
        self._last_refusal = ""
        self._about: dict[str, str] = {}
        self._text = b""
        self._odd = b""

    def reset(self) -> None:
        """Forget a packet half received, and half of a sample; counts stay."""
        self._packets.reset()
        self._aux.reset()
        self._replies.clear()
        self._about.clear()
        self._text = self._odd = b""

    def push(self, packet: Packet) -> list[Frame]:
        """The samples that these bytes complete, those without a gap between in one frame."""
        packets = self._packets.push(packet.data)
        for taken in packets:
            self._aux.take(taken)
        samples = self._paired(packets) if self._daisy else packets
        if not samples:
            return []
        self._tally.frames += len(samples)
        return self._frames(samples)

    def start_commands(self) -> tuple[bytes, ...]:
        """Stop and reset the board; what follows answers its greeting, which ends with `$$$`."""
        return (STOP, RESET)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop streaming."""
        return (STOP,)

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """None: the board streams until it is told to stop."""
        return ()

    def replies(self) -> tuple[bytes, ...]:
        """The settings and the start command, once the board has greeted."""
        told = []
        while self._replies:
            told.append(self._replies.popleft())
        return tuple(told)

    def readings(self) -> tuple[Reading, ...]:
        """Movement, 25 Hz, since the last call; the last 256 are kept."""
        return self._aux.readings()

    def about(self) -> Mapping[str, str]:
        """The firmware, once the board has greeted; before version 2.0 it does not tell."""
        return dict(self._about)

    @property
    def refusals(self) -> int:
        """How many commands the dongle or the board refused since the decoder was made."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """What was refused last and why, in words; empty if nothing."""
        return self._last_refusal

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are samples, `bad_frames` packets cut or overwritten.

        Text of the board and halves of samples without their other half count as skipped.
        """
        return self._tally.count

    def _arrange(self, rate_hz: float) -> None:
        """Where the channels lie in a sample: a packet, or an odd and an even one together."""
        halves = {"board" if channel <= BOARD_CHANNELS else "daisy" for channel in self._channels}
        self._parts = "both" if len(halves) == 2 else halves.pop()
        offsets = []
        for channel in self._channels:
            half, place = divmod(channel - 1, BOARD_CHANNELS)
            offset = PACKET_BYTES * half if self._parts == "both" else 0
            offsets.append(offset + CHANNELS_AT + 3 * place)
        self._offsets = tuple(offsets)
        self._scale_uv = np.float32(REFERENCE_UV / self._gain / ((1 << 23) - 1))
        names = tuple(f"CH{channel}" for channel in self._channels)
        self._format = StreamFormat(rate_hz, names)
        self._modulus = COUNTS // 2 if self._daisy else COUNTS

    def _paired(self, packets: list[bytes]) -> list[bytes]:
        """Samples with a Daisy: an odd packet, the even one behind it, or both, as is needed."""
        samples = []
        for packet in packets:
            is_odd = packet[COUNTER_AT] % 2 == 1
            if self._parts != "both":
                if is_odd == (self._parts == "board"):
                    samples.append(packet)
            elif is_odd:
                self._tally.skipped_bytes += len(self._odd)
                self._odd = packet
            elif self._odd and packet[COUNTER_AT] == (self._odd[COUNTER_AT] + 1) % COUNTS:
                samples.append(self._odd + packet)
                self._odd = b""
            else:
                self._tally.skipped_bytes += len(self._odd) + PACKET_BYTES
                self._odd = b""
        return samples

    def _frames(self, samples: list[bytes]) -> list[Frame]:
        rows = [
            [int.from_bytes(sample[at : at + 3], "big", signed=True) for at in self._offsets]
            for sample in samples
        ]
        samples_uv = np.array(rows, np.float32) * self._scale_uv
        positions = [self._position(sample[COUNTER_AT]) for sample in samples]
        times_ns = [self._aux.time_ns(sample) for sample in samples]
        lead_off = [railed(row) for row in rows]
        return [
            Frame(
                self._format,
                samples_uv[run],
                positions[run.start],
                self._modulus,
                times_ns[run.start],
                None,
                lead_off[run.start],
            )
            for run in runs(positions, self._modulus, lead_off)
        ]

    def _position(self, counter: int) -> int:
        """Samples are pairs of packets with a Daisy: 1 and 2 are the first, 255 and 0 the last."""
        return (counter - 1) % COUNTS >> 1 if self._daisy else counter

    def _hear(self, byte: int) -> bool:
        """Text of the board or the dongle; packets begin behind its end."""
        self._text = self._text[-TEXT_MAX_BYTES:] + bytes([byte])
        if not self._text.endswith(TEXT_END):
            return False
        text, self._text = self._text, b""
        self._answer(text)
        return True

    def _answer(self, text: bytes) -> None:
        if b"Communications timeout" in text:
            self._refuse(
                "the dongle does not hear the board: switch the board on, charge its battery, "
                "and see that both are on the same radio channel"
            )
        elif b"no daisy" in text:
            self._refuse("the board finds no Daisy module; leave out daisy=1")
        elif b"Failure" in text:
            words = text[text.index(b"Failure") :].removesuffix(TEXT_END)
            self._refuse(ascii(words.decode("ascii", "replace"))[1:120])
        elif b"OpenBCI" in text or b"ADS1299" in text:
            version = VERSION.search(text)
            if version:
                self._about["firmware"] = version[1].decode("ascii")
            self._replies.extend(self._settings())

    def _settings(self) -> list[bytes]:
        settings = [WITH_DAISY if self._daisy else WITHOUT_DAISY]
        if self._gain != DEFAULT_GAIN or not self._srb2:
            srb2 = b"1" if self._srb2 else b"0"
            for channel in self._channels:
                code = CHANNEL_CODES[channel - 1 : channel]
                settings.append(b"x" + code + b"0" + GAIN_CODES[self._gain] + b"01" + srb2 + b"0X")
        if self._clock:
            settings.append(TIME_STAMPS)
        return [*settings, START_STREAM]

    def _refuse(self, words: str) -> None:
        self._refusals += 1
        self._last_refusal = f"OpenBCI Cyton: {words}"


def _counter(data: bytes, at: int) -> int:
    if data[at] != START or data[at + STOP_AT] not in STOPS:
        return NO_KEY
    return data[at + COUNTER_AT]


def _follows(before: int, after: int, frames: int) -> bool:
    return frames == 0 or (after - before) % COUNTS == frames
