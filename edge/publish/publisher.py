"""The publisher: one thread that keeps a connection and empties the outbox into it.

A message leaves the outbox on its PUBACK and not before, so a broken connection makes
duplicates (at most the window of 16) and never a loss.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

from edge.clock import Clock, SystemClock, rfc3339
from edge.histogram import Histogram
from edge.messages import Presence, StatusMessage, encode
from edge.mqtt_settings import MqttSettings
from edge.outbox import Outbox, PendingMessage
from edge.outbox.messages import Key
from edge.publish.backoff import Backoff
from edge.publish.client_id import default_client_id
from edge.publish.failure import FirstConnect
from edge.publish.flight import Flight
from edge.publish.inbox import Handler
from edge.publish.packets import JSON
from edge.publish.replies import EXPIRY_S, Replies
from edge.publish.retained import RetainedValues
from edge.publish.session import (
    Ack,
    CalledOffError,
    ConnectFailedError,
    ConnectionLostError,
    Outgoing,
    Session,
)
from edge.publish.statistics import PublishStatistics, Tally
from firmware_bridge.pulse import PATIENCE_S, SLOW_DISK_S, Pulse
from firmware_bridge.stream import NS_PER_S

IDLE_S = 1.0
LEAVING_S = 0.1
FAREWELL_S = 1.0
SUSPECT_A_TWIN = 3
"""Brief connections in a row; a broker that serves two clients of one name ends each in turn,
and Mosquitto 2.0.11 does not say why."""

_log = logging.getLogger(__name__)


class Publisher:
    """Publishes what the outbox holds, for as long as it takes.

    version: of the software, for the status message.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        clock: Clock | None = None,
        version: str = "",
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._clock = clock or SystemClock()
        self._client_id = settings.client_id or default_client_id(str(outbox.path.resolve()))
        self._since = rfc3339(self._clock.utc_ns())
        self._version = version
        self._tally = Tally()
        self._retained = RetainedValues()
        self._replies = Replies()
        self._backoff = Backoff()
        self._flight = Flight(1)
        self._connected_ns = 0
        self._stopping = threading.Event()
        self._stop_by_ns = 0
        self._verdict = threading.Event()
        self._refusal = ""
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self.pulse = Pulse()
        """Beats at every round, rests during an attempt to connect."""
        self._thread = self._new_thread()
        outbox.on_put(self._wake)
        _warn_of_plaintext(settings)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def restart(self) -> None:
        """Go on in another thread, after the first one died."""
        self._thread = self._new_thread()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs, or has ended because it was told to."""
        return self._thread.is_alive() or self._stopping.is_set()

    def first_connect(self, timeout_s: float) -> FirstConnect:
        """Wait for the first connection, or for a refusal that only a person can mend.

        The publisher keeps trying whatever the answer.
        """
        answered = self._verdict.wait(timeout_s)
        if answered and not self._refusal:
            return FirstConnect(True)
        late = f"no connection to {self._settings.endpoint} within {timeout_s:g} s"
        return FirstConnect(False, self._refusal or self._tally.last_error or late)

    def retain(
        self,
        topic: str,
        payload: bytes,
        qos: int,
        expiry_s: int | None = None,
        content_type: str = JSON,
    ) -> None:
        """Publish a retained value. Without a connection only the newest of a topic is kept,
        and published once connected unless it is then older than `expiry_s`.
        """
        value = Outgoing(topic, payload, qos, True, expiry_s, content_type=content_type)
        if self._retained.set(value, self._clock.monotonic_ns()):
            self._tally.dropped += 1
        self._wake()

    def repeat_retained(self) -> None:
        """Publish every retained value again, for a listener that may have missed it."""
        self._retained.renew(self._clock.monotonic_ns())
        self._wake()

    def listen(self, topic_filter: str, handler: Handler) -> None:
        """Subscribe at QoS 1, anew at each connect. Before `start` only.

        handler: called in the publisher's thread for each message that matches; it must return
        at once, so it puts what is work into a bounded queue. What it raises is counted.
        """
        self._tally.inbox.listen(topic_filter, handler)

    def reply(
        self, topic: str, payload: bytes, correlation_data: bytes = b"", qos: int = 0
    ) -> bool:
        """Publish an answer, not retained, within the next 30 s or not at all; from any thread.

        False where 32 answers wait already, and this one is dropped.
        """
        reply = Outgoing(topic, payload, qos, False, EXPIRY_S, correlation_data=correlation_data)
        taken = self._replies.add(reply, self._clock.monotonic_ns())
        self._tally.dropped += not taken
        self._wake()
        return taken

    def stop(self, timeout_s: float) -> bool:
        """Send what is pending for up to `timeout_s`, say goodbye, end the thread.

        What could not be sent stays in the outbox. False where the thread still hangs in the
        network; it then dies with the process.
        """
        again = self._stopping.is_set()
        self._stop_by_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s + (0.0 if again else FAREWELL_S))
        if self._thread.is_alive():
            return False
        self._wake_reader.close()
        self._wake_writer.close()
        return True

    @property
    def latency(self) -> Histogram:
        """From `put` to the broker's acknowledgement, since the start."""
        return self._tally.latency

    @property
    def statistics(self) -> PublishStatistics:
        """Counts and latency so far."""
        return self._tally.snapshot(len(self._flight))

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"\0")

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="edge-mqtt", daemon=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.pulse.beat(SLOW_DISK_S)
            try:
                self._outbox.retry()
                self._connect_and_serve()
            except CalledOffError:
                return
            except ConnectFailedError as failure:
                self._failed(failure)
            except ConnectionLostError as lost:
                self._lost(lost)
            except Exception as error:
                _log.exception("publisher: unexpected error, connecting anew")
                self._tally.last_error = repr(error)
            if not self._stopping.is_set():
                pause_s = self._backoff.next_s()
                self.pulse.beat(pause_s + PATIENCE_S)
                self._stopping.wait(pause_s)

    def _connect_and_serve(self) -> None:
        will = self._status("offline")
        # Neither name look-up nor each address of a broker has a limit that we could set, and no
        # broker is a reason to end the monitoring.
        self.pulse.rest()
        session = Session(
            *(self._settings, self._client_id, will, self._clock, self._wake_reader),
            stopping=self._stopping,
            on_message=self._tally.inbox.take,
        )
        self._connected(session)
        try:
            session.subscribe(self._tally.inbox.filters)
            self._send(session, self._status("online"))
            while not self._done():
                self._exchange(session)
            self._farewell(session)
        finally:
            self._tally.connected = False
            session.close()
            self._backoff.lasted((self._clock.monotonic_ns() - self._connected_ns) / NS_PER_S)

    def _connected(self, session: Session) -> None:
        self._connected_ns = self._clock.monotonic_ns()
        self._flight = Flight(session.receive_maximum)
        self._retained.renew(self._connected_ns)
        self._tally.connects += 1
        self._tally.connected = True
        self._tally.last_error = self._refusal = ""
        self._verdict.set()
        _log.info("connected to %s as %s", self._settings.endpoint, self._client_id)

    def _failed(self, failure: ConnectFailedError) -> None:
        self._tally.failed_connects += 1
        self._say(str(failure))
        if failure.permanent and not self._tally.connects:
            self._refusal = str(failure)
            self._verdict.set()

    def _lost(self, lost: ConnectionLostError) -> None:
        self._tally.lost_connections += 1
        twin = f" (does another client call itself {self._client_id}?)"
        hint = twin if self._backoff.brief >= SUSPECT_A_TWIN else ""
        self._say(f"connection to {self._settings.endpoint} ended: {lost}{hint}")

    def _say(self, text: str) -> None:
        """Log a failure once, not at every attempt."""
        level = logging.DEBUG if text == self._tally.last_error else logging.WARNING
        self._tally.last_error = text
        _log.log(level, "%s; alerts are stored and sent later", text)

    def _exchange(self, session: Session) -> None:
        """One round: send what there is room for, then wait for answers or news."""
        self.pulse.beat(SLOW_DISK_S)
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        self._send_pending(session, self._flight.room - self._retained.waiting)
        while value := self._retained.take(self._flight.room):
            self._send(session, value)
        while reply := self._replies.take(self._flight.room, self._clock.monotonic_ns()):
            self._send(session, reply)
        acks = session.serve(LEAVING_S if self._stopping.is_set() else IDLE_S)
        now_ns = self._clock.monotonic_ns()
        self._settle(acks, now_ns)
        self._outbox.retry()
        if self._flight.overdue(now_ns):
            raise ConnectionLostError("the broker does not acknowledge")

    def _send_pending(self, session: Session, room: int) -> None:
        scan = self._flight.scan(self._clock.monotonic_ns())
        if room <= 0 or not scan:
            return
        found = self._outbox.pending(scan, self._flight.resting)
        waiting = [each for each in found if self._flight.admits(each.message.key)]
        for pending in waiting[:room]:
            message = pending.message
            outgoing = Outgoing(
                message.topic, message.payload, message.qos, user_properties=message.properties
            )
            self._send(session, outgoing, pending)

    def _send(
        self, session: Session, outgoing: Outgoing, pending: PendingMessage | None = None
    ) -> None:
        mid = session.publish(outgoing)
        self._tally.sent += 1
        if outgoing.qos > 0:
            self._flight.left(mid, pending, self._clock.monotonic_ns())
        elif pending is not None:
            self._outbox.delivered([pending.message.key])

    def _settle(self, acks: list[Ack], now_ns: int) -> None:
        delivered: list[Key] = []
        for ack in acks:
            landed = self._flight.landed(ack, now_ns)
            if landed is None:
                continue
            if landed.refusal:
                self._tally.refused += 1
                self._outbox.give_up(landed.given_up)
                self._say(f"broker {self._settings.endpoint} refuses a message: {landed.refusal}")
                continue
            self._tally.acked += 1
            if landed.message is not None:
                delivered.append(landed.message.message.key)
                self._note_latency(landed.message, now_ns)
        if delivered:
            self._outbox.delivered(delivered)

    def _note_latency(self, pending: PendingMessage, now_ns: int) -> None:
        if pending.raised_ns is not None and pending.raised_ns >= self._connected_ns:
            self._tally.note_latency(now_ns - pending.raised_ns)

    def _done(self) -> bool:
        if not self._stopping.is_set():
            return False
        if self._clock.monotonic_ns() >= self._stop_by_ns:
            return True
        if len(self._flight) or self._retained.waiting:
            return False
        return not self._outbox.pending(1, self._flight.resting)

    def _farewell(self, session: Session) -> None:
        """Say `offline` ourselves: after a proper DISCONNECT the broker drops the will."""
        until_ns = self._clock.monotonic_ns() + int(FAREWELL_S * NS_PER_S)
        self._send(session, self._status("offline"))
        while len(self._flight) and self._clock.monotonic_ns() < until_ns:
            self._settle(session.serve(0.1), self._clock.monotonic_ns())
        session.disconnect()

    def _status(self, state: Presence) -> Outgoing:
        message = StatusMessage(state=state, since=self._since, version=self._version)
        return Outgoing(self._settings.topics.status, encode(message), qos=1, retain=True)


def _warn_of_plaintext(settings: MqttSettings) -> None:
    endpoint = settings.endpoint
    if not endpoint.tls and not endpoint.loopback:
        what = "the password and " if settings.password_file else ""
        _log.warning("%s: %spatient data travel unencrypted; use mqtts://", endpoint, what)
