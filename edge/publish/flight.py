"""What has been sent on one connection and not yet acknowledged."""

from __future__ import annotations

from dataclasses import dataclass

from edge.outbox import TELEMETRY_RANK, PendingMessage
from edge.outbox.messages import Key
from edge.publish.session import Ack
from firmware_bridge.stream import NS_PER_S

WINDOW = 16
"""QoS 1 publishes in flight at most; also the most duplicates that a lost connection makes."""
ACK_TIMEOUT_NS = 15 * NS_PER_S
"""A broker silent for so long on a publish is taken for gone."""
REFUSED_PAUSE_NS = 10 * NS_PER_S
"""For so long nothing is sent to a topic on which the broker refused an alert."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A publish that the broker answered. message: None for a retained one."""

    message: PendingMessage | None
    refusal: str

    @property
    def given_up(self) -> list[Key]:
        """What is not sent again: telemetry that was refused, lest it crowd out alerts."""
        message = self.message.message if self.message and self.refusal else None
        return [message.key] if message and message.rank >= TELEMETRY_RANK else []


class Flight:
    """Publishes in flight, and topics that the broker refused and that rest a while.

    A whole topic rests, for a broker refuses by topic: were it each message alone, those of one
    denied topic would be looked at and sent in the place of all others.
    """

    def __init__(self, receive_maximum: int) -> None:
        self._window = min(WINDOW, receive_maximum)
        self._sent: dict[int, tuple[PendingMessage | None, int]] = {}
        self._keys: set[Key] = set()
        self._resting: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def room(self) -> int:
        """How many more QoS 1 publishes may be sent now."""
        return self._window - len(self._sent)

    def scan(self, now_ns: int) -> int:
        """How many pending messages of topics that do not rest to look at to find those that
        `admits` lets through; 0 where there is no room.
        """
        self._resting = {topic: until for topic, until in self._resting.items() if until > now_ns}
        return len(self._keys) + self.room if self.room > 0 else 0

    @property
    def resting(self) -> tuple[str, ...]:
        """Topics that rested when `scan` was last asked, or do since."""
        return tuple(self._resting)

    def admits(self, key: Key) -> bool:
        """Whether a message is not in flight."""
        return key not in self._keys

    def left(self, mid: int, message: PendingMessage | None, now_ns: int) -> None:
        """A publish has been sent."""
        self._sent[mid] = message, now_ns
        if message is not None:
            self._keys.add(message.message.key)

    def landed(self, ack: Ack, now_ns: int) -> Landed | None:
        """The broker answered; None for what was not in flight."""
        if ack.mid not in self._sent:
            return None
        message, _ = self._sent.pop(ack.mid)
        landed = Landed(message, ack.refusal)
        if message is not None:
            self._keys.discard(message.message.key)
            if ack.refusal and not landed.given_up:
                self._resting[message.message.topic] = now_ns + REFUSED_PAUSE_NS
        return landed

    def overdue(self, now_ns: int) -> bool:
        """Whether the broker owes an answer for too long."""
        oldest = next(iter(self._sent.values()), None)
        return oldest is not None and now_ns - oldest[1] > ACK_TIMEOUT_NS
