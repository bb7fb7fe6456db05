"""What other clients of the broker send to us, and who listens to it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from paho.mqtt.client import topic_matches_sub

MAX_PACKET_BYTES = 8192
"""The largest packet that we take; MQTT 5 brokers are told and keep larger ones to themselves."""
MAX_CORRELATION_BYTES = 64
SAID_FAILURES = (1, 10, 100, 1000)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message to us.

    retained: the publisher had the broker keep it; MQTT 3.1.1 says so only of what was kept
        before we subscribed.
    response_topic: where an answer is wanted, empty where none is; MQTT 5 only. Chosen by the
        sender: check it before anything is published there.
    correlation_data: to be sent back with the answer, at most 64 bytes; longer ones are left out.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str = ""
    correlation_data: bytes = b""


Handler = Callable[[Incoming], None]


class Inbox:
    """Hands each message to those whose topic filter it matches. One thread calls `take`."""

    def __init__(self) -> None:
        self._handlers: list[tuple[str, Handler]] = []
        self.received = 0
        self.too_large = 0
        self.failures = 0

    @property
    def filters(self) -> tuple[str, ...]:
        """The topic filters to subscribe to, each once."""
        return tuple(dict.fromkeys(topic_filter for topic_filter, _ in self._handlers))

    def listen(self, topic_filter: str, handler: Handler) -> None:
        """Have `handler` called with what matches."""
        self._handlers.append((topic_filter, handler))

    def take(self, message: Incoming) -> None:
        """Hand a message on; what a handler raises is counted and logged, and goes no further."""
        self.received += 1
        if len(message.payload) > MAX_PACKET_BYTES:
            self.too_large += 1
            return
        for topic_filter, handler in self._handlers:
            if _matches(topic_filter, message.topic):
                self._hand(handler, message)

    def _hand(self, handler: Handler, message: Incoming) -> None:
        try:
            handler(message)
        except Exception:  # whoever listens, alerts go on
            self.failures += 1
            if self.failures in SAID_FAILURES:
                _log.exception("a listener failed on a message (%d so far)", self.failures)


def _matches(topic_filter: str, topic: str) -> bool:
    """As MQTT has it; paho, which builds a tree each time, is asked about wildcards only."""
    if "+" in topic_filter or "#" in topic_filter:
        return topic_matches_sub(topic_filter, topic)
    return topic_filter == topic


__all__ = ["MAX_CORRELATION_BYTES", "MAX_PACKET_BYTES", "Handler", "Inbox", "Incoming"]
