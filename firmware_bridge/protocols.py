"""The two protocols that a device or a link implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from firmware_bridge.stream import DecodeCount, Frame, Packet


@runtime_checkable
class Transport(Protocol):
    """Moves bytes. Blocking; used by one thread, except `close`, which any thread may call."""

    @property
    def name(self) -> str:
        """What a person would call it: a port, an address, a file."""

    def open(self) -> None:
        """Open the link. Raises SourceError, or TransientSourceError where a retry may help."""

    def read(self, timeout_s: float) -> Packet | None:
        """Next bytes, or None after `timeout_s` without any.

        Raises TransientSourceError where the link broke, EOFError at the end of a finite source.
        """

    def write(self, data: bytes) -> None:
        """Send bytes to the device."""

    def close(self) -> None:
        """Release the link; a `read` under way returns or raises soon. Never raises."""


@dataclass(frozen=True, slots=True)
class GattProfile:
    """Which BLE characteristics a device speaks through (UUIDs, lower case, 36 characters).

    control: the one that `Transport.write` writes to, with response.
    data: those that carry samples; a device without one of them is the wrong device.
    side: battery, contact and the like; subscribed to where the device has them.
    name: shell pattern of the name it advertises, for scans that are told no other.
    """

    control: str
    data: tuple[str, ...]
    side: tuple[str, ...] = ()
    name: str = "*"


@runtime_checkable
class GattDevice(Protocol):
    """What a Decoder has besides, where its device is reached over BLE.

    Commands stay plain bytes: they go to `gatt.control`. Packets name their characteristic
    in `Packet.channel`.
    """

    @property
    def gatt(self) -> GattProfile:
        """The characteristics to subscribe to and to write to."""

    @property
    def refusals(self) -> int:
        """How many commands the device refused since the decoder was made."""

    @property
    def last_refusal(self) -> str:
        """Which command it refused last and why, in words; empty if none."""


@runtime_checkable
class Decoder(Protocol):
    """Turns bytes into frames, without I/O and without a clock.

    Any chunking of the same bytes gives the same frames; bytes that no frame explains are
    counted and skipped; nothing that arrives makes it raise or its buffer grow without bound.
    """

    def push(self, packet: Packet) -> list[Frame]:
        """Frames completed by these bytes."""

    def start_commands(self) -> tuple[bytes, ...]:
        """What to send after opening so that the device streams."""

    def stop_commands(self) -> tuple[bytes, ...]:
        """What to send before closing so that the device rests."""

    def reset(self) -> None:
        """Forget a partial frame; counts stay. Called when a link opens again."""

    @property
    def count(self) -> DecodeCount:
        """Counts since it was made."""
