"""What a Shimmer3 must be told so that it streams an ECG, one command at a time.

Each command is answered by FF, or by FE where it is refused. The dialogue is: inquiry, stop,
sampling rate, sensors, registers of both ECG chips, inquiry, start.
"""

from __future__ import annotations

from collections import deque

from firmware_bridge.devices.shimmer3_packets import CLOCK_HZ

__all__ = ["BATTERY", "GAIN_CODES", "INQUIRY", "RATES_HZ", "STOP", "Dialogue", "settings"]

INQUIRY, START, STOP, BATTERY = b"\x01", b"\x07", b"\x20", b"\x95"
SET_RATE, SET_SENSORS, SET_EXG = b"\x05", b"\x08", b"\x61"
BOTH_CHIPS_24_BIT = b"\x18\x00\x00"
RATES_HZ = (128, 256, 512, 1024)
"""Rates that the clock of 32768 Hz divides into."""
GAIN_CODES = {1: 1, 2: 2, 3: 3, 4: 4, 6: 0, 8: 5, 12: 6}
CHIP_RATES_HZ = (125, 250, 500, 1000, 2000)
NAMES = {
    b"": "a command",
    INQUIRY: "the inquiry",
    STOP: "to stop",
    SET_RATE: "the sampling rate",
    SET_SENSORS: "the choice of sensors",
    SET_EXG: "the settings of its ECG chips",
    START: "to start",
}


def settings(rate_hz: int, gain: int, detect_lead_off: bool) -> tuple[bytes, ...]:
    """Commands that prepare an ECG of four channels of 24 bits.

    The registers are those of Shimmer's own ECG configuration. Lead-off detection (direct
    current, 6 nA, comparators on) is set by the data sheet of the ADS1292R (TI SBAS502).
    """
    chip_rate = next(code for code, hz in enumerate(CHIP_RATES_HZ) if hz >= rate_hz)
    amplifier = GAIN_CODES[gain] << 4
    config, drive, electrodes = 0xA0, 0x2D, (0x00, 0x00)
    if detect_lead_off:
        config, drive, electrodes = 0xE0, 0x3D, (0x07, 0x04)
    chip_1 = (chip_rate, config, 0x10, amplifier, amplifier, drive, electrodes[0], 0, 2, 3)
    chip_2 = (chip_rate, config, 0x10, amplifier, amplifier | 7, 0, electrodes[1], 0, 2, 1)
    return (
        STOP,
        SET_RATE + (CLOCK_HZ // rate_hz).to_bytes(2, "little"),
        SET_SENSORS + BOTH_CHIPS_24_BIT,
        SET_EXG + bytes((0, 0, len(chip_1), *chip_1)),
        SET_EXG + bytes((1, 0, len(chip_2), *chip_2)),
    )


class Dialogue:
    """Follows the answers; `replies` is filled by one thread and emptied by another.

    An answer to an inquiry that was not expected begins the dialogue anew.
    """

    def __init__(self, commands: tuple[bytes, ...]) -> None:
        self._commands = commands
        self.replies: deque[bytes] = deque(maxlen=16)
        self.reset()

    def reset(self) -> None:
        """The link opens again: nothing has been said."""
        self.replies.clear()
        self._steps: deque[bytes] = deque()
        self._said = b""

    @property
    def expects_settled_inquiry(self) -> bool:
        """Whether the inquiry that is under way follows the settings."""
        return self._said == INQUIRY

    def inquired(self) -> None:
        """An inquiry was answered: settings follow, or the start where they are made."""
        if self.expects_settled_inquiry:
            self._say(START)
        else:
            self._steps = deque((*self._commands, INQUIRY))
            self._say(self._steps.popleft())

    def acknowledged(self) -> None:
        """A command was taken; the answer to an inquiry is still to come then."""
        if self._steps:
            self._say(self._steps.popleft())
        elif self._said != INQUIRY:
            self._said = b""

    def refused(self) -> str:
        """A command was not taken: which, in words. The dialogue ends."""
        said, self._said = self._said, b""
        self._steps.clear()
        return NAMES.get(said[:1], "a command")

    def _say(self, command: bytes) -> None:
        self._said = command
        self.replies.append(command)
