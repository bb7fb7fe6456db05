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
from edge.outbox import Outbox
from edge.publish.backoff import Backoff
from edge.publish.client_id import default_client_id
from edge.publish.exchange import Exchange, Waiting
from edge.publish.failure import FirstConnect
from edge.publish.inbox import Handler
from edge.publish.packets import JSON
from edge.publish.replies import EXPIRY_S
from edge.publish.session import (
    CalledOffError,
    ConnectFailedError,
    ConnectionLostError,
    Outgoing,
    Session,
)
from edge.publish.statistics import PublishStatistics, Tally
from edge.worker import Worker
from firmware_bridge.pulse import PATIENCE_S, SLOW_DISK_S
from firmware_bridge.stream import NS_PER_S

IDLE_S = 1.0
LEAVING_S = 0.1
FAREWELL_S = 1.0
LISTENING_QOS = 0
"""At QoS 1 Mosquitto 2.0.11 keeps a place in its window of 20 for each packet that is too large for
us and that it holds back: twenty of them, and no command comes through on this connection."""
SUSPECT_A_TWIN = 3
"""Brief connections in a row; a broker that serves two clients of one name ends each in turn,
and Mosquitto 2.0.11 does not say why."""

_log = logging.getLogger(__name__)


class Publisher(Worker):
    """Publishes what the outbox holds, for as long as it takes; `start` returns at once.

    version: of the software, for the status message. Its pulse beats at every round, and rests
    during an attempt to connect.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        clock: Clock | None = None,
        version: str = "",
    ) -> None:
        super().__init__("publisher")
        self._settings = settings
        self._outbox = outbox
        self._clock = clock or SystemClock()
        self._client_id = settings.client_id or default_client_id(str(outbox.path.resolve()))
        self._since = rfc3339(self._clock.utc_ns())
        self._version = version
        self._tally = Tally()
        self._waiting = Waiting(outbox)
        self._backoff = Backoff()
        self._exchange: Exchange | None = None
        self._stop_by_ns = 0
        self._verdict = threading.Event()
        self._refusal = ""
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._is_woken = False
        outbox.on_put(self._wake)
        _warn_of_plaintext(settings)

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
        if self._waiting.retained.set(value, self._clock.monotonic_ns()):
            self._tally.dropped += 1
        self._wake()

    def repeat_retained(self) -> None:
        """Publish every retained value again, for a listener that may have missed it."""
        self._waiting.retained.renew(self._clock.monotonic_ns())
        self._wake()

    def listen(self, topic_filter: str, handler: Handler) -> None:
        """Subscribe at QoS 0, anew at each connect. Before `start` only.

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
        taken = self._waiting.replies.add(reply, self._clock.monotonic_ns())
        self._tally.dropped += not taken
        self._wake()
        return taken

    def stop(self, timeout_s: float) -> bool:
        """Send what is pending for up to `timeout_s`, say goodbye, end the thread.

        What could not be sent stays in the outbox. False where the thread still hangs in the
        network; it then dies with the process.
        """
        again = self._closing.is_set()
        self._stop_by_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        self._closing.set()
        self._wake()
        if not self._join(timeout_s + (0.0 if again else FAREWELL_S)):
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
        return self._tally.snapshot(self._exchange.in_flight if self._exchange else 0)

    def _wake(self) -> None:
        """Once for all that has come since the last round: each byte is a call to the kernel."""
        if self._is_woken:
            return
        self._is_woken = True
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"\0")

    def _run(self) -> None:
        while not self._closing.is_set():
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
            if not self._closing.is_set():
                pause_s = self._backoff.next_s()
                self.pulse.beat(pause_s + PATIENCE_S)
                self._closing.wait(pause_s)

    def _connect_and_serve(self) -> None:
        will = self._status("offline")
        # Neither name look-up nor each address of a broker has a limit that we could set, and no
        # broker is a reason to end the monitoring.
        self.pulse.rest()
        session = Session(
            *(self._settings, self._client_id, will, self._clock, self._wake_reader),
            stopping=self._closing,
            on_message=self._tally.inbox.take,
        )
        exchange = self._connected(session)
        try:
            session.subscribe(self._tally.inbox.filters, LISTENING_QOS)
            exchange.send(self._status("online"))
            while not self._is_over(exchange):
                self._serve(exchange)
            exchange.farewell(self._status("offline"), FAREWELL_S)
        finally:
            self._tally.connected = False
            session.close()
            self._backoff.lasted((self._clock.monotonic_ns() - exchange.began_ns) / NS_PER_S)

    def _connected(self, session: Session) -> Exchange:
        exchange = Exchange(session, self._waiting, self._tally, self._clock, self._refused)
        self._exchange = exchange
        self._waiting.retained.renew(exchange.began_ns)
        self._tally.connects += 1
        self._tally.connected = True
        self._tally.last_error = self._refusal = ""
        self._verdict.set()
        _log.info("connected to %s as %s", self._settings.endpoint, self._client_id)
        return exchange

    def _refused(self, reason: str) -> None:
        self._say(f"broker {self._settings.endpoint} refuses a message: {reason}")

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

    def _is_over(self, exchange: Exchange) -> bool:
        if not self._closing.is_set():
            return False
        return self._clock.monotonic_ns() >= self._stop_by_ns or exchange.is_done

    def _serve(self, exchange: Exchange) -> None:
        self.pulse.beat(SLOW_DISK_S)
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        self._is_woken = False  # before looking at what has come, lest a wake-up be lost
        exchange.turn(LEAVING_S if self._closing.is_set() else IDLE_S)

    def _status(self, state: Presence) -> Outgoing:
        message = StatusMessage(state=state, since=self._since, version=self._version)
        return Outgoing(self._settings.topics.status, encode(message), qos=1, retain=True)


def _warn_of_plaintext(settings: MqttSettings) -> None:
    endpoint = settings.endpoint
    if not endpoint.tls and not endpoint.loopback:
        what = "the password and " if settings.password_file else ""
        _log.warning("%s: %spatient data travel unencrypted; use mqtts://", endpoint, what)
