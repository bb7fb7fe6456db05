"""Neuro PlayGround (NPG) Lite of Upside Down Labs, over Bluetooth LE."""

from __future__ import annotations

from firmware_bridge.devices.counted_rows import CountedRows, chosen_channels
from firmware_bridge.devices.options import chosen_number
from firmware_bridge.devices.tally import Tally
from firmware_bridge.protocols import GattProfile
from firmware_bridge.stream import DecodeCount, Frame, Packet

__all__ = ["NpgLiteDecoder"]

SERVICE = "4fafc201-1fb5-459e-8fcc-c5c9c331914b"
DATA = "beb5483e-36e1-4688-b7f5-ea07361b26a8"
CONTROL = "0000ff01-0000-1000-8000-00805f9b34fb"
BATTERY = "f633d0ec-46b4-43c1-a39f-1ca06d0602e1"

RATE_HZ = 500.0
BITS = 12
CHANNELS = (3, 6)
BLOCK_ROWS = 10
GAIN = 1000.0
"""Of no specification: makers publish none, and users' programs calculate with it."""
VREF_V = 2.5
UNKNOWN_COMMAND = b"UNKNOWN COMMAND"


class NpgLiteDecoder:
    """Notifications of an NPG Lite to frames of 3 or 6 leads in microvolts, 500 Hz.

    A notification has 10 rows, or 1 with older firmware: a counter of one byte, then a value of
    12 bits a channel. The counter tells loss up to 255 rows, half a second. No checksum: a
    notification of another length, or with a value of more than 12 bits, is bad. It does not tell
    contact.

    Options: channels: 3, or 6 with the Vibz Plus board (the name it advertises says which).
    leads: which of them, such as 1 or 1,2; all by default. gain and vref: of the amplifier and of
    the converter in volts; the makers publish no gain, so 1000 is a guess: calibrate where
    amplitudes matter.

    Sources: NPG-LITE-BLE.ino of github.com/upsidedownlabs/Chords-Arduino-Firmware and
    `chords_ble.py` of Chords-Python. Spec-tested, not capture-tested.
    """

    gatt = GattProfile(
        control=CONTROL,
        data=(DATA,),
        side=(BATTERY,),
        services=(SERVICE,),
        name="NPG*",  # the UUIDs are those of a widespread example and tell nothing
    )

    def __init__(
        self,
        channels: object = 3,
        leads: object = "all",
        gain: object = GAIN,
        vref: object = VREF_V,
    ) -> None:
        self._channels = chosen_number("channels", channels, CHANNELS)
        self._rows = CountedRows(
            rate_hz=RATE_HZ,
            channels=self._channels,
            chosen=chosen_channels(leads, self._channels),
            bits=BITS,
            vref=vref,
            gain=gain,
            counter_at=0,
            digital_at=1,
            row_bytes=_row_bytes(self._channels),
        )
        self._tally = Tally()
        self._battery_percent: int | None = None
        self._refusals = 0
        self._last_refusal = ""

    def push(self, packet: Packet) -> list[Frame]:
        """The frames of one notification; a channel of "" counts as data."""
        data, channel = packet.data, packet.channel
        self._tally.bytes += len(data)
        if channel in (DATA, ""):
            return self._block(data)
        if channel == BATTERY:
            self._battery(data)
        elif channel == CONTROL:
            self._told(data)
        else:
            self._tally.skipped_bytes += len(data)
        return []

    def start_commands(self) -> tuple[bytes, ...]:
        """Start; the counter begins at 0."""
        return (b"START",)

    def stop_commands(self) -> tuple[bytes, ...]:
        """Stop; it does so by itself where the link is lost."""
        return (b"STOP",)

    def reset(self) -> None:
        """Nothing to forget: each notification stands alone."""

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made; `frames` are notifications of samples."""
        return self._tally.count

    @property
    def refusals(self) -> int:
        """How often the board refused a command or turned out to be another kind."""
        return self._refusals

    @property
    def last_refusal(self) -> str:
        """What it refused last and why, in words; empty if nothing."""
        return self._last_refusal

    def _block(self, data: bytes) -> list[Frame]:
        if not _is_block(len(data), self._channels):
            self._tally.bad(len(data))
            self._doubt(len(data))
            return []
        if not self._rows.are_possible(data):
            self._tally.bad(len(data))
            return []
        self._tally.frames += 1
        return self._rows.frames(data, self._battery_percent)

    def _doubt(self, size: int) -> None:
        """Say it once where the length is right for a board with other channels."""
        other = next(channels for channels in CHANNELS if channels != self._channels)
        if _is_block(size, other) and not self._last_refusal:
            self._refuse(f"sends {other} channels; the source must say channels={other}")

    def _told(self, data: bytes) -> None:
        """What it says on the control characteristic is text: an answer, or what it was told."""
        if data.startswith(UNKNOWN_COMMAND):
            self._refuse("does not know START; it has other firmware than Chords needs")

    def _battery(self, data: bytes) -> None:
        if len(data) == 1 and data[0] <= 100:
            self._battery_percent = data[0]
        else:
            self._tally.bad(len(data))

    def _refuse(self, words: str) -> None:
        self._refusals += 1
        self._last_refusal = f"NPG Lite {words}"


def _row_bytes(channels: int) -> int:
    return 1 + 2 * channels


def _is_block(size: int, channels: int) -> bool:
    return size in (_row_bytes(channels), _row_bytes(channels) * BLOCK_ROWS)
