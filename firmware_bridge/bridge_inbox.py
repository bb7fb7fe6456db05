"""What a bridge page sends, put in order: each record once, at the time it happened. No I/O.

A page sends again whatever was not acknowledged before its network went away, so records come
twice; numbers tell. A number that is skipped is one that the page had to drop.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from firmware_bridge.bridge_protocol import Batch, Hello, Kind, Record
from firmware_bridge.clock_map import ClockMap
from firmware_bridge.stream import Packet

__all__ = ["BridgeInbox", "DeviceChange"]

WORDS_MAX = 100
SESSIONS_MAX = 16
"""Pages that are remembered, so that one that comes back after another goes on where it was."""


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """The device came to the page, or left it; words: its name, or why it left."""

    connected: bool
    words: str


@dataclass(slots=True)
class _Page:
    """How far a page has delivered, and its clock."""

    session: str
    next_number: int
    clock: ClockMap = field(default_factory=ClockMap)


class BridgeInbox:
    """Batches of one page at a time to packets and device changes.

    A record's host time is its page time mapped by the least transit time of the batches (each
    carries the page's clock at sending), so what waited at the page does not look new. It is
    never later than the arrival, and never runs backwards.
    """

    def __init__(self) -> None:
        self._page = _Page("", 0)
        self._pages: OrderedDict[str, _Page] = OrderedDict()
        self._host_ns = 0
        self.duplicates = 0
        self.dropped = 0

    @property
    def session(self) -> str:
        """The page it follows; empty before the first."""
        return self._page.session

    @property
    def next_number(self) -> int:
        """Records below this number have been taken."""
        return self._page.next_number

    def begin(self, hello: Hello) -> bool:
        """A page introduced itself; whether it is another one than before.

        One of the last 16 goes on where it was.
        """
        if hello.session == self._page.session:
            return False
        known = self._pages.pop(hello.session, None)
        self._page = known or _Page(hello.session, hello.next_number)
        self._pages[hello.session] = self._page
        if len(self._pages) > SESSIONS_MAX:
            self._pages.popitem(last=False)
        return True

    def take(self, batch: Batch, arrived_ns: int) -> list[Packet | DeviceChange]:
        """What is new in a batch that arrived at that time of the host's monotonic clock."""
        self._page.clock.observe(batch.sent_ns, arrived_ns)
        return [self._item(record, arrived_ns) for record in self._new(batch.records)]

    def _new(self, records: Iterable[Record]) -> Iterable[Record]:
        page = self._page
        for record in records:
            if record.number < page.next_number:
                self.duplicates += 1
                continue
            self.dropped += record.number - page.next_number
            page.next_number = record.number + 1
            yield record

    def _item(self, record: Record, arrived_ns: int) -> Packet | DeviceChange:
        if record.kind != Kind.NOTIFICATION:
            return DeviceChange(record.kind == Kind.DEVICE_CONNECTED, _printable(record.data))
        mapped_ns = self._page.clock.host_time_ns(record.page_ns)
        happened_ns = arrived_ns if mapped_ns is None else min(mapped_ns, arrived_ns)
        self._host_ns = max(self._host_ns, happened_ns)
        return Packet(record.data, self._host_ns, record.channel)


def _printable(text: bytes) -> str:
    """A device's name may hold anything, and ends up on somebody's terminal."""
    decoded = text[: 4 * WORDS_MAX].decode(errors="replace")
    return "".join(filter(str.isprintable, decoded))[:WORDS_MAX]
