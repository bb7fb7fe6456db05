"""What is sent on one connection, and what the broker says to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.clock import Clock
from edge.outbox import Outbox, PendingMessage
from edge.outbox.messages import Key
from edge.publish.flight import Flight
from edge.publish.replies import Replies
from edge.publish.retained import RetainedValues
from edge.publish.session import Ack, ConnectionLostError, Outgoing, Session
from edge.publish.statistics import Tally
from firmware_bridge.stream import NS_PER_S

__all__ = ["Exchange", "Waiting"]

FAREWELL_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be sent, whether there is a connection or not."""

    outbox: Outbox
    retained: RetainedValues = field(default_factory=RetainedValues)
    replies: Replies = field(default_factory=Replies)


class Exchange:
    """Sends what waits, alerts first, and takes it from the outbox on the broker's PUBACK.

    All methods belong to one thread, save `in_flight`.
    on_refusal: called with what the broker said to a message that it refused.
    """

    def __init__(
        self,
        session: Session,
        waiting: Waiting,
        tally: Tally,
        clock: Clock,
        on_refusal: Callable[[str], None],
    ) -> None:
        self._session = session
        self._waiting = waiting
        self._tally = tally
        self._clock = clock
        self._on_refusal = on_refusal
        self._flight = Flight(session.receive_maximum)
        self.began_ns = clock.monotonic_ns()

    @property
    def in_flight(self) -> int:
        """Sent and not yet acknowledged."""
        return len(self._flight)

    @property
    def is_done(self) -> bool:
        """Whether nothing that must arrive waits or is in flight."""
        if self.in_flight or self._waiting.retained.waiting:
            return False
        return not self._waiting.outbox.pending(1, self._flight.resting)

    def turn(self, wait_s: float) -> None:
        """Send what there is room for, then wait for answers or news, for so long at most.

        Raises ConnectionLostError.
        """
        self._send_pending(self._flight.room - self._waiting.retained.waiting)
        while value := self._waiting.retained.take(self._flight.room):
            self.send(value)
        while reply := self._waiting.replies.take(self._flight.room, self._clock.monotonic_ns()):
            self.send(reply)
        self._settle(self._session.serve(wait_s))
        self._waiting.outbox.retry()
        if self._flight.overdue(self._clock.monotonic_ns()):
            raise ConnectionLostError("the broker does not acknowledge")

    def send(self, outgoing: Outgoing, pending: PendingMessage | None = None) -> None:
        """Publish now. pending: what it is in the outbox. Raises ConnectionLostError."""
        mid = self._session.publish(outgoing)
        self._tally.sent += 1
        if outgoing.qos > 0:
            self._flight.left(mid, pending, self._clock.monotonic_ns())
        elif pending is not None:
            self._waiting.outbox.delivered([pending.message.key])

    def farewell(self, last: Outgoing, patience_s: float) -> None:
        """Say `last` ourselves, for after a proper DISCONNECT the broker drops the will."""
        until_ns = self._clock.monotonic_ns() + int(patience_s * NS_PER_S)
        self.send(last)
        while self.in_flight and self._clock.monotonic_ns() < until_ns:
            self._settle(self._session.serve(FAREWELL_POLL_S, wakeful=False))
        self._session.disconnect()

    def _send_pending(self, room: int) -> None:
        scan = self._flight.scan(self._clock.monotonic_ns())
        if room <= 0 or not scan:
            return
        found = self._waiting.outbox.pending(scan, self._flight.resting)
        waiting = [each for each in found if self._flight.admits(each.message.key)]
        for pending in waiting[:room]:
            message = pending.message
            outgoing = Outgoing(
                message.topic, message.payload, message.qos, user_properties=message.properties
            )
            self.send(outgoing, pending)

    def _settle(self, acks: list[Ack]) -> None:
        now_ns = self._clock.monotonic_ns()
        delivered: list[Key] = []
        for ack in acks:
            landed = self._flight.landed(ack, now_ns)
            if landed is None:
                continue
            if landed.refusal:
                self._tally.refused += 1
                self._waiting.outbox.give_up(landed.given_up)
                self._on_refusal(landed.refusal)
                continue
            self._tally.acked += 1
            if landed.message is not None:
                delivered.append(landed.message.message.key)
                self._note_latency(landed.message, now_ns)
        if delivered:
            self._waiting.outbox.delivered(delivered)

    def _note_latency(self, pending: PendingMessage, now_ns: int) -> None:
        if pending.raised_ns is not None and pending.raised_ns >= self.began_ns:
            self._tally.note_latency(now_ns - pending.raised_ns)
