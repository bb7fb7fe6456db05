"""What a bridge page sends, put in order: each record once, at the time it happened. No I/O.

A page sends again whatever was not acknowledged before its network went away, so records come
twice; numbers tell. A number that is skipped is one that the page had to drop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firmware_bridge.bridge_protocol import Batch, Hello, Kind, Record
from firmware_bridge.clock_map import ClockMap
from firmware_bridge.stream import Packet

__all__ = ["BridgeInbox", "DeviceChange"]

WORDS_MAX = 100


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """The device came to the page, or left it; words: its name, or why it left."""

    connected: bool
    words: str


class BridgeInbox:
    """Batches of one page at a time to packets and device changes.

    A record's host time is its page time mapped by the least transit time of the batches (each
    carries the page's clock at sending), so what waited at the page does not look new. It is
    never later than the arrival, and never runs backwards.
    """

    def __init__(self) -> None:
        self._session = ""
        self._next = 0
        self._clock = ClockMap()
        self._host_ns = 0
        self.duplicates = 0
        self.dropped = 0

    @property
    def session(self) -> str:
        """The page it follows; empty before the first."""
        return self._session

    @property
    def next_number(self) -> int:
        """Records below this number have been taken."""
        return self._next

    def begin(self, hello: Hello) -> bool:
        """A page introduced itself; whether it is another one than before."""
        if hello.session == self._session:
            return False
        self._session, self._next, self._clock = hello.session, hello.next_number, ClockMap()
        return True

    def take(self, batch: Batch, arrived_ns: int) -> list[Packet | DeviceChange]:
        """What is new in a batch that arrived at that time of the host's monotonic clock."""
        self._clock.observe(batch.sent_ns, arrived_ns)
        return [self._item(record, arrived_ns) for record in self._new(batch.records)]

    def _new(self, records: Iterable[Record]) -> Iterable[Record]:
        for record in records:
            if record.number < self._next:
                self.duplicates += 1
                continue
            self.dropped += record.number - self._next
            self._next = record.number + 1
            yield record

    def _item(self, record: Record, arrived_ns: int) -> Packet | DeviceChange:
        if record.kind != Kind.NOTIFICATION:
            return DeviceChange(record.kind == Kind.DEVICE_CONNECTED, _printable(record.data))
        mapped_ns = self._clock.host_time_ns(record.page_ns)
        happened_ns = arrived_ns if mapped_ns is None else min(mapped_ns, arrived_ns)
        self._host_ns = max(self._host_ns, happened_ns)
        return Packet(record.data, self._host_ns, record.channel)


def _printable(text: bytes) -> str:
    """A device's name may hold anything, and ends up on somebody's terminal."""
    decoded = text[: 4 * WORDS_MAX].decode(errors="replace")
    return "".join(filter(str.isprintable, decoded))[:WORDS_MAX]
