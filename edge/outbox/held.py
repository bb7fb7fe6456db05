"""Messages in memory while the disk refuses them."""

from __future__ import annotations

from collections.abc import Iterator

from edge.outbox.messages import TELEMETRY_RANK, Key, OutboundMessage


class HeldMessages:
    """A bounded queue. Beyond its bound the least urgent go, oldest first, and are counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._messages: dict[Key, OutboundMessage] = {}
        self.delivered = 0
        self.evicted_by_rank = [0] * (TELEMETRY_RANK + 1)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[OutboundMessage]:
        """Oldest first; the queue may change meanwhile."""
        return iter(list(self._messages.values()))

    @property
    def evicted(self) -> int:
        """Messages that found no room."""
        return sum(self.evicted_by_rank)

    def hold(self, message: OutboundMessage) -> None:
        """Take a message, which may cost another its place."""
        self._messages[message.key] = message
        if len(self._messages) > self._most:
            least = max(self._messages.values(), key=lambda each: each.rank)
            del self._messages[least.key]
            self.evicted_by_rank[min(max(least.rank, 0), TELEMETRY_RANK)] += 1

    def stored(self, message: OutboundMessage) -> None:
        """The disk has taken a message after all."""
        self._messages.pop(message.key, None)

    def deliver(self, key: Key) -> bool:
        """The broker has acknowledged a message; False where it is not held."""
        held = self._messages.pop(key, None) is not None
        self.delivered += held
        return held


__all__ = ["HeldMessages"]
