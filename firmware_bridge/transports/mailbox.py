"""Between a server's thread and the thread that reads a transport: packets, and who is there."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from firmware_bridge.bridge_inbox import DeviceChange
from firmware_bridge.errors import NotInReachError
from firmware_bridge.stream import Packet

__all__ = ["Mailbox", "Send"]

PACKETS_MAX = 4096
"""Some half an hour of an H10; a client that sends more is held back, not cut."""
AWAY_S = 4.0
"""A client that was cut off may come back within this time without the link being lost."""

Send = Callable[[bytes], None]
"""Sends bytes to the client; raises TransientSourceError where it does not take them."""


class Mailbox:
    """What a client delivered, in order, and whether it and its device are there.

    name: of the transport, for messages. The reading thread calls `wait_for_device`, `get` and
    `send`, the server's thread all others.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._items: deque[Packet | DeviceChange] = deque()
        self._send: Send | None = None
        self._device = False
        self._away_since_s = time.monotonic()
        self._closed = True

    def reopen(self) -> None:
        """From now on, until `shut`, waiting makes sense."""
        with self._changed:
            self._closed = False

    def shut(self) -> None:
        """End every wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def arrived(self, send: Send) -> None:
        """A client is there."""
        with self._changed:
            self._send = send
            self._changed.notify_all()

    def left(self) -> None:
        """It was cut off, and may come back."""
        with self._changed:
            self._send, self._away_since_s = None, time.monotonic()
            self._changed.notify_all()

    @property
    def is_shut(self) -> bool:
        """Whether nobody reads any more."""
        with self._changed:
            return self._closed

    def has_room(self) -> bool:
        """Whether the reader keeps up."""
        with self._changed:
            return len(self._items) < PACKETS_MAX

    def put(self, items: Sequence[Packet | DeviceChange]) -> None:
        """Deliver, in order."""
        with self._changed:
            for item in items:
                was = self._device
                if isinstance(item, Packet):
                    self._device = True
                    self._items.append(item)
                    continue
                self._device = item.connected
                if was:
                    words = "it connected anew" if item.connected else item.words
                    self._items.append(DeviceChange(False, words))
            self._changed.notify_all()

    def wait_for_device(self, timeout_s: float, hint: Callable[[], str]) -> None:
        """Until a device delivers. Raises NotInReachError, which says who is missing.

        hint: what is to be done so that a client comes.
        """
        with self._changed:
            while self._items and isinstance(self._items[0], DeviceChange):
                self._items.popleft()
            self._changed.wait_for(self._is_ready, timeout_s)
            if self._is_ready() and not self._closed:
                return
            if self._send is not None:
                raise NotInReachError(
                    f"{self._name}: the phone is here, its device is not: "
                    f"press Connect on the phone's page"
                )
        raise NotInReachError(f"{self._name}: nobody has connected; {hint()}")

    def get(self, timeout_s: float) -> Packet | None:
        """The next packet; NotInReachError once the device or the client is gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout_s)
            if self._closed:
                raise NotInReachError(f"{self._name} is closed; open it before reading")
            if self._items:
                item = self._items.popleft()
                if isinstance(item, Packet):
                    return item
                raise NotInReachError(f"{self._name}: the device left the phone: {item.words}")
            away_s = time.monotonic() - self._away_since_s
            if self._send is None and away_s >= AWAY_S:
                raise NotInReachError(f"{self._name}: the client's network is away")
        return None

    def send(self, data: bytes) -> None:
        """Send to the client. Raises NotInReachError where there is none."""
        send = self._send
        if send is None:
            raise NotInReachError(f"{self._name}: nobody is connected to write to")
        send(data)

    def _is_ready(self) -> bool:
        return bool(self._items) or self._closed or (self._send is not None and self._device)
