"""Timed bytes and their pacing: the one clock of replay and of the virtual patch."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from firmware_bridge.errors import SourceUriError, TransientSourceError
from firmware_bridge.stream import NS_PER_S, Packet

__all__ = ["PacedTransport", "Pacer", "TimedBytes", "parse_speed"]


@dataclass(frozen=True, slots=True)
class TimedBytes:
    """Bytes and the moment at which they leave the device.

    due_ns: nanoseconds since the stream began, never less than the item's before.
    channel: as of the Packet that it becomes.
    """

    data: bytes
    due_ns: int
    channel: str = ""


def parse_speed(text: str) -> float | None:
    """The option `speed` of a source URI: a multiple of real time, or None for `max`.

    Raises SourceUriError where `text` is neither `max` nor a finite number above 0.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise SourceUriError(f"speed={text}: give a number above 0, such as 1 or 10, or max")
    return speed


class Pacer:
    """Maps stream time to the host's monotonic clock.

    speed: stream seconds in a host second; None means that nothing is ever waited for.
    """

    def __init__(self, speed: float | None) -> None:
        if speed is not None and not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be a finite number above 0 or None, not {speed}")
        self._speed = speed
        self._start_ns: int | None = None

    def start(self) -> None:
        """Begin stream time now; a second call changes nothing."""
        if self._start_ns is None:
            self._start_ns = time.monotonic_ns()

    def wait_s(self, due_ns: int) -> float:
        """Host seconds until `due_ns`; 0 where it has passed."""
        if self._speed is None:
            return 0.0
        left_ns = due_ns / self._speed - (time.monotonic_ns() - self._origin_ns)
        return max(0.0, left_ns / NS_PER_S)

    def stamp_ns(self, due_ns: int) -> int:
        """Arrival time of bytes that were due at `due_ns`, in nanoseconds.

        At speed 1 this is the monotonic clock itself; at another speed, that clock
        stretched from the start so that a second of stream stays a second; at `None`,
        start + `due_ns`.
        """
        if self._speed is None:
            return self._origin_ns + due_ns
        elapsed_ns = time.monotonic_ns() - self._origin_ns
        return self._origin_ns + round(elapsed_ns * self._speed)

    @property
    def _origin_ns(self) -> int:
        if self._start_ns is None:
            raise RuntimeError("start() comes first")
        return self._start_ns


class PacedTransport:
    """A transport that hands out timed bytes when they are due.

    After a long delay of the host it catches up: late items come at once and none is lost.
    Closing and opening again goes on with the next item, on the clock of the first opening.
    """

    def __init__(self, name: str, items: Iterable[TimedBytes], speed: float | None = 1.0) -> None:
        self._name = name
        self._items: Iterator[TimedBytes] = iter(items)
        self._pacer = Pacer(speed)
        self._next: TimedBytes | None = None
        self._closed = threading.Event()
        self._closed.set()

    @property
    def name(self) -> str:
        """The name that it was given."""
        return self._name

    def open(self) -> None:
        """Start the clock, or go on after `close`."""
        self._pacer.start()
        self._closed.clear()

    def read(self, timeout_s: float) -> Packet | None:
        """Next item once it is due; None after `timeout_s` or where `close` came meanwhile.

        Raises EOFError after the last item, TransientSourceError where it is not open.
        """
        if self._closed.is_set():
            raise TransientSourceError(f"{self._name} is closed; open it before reading")
        item = self._peek()
        wait_s = self._pacer.wait_s(item.due_ns)
        if wait_s > timeout_s:
            self._closed.wait(timeout_s)
            return None
        if wait_s > 0 and self._closed.wait(wait_s):
            return None
        self._next = None
        return Packet(item.data, self._pacer.stamp_ns(item.due_ns), item.channel)

    def write(self, data: bytes) -> None:
        """Ignored: a recorded or simulated device takes no commands."""

    def close(self) -> None:
        """Wake a waiting `read` at once."""
        self._closed.set()

    def _peek(self) -> TimedBytes:
        if self._next is None:
            try:
                self._next = next(self._items)
            except StopIteration:
                raise EOFError(f"{self._name} has ended") from None
        return self._next
