"""What a link and a device implement: two protocols, and what a device may have besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from firmware_bridge.stream import DecodeCount, Frame, Packet, Reading

__all__ = [
    "Conversing",
    "Decoder",
    "GattDevice",
    "GattProfile",
    "Introducing",
    "Listening",
    "Refusing",
    "SerialDevice",
    "SerialProfile",
    "Telling",
    "Transport",
]


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


@runtime_checkable
class Listening(Protocol):
    """What a Transport has besides, where its peer comes to it instead of being called."""

    def pause(self) -> None:
        """End the session without closing the door: who comes now is served by the next `open`.

        Never raises. `close` closes the door too.
        """


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


@dataclass(frozen=True, slots=True)
class GattProfile:
    """Which BLE characteristics a device speaks through (UUIDs, lower case, 36 characters).

    control: the one that `Transport.write` writes to; empty where the device takes no commands.
    data: those that carry samples or readings; a device without one of them is the wrong device.
    side: battery, contact and the like; subscribed to where the device has them.
    services: those that hold these characteristics; browsers must be told them beforehand.
    name: shell pattern of the name it advertises, for scans that are told no other.
    advertised: service by which scans find it where the name says nothing (`name` is then `*`).
    bond: whether the device talks to bonded hosts only.
    """

    control: str
    data: tuple[str, ...]
    side: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    name: str = "*"
    advertised: str = ""
    bond: bool = False


@runtime_checkable
class GattDevice(Protocol):
    """What a Decoder has besides, where its device is reached over BLE.

    Commands stay plain bytes: they go to `gatt.control`. Packets name their characteristic
    in `Packet.channel`.
    """

    @property
    def gatt(self) -> GattProfile:
        """The characteristics to subscribe to and to write to."""


@dataclass(frozen=True, slots=True)
class SerialProfile:
    """How a device wants its serial port.

    baud: bits a second, where the URI names no other. settle_s: from opening the port until the
    device hears commands; boards of the Arduino kind restart when their port is opened.
    """

    baud: int
    settle_s: float = 0.0


@runtime_checkable
class SerialDevice(Protocol):
    """What a Decoder has besides, where its device is reached over a serial port."""

    @property
    def serial(self) -> SerialProfile:
        """How to open its port."""


@runtime_checkable
class Refusing(Protocol):
    """What a Decoder has besides, where its device can refuse a command."""

    @property
    def refusals(self) -> int:
        """How many commands the device refused since the decoder was made."""

    @property
    def last_refusal(self) -> str:
        """Which command it refused last and why, in words; empty if none."""


@runtime_checkable
class Conversing(Protocol):
    """What a Decoder has besides, where its device must be spoken to while it streams.

    Both methods are called by the thread that reads the link, while another runs `push`: they
    must stand that (a `collections.deque` does).
    """

    @property
    def keep_alive_s(self) -> float:
        """How often `keep_alive_commands` are to be sent, counted from the start commands."""

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        """What the device must hear regularly so that it goes on; none for those that need none."""

    def replies(self) -> tuple[bytes, ...]:
        """What the device is to be told because of what it sent; each is given once, in order."""


@runtime_checkable
class Introducing(Protocol):
    """What a Transport or a Decoder has besides, where the device tells who it is."""

    def about(self) -> Mapping[str, str]:
        """What it says of itself while the link is open: "model", "firmware" and the like."""


@runtime_checkable
class Telling(Protocol):
    """What a Decoder has besides, where its device tells more than samples of an ECG."""

    def readings(self) -> tuple[Reading, ...]:
        """What was told since the last call, in order; at most a few hundred are kept."""
