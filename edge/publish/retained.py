"""Retained values: only the newest of each topic matters, so none is ever queued."""

from __future__ import annotations

import threading

from edge.publish.session import Outgoing
from firmware_bridge.stream import NS_PER_S


class RetainedValues:
    """The newest value of each topic, and which of them the broker has yet to get.

    Any thread may call any method.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._values: dict[str, tuple[Outgoing, int]] = {}
        self._unsent: dict[str, None] = {}

    def set(self, value: Outgoing, now_ns: int) -> bool:
        """Replace a topic's value; True where the one before was never sent."""
        with self._mutex:
            replaced = value.topic in self._unsent
            self._values[value.topic] = value, now_ns
            self._unsent[value.topic] = None
            return replaced

    def renew(self, now_ns: int) -> None:
        """A new connection: everything is to be sent again, save what has expired."""
        with self._mutex:
            self._values = {
                topic: (value, set_ns)
                for topic, (value, set_ns) in self._values.items()
                if value.expiry_s is None or now_ns - set_ns < value.expiry_s * NS_PER_S
            }
            self._unsent = dict.fromkeys(self._values)

    def take(self, qos1_room: int) -> Outgoing | None:
        """One value to send now, counted as sent; None where nothing fits."""
        with self._mutex:
            for topic in self._unsent:
                value, _ = self._values[topic]
                if value.qos == 0 or qos1_room > 0:
                    del self._unsent[topic]
                    return value
            return None

    @property
    def waiting(self) -> bool:
        """Whether the broker has yet to get a value."""
        with self._mutex:
            return bool(self._unsent)
