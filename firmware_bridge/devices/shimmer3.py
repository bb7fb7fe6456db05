"""Shimmer3 ECG unit over classic Bluetooth (a serial port)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_bridge.devices.frame_lock import NO_KEY, NO_MESSAGE, UNDECIDED, FrameLock
from firmware_bridge.devices.options import chosen_number, chosen_numbers, switch
from firmware_bridge.devices.sample_runs import runs
from firmware_bridge.devices.shimmer3_dialogue import (
    BATTERY,
    GAIN_CODES,
    INQUIRY,
    RATES_HZ,
    STOP,
    Dialogue,
    settings,
)
from firmware_bridge.devices.shimmer3_packets import (
    CHANNEL_BYTES,
    CLOCK_HZ,
    LEADS,
    Layout,
    layout_of,
)
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import SerialProfile
from firmware_bridge.stream import NS_PER_S, DecodeCount, Frame, Packet

__all__ = ["Shimmer3Decoder"]

DATA, INQUIRED, IN_STREAM, REFUSED, ACKNOWLEDGED = 0x00, 0x02, 0x8A, 0xFE, 0xFF
IN_STREAM_BYTES = {0x71: 3, 0x94: 5}
"""Status and battery voltage, by their second byte."""
BATTERY_TOLD = 0x94
INQUIRED_BYTES, CHANNELS_MAX = 9, 41
"""Of the answer to an inquiry: bytes before the channels, and how many there can be."""
TICKS = 1 << 24
ENDLESS = 1 << 62
ECG_CHANNELS = (0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22)

COUNT_V = 3.0 / 4095 * 1.988
"""12-bit converter, reference 3 V, behind a divider (Shimmer User Manual, rev. 3p)."""
CHARGE_V = (
    *(3.2, 3.627, 3.645, 3.663, 3.681, 3.699, 3.717, 3.7314, 3.735, 3.7386, 3.7566, 3.771, 3.789),
    *(3.8034, 3.8106, 3.8394, 3.861, 3.8826, 3.9078, 3.933, 3.969, 4.0086, 4.041, 4.0734, 4.113),
    4.167,
)
CHARGE_PERCENT = (0.0, *(5.9 + 94.1 / 24 * step for step in range(25)))
"""Charge at these voltages (Shimmer User Manual, rev. 3p, page 53)."""


class Shimmer3Decoder:
    """Packets of a Shimmer3 with its ECG unit to frames, 512 Hz by default.

    Source: ShimmerResearch's firmware (github.com/ShimmerResearch/shimmer3 and
    log-and-stream-common), its Java library for the registers, and pyshimmer.
    Spec-tested, not capture-tested.

    The decoder sets rate, sensors and chips, asks what the device made of it, and goes by the
    answer. A packet has no checksum and no counter: it begins with 00, and its clock (32768 Hz,
    wraps every 512 s) must be one sampling step ahead of the packet before; behind a loss two
    packets in a row must fit each other. Times begin with the first packet of a connection.

    rate: 128, 256, 512 or 1024. gain: 1, 2, 3, 4, 6, 8 or 12. channels: 1 is LL-RA (lead II), 2
    is LA-RA (lead I), 4 is Vx-RL, 3 the first channel of the second chip, which an ECG leaves
    unused. lead_off: whether the chips are told to detect electrodes that are off.
    """

    serial = SerialProfile(baud=115_200)
    keep_alive_s = 60.0

    def __init__(
        self,
        rate: int | str = 512,
        gain: int | str = 4,
        channels: str | Sequence[int] = "1,2,4",
        lead_off: bool | str = False,
    ) -> None:
        rate_hz = chosen_number("rate", rate, RATES_HZ)
        self._gain = chosen_number("gain", gain, GAIN_CODES)
        self._chosen = chosen_numbers("channels", channels, 1, len(LEADS))
        commands = settings(rate_hz, self._gain, switch("lead_off", lead_off))
        self._dialogue = Dialogue(commands)
        expected = self._layout_of(ECG_CHANNELS, CLOCK_HZ // rate_hz)
        assert expected is not None  # all four leads are among these channels
        self._expected = self._layout = self._cut = expected
        self._tally = Tally()
        self._lock = FrameLock(
            expected.packet_bytes,
            _clock,
            self._follows,
            self._tally,
            confirm=2,
            strict=True,
            trusted=True,
            begins=bytes([DATA]),
            aside=self._message_bytes,
        )
        self._battery_percent: int | None = None
        self._refusals = 0
        self._last_refusal = ""
        self._streams = False
        self._last_clock: int | None = None
        self._ticks = 0

    def reset(self) -> None:
        """Forget what was said and a packet half received; counts stay."""
        self._lock.reset()
        self._dialogue.reset()
        self._use(self._expected)
        self._layout = self._expected
        self._streams = False
        self._last_clock = None
        self._ticks = 0

    def push(self, packet: Packet) -> list[Frame]:
        """The samples that these bytes complete, those without a gap between in one frame."""
        frames: list[Frame] = []
        run: list[bytes] = []
        for taken in self._lock.push(packet.data):
            if taken[0] == DATA:
                run.append(taken)
            else:
                frames += self._frames(run)
                run = []
                self._hear(taken)
        return frames + self._frames(run)

    def start_commands(self) -> tuple[bytes, ...]:
        """An inquiry; its answer leads to the settings and the start."""
        return (INQUIRY,)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop streaming."""
        return (STOP,)

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """Ask for the charge, while it streams."""
        return (BATTERY,) if self._streams else ()

    def replies(self) -> tuple[bytes, ...]:
        """The next command of the dialogue, once the one before is answered."""
        told = []
        while self._dialogue.replies:
            told.append(self._dialogue.replies.popleft())
        return tuple(told)

    @property
    def refusals(self) -> int:
        """How many commands the device refused since the decoder was made."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """What it refused last and why, in words; empty if nothing."""
        return self._last_refusal

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are data packets."""
        return self._tally.count

    def _layout_of(self, channels: Sequence[int], step: int) -> Layout | None:
        return layout_of(channels, step, self._chosen, self._gain)

    def _use(self, layout: Layout) -> None:
        """From here on packets are cut by this layout."""
        self._cut = layout
        self._lock.size = layout.packet_bytes

    def _frames(self, packets: list[bytes]) -> list[Frame]:
        if not packets:
            return []
        layout = self._layout
        self._streams = True
        self._tally.frames += len(packets)
        rows = [layout.counts(packet) for packet in packets]
        samples_uv = np.array(rows, np.float32) * layout.scale_uv
        ticks = [self._elapsed(packet) for packet in packets]
        steps = [round(elapsed / layout.step) for elapsed in ticks]
        lead_off = [layout.lead_off(packet) for packet in packets]
        return [
            Frame(
                layout.format,
                samples_uv[run],
                device_time_ns=ticks[run.start] * NS_PER_S // CLOCK_HZ,
                lead_off=lead_off[run.start],
                battery_percent=self._battery_percent,
            )
            for run in runs(steps, ENDLESS, lead_off)
        ]

    def _elapsed(self, packet: bytes) -> int:
        """Clock ticks since the first packet of this connection."""
        clock = int.from_bytes(packet[1:4], "little")
        if self._last_clock is not None:
            self._ticks += (clock - self._last_clock) % TICKS
        self._last_clock = clock
        return self._ticks

    def _follows(self, before: int, after: int, packets: int) -> bool:
        """Whether a clock is so many sampling steps later, but for rounding."""
        step = self._cut.step
        ahead = (after - before) % TICKS
        return abs(ahead - max(1, packets) * step) <= max(2, step // 16)

    def _message_bytes(self, data: bytes, at: int) -> int:
        """Length of an answer; that of an inquiry changes how packets are cut behind it."""
        kind = data[at]
        if kind in (ACKNOWLEDGED, REFUSED):
            return 1
        if kind == IN_STREAM:
            if len(data) == at + 1:
                return UNDECIDED
            return IN_STREAM_BYTES.get(data[at + 1], NO_MESSAGE)
        if kind != INQUIRED:
            return NO_MESSAGE
        if len(data) < at + INQUIRED_BYTES:
            return UNDECIDED
        return self._inquired_bytes(data, at)

    def _inquired_bytes(self, data: bytes, at: int) -> int:
        count = data[at + 7]
        if not 0 < count <= CHANNELS_MAX:
            return NO_MESSAGE
        length = INQUIRED_BYTES + count
        if len(data) < at + length:
            return UNDECIDED
        answer = data[at : at + length]
        if not all(channel in CHANNEL_BYTES for channel in answer[INQUIRED_BYTES:]):
            return NO_MESSAGE
        layout = self._told_layout(answer)
        if layout is not None:
            self._use(layout)
        return length

    def _told_layout(self, answer: bytes) -> Layout | None:
        step = int.from_bytes(answer[1:3], "little")
        return self._layout_of(tuple(answer[INQUIRED_BYTES:]), step)

    def _hear(self, answer: bytes) -> None:
        kind = answer[0]
        if kind == ACKNOWLEDGED:
            self._dialogue.acknowledged()
        elif kind == REFUSED:
            what = self._dialogue.refused()
            self._refuse(f"refuses {what}; is it docked, or does it log to its card?")
        elif kind == INQUIRED:
            self._inquired(answer)
        elif answer[1] == BATTERY_TOLD:
            volts = int.from_bytes(answer[2:4], "little") * COUNT_V
            self._battery_percent = round(float(np.interp(volts, CHARGE_V, CHARGE_PERCENT)))

    def _inquired(self, answer: bytes) -> None:
        layout = self._told_layout(answer)
        if layout is not None:
            self._layout = layout
        elif self._dialogue.expects_settled_inquiry:
            self._dialogue.reset()
            self._refuse("has no ECG to give; is it the ECG unit, and its firmware LogAndStream?")
            return
        self._dialogue.inquired()

    def _refuse(self, words: str) -> None:
        self._refusals += 1
        self._last_refusal = f"Shimmer3 {words}"


def _clock(data: bytes, at: int) -> int:
    return int.from_bytes(data[at + 1 : at + 4], "little") if data[at] == DATA else NO_KEY
