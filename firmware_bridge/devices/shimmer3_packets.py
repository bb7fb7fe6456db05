"""Data packets of a Shimmer3: which channels they hold, where, and what they mean.

Source: ShimmerResearch's firmware LogAndStream (`shimmer_btsd.h`, `exg.h`) and the library
pyshimmer. A packet is `00 | time u24 LE, 32768 Hz | channels in the order of the inquiry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.stream import StreamFormat

__all__ = ["CHANNEL_BYTES", "CLOCK_HZ", "LEADS", "Layout", "layout_of"]

CLOCK_HZ = 32_768
HEADER_BYTES = 4
EXG1_STATUS, EXG2_STATUS = 0x1D, 0x20
CHANNEL_BYTES = {
    **dict.fromkeys(range(0x29), 2),
    0x1B: 3,  # pressure
    **dict.fromkeys((EXG1_STATUS, EXG2_STATUS), 1),
    **dict.fromkeys((0x1E, 0x1F, 0x21, 0x22), 3),
}
LEADS = ("LL-RA", "LA-RA", "EXG2 CH1", "Vx-RL")
WIDE, NARROW = (0x1E, 0x1F, 0x21, 0x22), (0x23, 0x24, 0x25, 0x26)
"""Channels of the four leads, with 24 and with 16 bits."""
NARROW_COUNT = 1 << 7
"""A 16-bit value is the 24-bit one without its lowest 7 bits and its uppermost one."""
COUNT_UV_GAIN_1 = 2.42e6 / ((1 << 23) - 1)
FIRST_CHANNEL_OFF, SECOND_CHANNEL_OFF, DRIVE_OFF = 0x03, 0x0C, 0x10
"""Lead-off bits of an ADS1292R: electrodes of its channels, and of its right-leg drive."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A packet. packet_bytes: its length. step: clock ticks from packet to packet.

    fields: first and last byte of each lead. scale_uv: microvolts a count, shape (leads,).
    contacts: for each lead the place of its chip's status and the bits that mean no contact.
    """

    packet_bytes: int
    step: int
    format: StreamFormat
    fields: tuple[tuple[int, int], ...]
    scale_uv: NDArray[np.float32]
    contacts: tuple[tuple[int, int], ...]

    def counts(self, packet: bytes) -> list[int]:
        """The leads of one packet."""
        return [int.from_bytes(packet[a:b], "big", signed=True) for a, b in self.fields]

    def lead_off(self, packet: bytes) -> int:
        """Bit k is set where an electrode of lead k has no contact."""
        off = 0
        for lead, (place, mask) in enumerate(self.contacts):
            if packet[place] & mask:
                off |= 1 << lead
        return off


def layout_of(
    channels: Sequence[int], step: int, chosen: Sequence[int], gain: int
) -> Layout | None:
    """The layout of packets with these channels; None where it cannot be known.

    chosen: numbers of the leads to deliver, 1 to 4; those that the packets lack are left out.
    """
    if step <= 0 or any(channel not in CHANNEL_BYTES for channel in channels):
        return None
    places, end = {}, HEADER_BYTES
    for channel in channels:
        places[channel] = end
        end += CHANNEL_BYTES[channel]
    found = {number: _channel(number, places) for number in chosen}
    leads = {number: channel for number, channel in found.items() if channel is not None}
    if not leads:
        return None
    names = tuple(LEADS[number - 1] for number in leads)
    narrow = [NARROW_COUNT if channel in NARROW else 1 for channel in leads.values()]
    return Layout(
        packet_bytes=end,
        step=step,
        format=StreamFormat(CLOCK_HZ / step, names),
        fields=tuple((places[c], places[c] + CHANNEL_BYTES[c]) for c in leads.values()),
        scale_uv=np.array(narrow, np.float32) * np.float32(COUNT_UV_GAIN_1 / gain),
        contacts=tuple(_contact(number, places) for number in leads),
    )


def _channel(number: int, places: Mapping[int, int]) -> int | None:
    """The channel of a lead, wide or narrow; None where the packets lack it or its status."""
    for channel in (WIDE[number - 1], NARROW[number - 1]):
        if channel in places and _status(number) in places:
            return channel
    return None


def _contact(number: int, places: Mapping[int, int]) -> tuple[int, int]:
    own = FIRST_CHANNEL_OFF if number in (1, 3) else SECOND_CHANNEL_OFF
    return places[_status(number)], own | DRIVE_OFF


def _status(number: int) -> int:
    return EXG1_STATUS if number <= 2 else EXG2_STATUS
