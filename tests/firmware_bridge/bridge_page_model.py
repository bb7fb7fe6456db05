"""The page's side of the bridge protocol, written from docs/bridge.md, not from its decoder."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

__all__ = ["NOTIFICATION", "PageModel", "batch", "record"]

NOTIFICATION, CONNECTED, LOST = 0, 1, 2


def record(number: int, at_ms: float, kind: int, channel: int, content: bytes) -> bytes:
    head = struct.pack("<IdBBH", number, at_ms, kind, channel, len(content))
    return head + content


def batch(sent_ms: float, *records: bytes) -> bytes:
    return struct.pack("<Bd", 1, sent_ms) + b"".join(records)


@dataclass
class PageModel:
    """An outbox: what happened and was not acknowledged; the oldest are dropped beyond `limit`."""

    limit: int = 1000
    next: int = 0
    dropped: int = 0
    held: list[tuple[int, float, int, int, bytes]] = field(default_factory=list)

    def add(self, at_ms: float, content: bytes, kind: int = NOTIFICATION, channel: int = 1) -> None:
        self.held.append((self.next, at_ms, kind, channel, content))
        self.next += 1
        if len(self.held) > self.limit:
            self.held.pop(0)
            self.dropped += 1

    @property
    def first(self) -> int:
        return self.next - len(self.held)

    def acknowledge(self, below: int) -> None:
        self.held = [each for each in self.held if each[0] >= below]

    def message(self, sent_ms: float, start: int, count: int) -> bytes:
        chosen = [each for each in self.held if each[0] >= start][:count]
        return batch(sent_ms, *(record(*each) for each in chosen))
