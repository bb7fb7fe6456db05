"""Rows of one sample a channel, each with a counter of one byte, to frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.devices.options import positive
from firmware_bridge.stream import Frame, StreamFormat

__all__ = ["CountedRows", "chosen_channels"]

COUNTER_MODULUS = 256
RAMP = bytes(range(256)) * 3


def chosen_channels(leads: object, channels: int) -> tuple[int, ...]:
    """Option `leads`: numbers of channels from 1 on, with commas, or `all`; as indices from 0.

    Raises ValueError that says what there is.
    """
    if str(leads).lower() == "all":
        return tuple(range(channels))
    numbers = str(leads).split(",")
    known = [str(number) for number in range(1, channels + 1)]
    if len(set(numbers)) < len(numbers) or not set(numbers) <= set(known):
        raise ValueError(
            f"leads must be all, or numbers from 1 to {channels} with commas, but is {leads!r}"
        )
    return tuple(int(number) - 1 for number in numbers)


class CountedRows:
    """Rows to frames of microvolts, one frame for each run of successive counters.

    channels: of a row. chosen: indices of those that become leads CH1, CH2 and so on. rate_hz: of
    the rows. bits: of the converter; half of its range is 0 uV, as the amplifiers rest there.
    vref: its range in volts. gain: of the amplifier before it. counter_at, digital_at: where in a
    row of `row_bytes` the counter stands and the channels begin, u16 big-endian each.
    """

    def __init__(
        self,
        *,
        rate_hz: float,
        channels: int,
        chosen: tuple[int, ...],
        bits: int,
        vref: object,
        gain: object,
        counter_at: int,
        digital_at: int,
        row_bytes: int,
    ) -> None:
        self.format = StreamFormat(rate_hz, tuple(f"CH{index + 1}" for index in chosen))
        self.row_bytes = row_bytes
        self.high_byte_max = (1 << bits - 8) - 1
        self._channels = channels
        self._chosen = None if chosen == tuple(range(channels)) else list(chosen)
        self._counter_at, self._digital_at = counter_at, digital_at
        step_uv = positive("vref", vref) / (1 << bits) / positive("gain", gain) * 1e6
        self._step_uv = np.array(step_uv, np.float32)
        self._middle_uv = np.array(step_uv * (1 << bits - 1), np.float32)

    def are_possible(self, block: bytes) -> bool:
        """Whether no value in these rows has more bits than the converter."""
        first, size = self._digital_at, self.row_bytes
        return all(
            max(block[at::size]) <= self.high_byte_max
            for at in range(first, first + 2 * self._channels, 2)
        )

    def frames(self, block: bytes, battery: int | None = None) -> list[Frame]:
        """Frames of whole rows, one or more."""
        size = self.row_bytes
        counters = block[self._counter_at :: size]
        digital: NDArray[np.uint16] = np.ndarray(
            (len(counters), self._channels), ">u2", block, self._digital_at, (size, 2)
        )
        chosen = digital if self._chosen is None else digital[:, self._chosen]
        samples_uv = chosen.astype(np.float32)
        samples_uv *= self._step_uv
        samples_uv -= self._middle_uv
        return [
            Frame(
                self.format,
                samples_uv[start:stop],
                counter=counters[start],
                counter_modulus=COUNTER_MODULUS,
                battery_percent=battery,
            )
            for start, stop in _runs(counters)
        ]


def _runs(counters: bytes) -> list[tuple[int, int]]:
    """Start and stop of what counts on by ones."""
    if RAMP.startswith(counters, counters[0]):
        return [(0, len(counters))]
    steps = np.diff(np.frombuffer(counters, np.uint8))  # wraps as the counter does
    borders = [0, *(np.flatnonzero(steps != 1) + 1).tolist(), len(counters)]
    return list(pairwise(borders))
