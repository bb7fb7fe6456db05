"""One connection to a broker, from CONNECT to its end; the only user of paho's client.

Each connection has a paho client of its own, so that nothing queued in it outlives the
connection: what must not be lost waits in the outbox. The publisher's thread drives the
socket, hence callbacks run in it and an acknowledgement needs no second thread.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import (
    MQTT_LOG_ERR,
    Client,
    DisconnectFlags,
    MQTTMessage,
    MQTTv5,
    MQTTv311,
)
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.clock import Clock
from edge.mqtt_settings import MqttSettings
from edge.publish.credentials import password, tls_context
from edge.publish.failure import (
    ConnectFailedError,
    ended,
    hung_up,
    no_answer,
    refused,
    unreachable,
)
from edge.publish.inbox import MAX_PACKET_BYTES, Handler
from edge.publish.packets import (
    Outgoing,
    connect_properties,
    incoming,
    payload_maximum,
    publish_properties,
    will_properties,
)
from firmware_bridge.stream import NS_PER_S

CONNECT_TIMEOUT_S = 5.0
CONNACK_TIMEOUT_S = 10.0
CONNACK_POLL_S = 0.1
GOODBYE_ROUNDS = 5
Selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)
"""Not `select`, which takes no file descriptor above 1023: a gateway may have thousands open."""
READ_AT_ONCE = 64
"""Messages to us that are read before what is to be sent gets its turn."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's word on one QoS 1 publish. refusal: empty where it took the message."""

    mid: int
    refusal: str


class ConnectionLostError(Exception):
    """The connection ended."""


class CalledOffError(Exception):
    """Stopped before the broker answered, which is no fault of the broker."""


class Session:
    """An MQTT connection. All methods belong to one thread.

    wake: readable when there is something to publish; ends a wait in `serve`.
    stopping: once set, an answer of the broker to CONNECT is waited for no more.
    packet_max: bytes of the largest packet that we take; an MQTT 5 broker is told, and keeps
        larger ones to itself.
    on_message: called in the thread that calls `serve`; must not raise.
    Raises ConnectFailedError where the broker cannot be reached or refuses.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        will: Outgoing | None,
        clock: Clock,
        wake: socket.socket,
        stopping: threading.Event | None = None,
        on_message: Handler = lambda _: None,
        packet_max: int = MAX_PACKET_BYTES,
    ) -> None:
        self.receive_maximum = 65_535
        self.payload_maximum = payload_maximum(None)
        self._unsent = 0
        self._settings = settings
        self._clock = clock
        self._wake = wake
        self._stopping = stopping or threading.Event()
        self._five = settings.protocol == 5
        self._acks: list[Ack] = []
        self._on_message = on_message
        self._packet_max = packet_max
        self._heard = 0
        self._filters: dict[int, Sequence[str]] = {}
        self._end = ""
        self._said = ""
        self._connack: ReasonCode | None = None
        self._client = self._make_client(client_id, will)
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def publish(self, message: Outgoing) -> int:
        """Send, unless the broker takes nothing so large; returns the message id that the Ack will
        carry. Raises ConnectionLostError."""
        if len(message.payload) > self.payload_maximum:
            self._unsent -= 1
            self._acks.append(Ack(self._unsent, "Packet too large"))
            return self._unsent
        properties = publish_properties(message) if self._five else None
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.retain, properties
        )
        self._check()
        return info.mid

    def subscribe(self, filters: Sequence[str], qos: int = 1) -> None:
        """Have the broker send what matches. Raises ConnectionLostError."""
        if not filters:
            return
        options = SubscribeOptions(qos=qos, retainAsPublished=True)
        wanted: Any = [(each, options if self._five else qos) for each in filters]
        _, mid = self._client.subscribe(wanted)
        self._check()
        if mid is not None:
            self._filters[mid] = filters

    @property
    def subscribed(self) -> bool:
        """Whether the broker has answered every subscription."""
        return not self._filters

    def serve(self, timeout_s: float, wakeful: bool = True) -> list[Ack]:
        """Move bytes for up to `timeout_s`, less where something happens; gives new Acks.

        wakeful: whether `wake` ends the wait; not where nothing more is to be published.
        Raises ConnectionLostError.
        """
        self._wait(0.0 if self._acks else timeout_s, [self._wake] if wakeful else [])
        acks, self._acks = self._acks, []
        if not acks:
            self._check()
        return acks

    def _wait(self, timeout_s: float, others: list[socket.socket]) -> None:
        """Until the broker says something, one of the others is readable, or time is up."""
        sock = self._socket()
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        write = selectors.EVENT_WRITE if self._client.want_write() else 0
        with Selector() as waiting:
            waiting.register(sock, selectors.EVENT_READ | write)
            for other in others:
                waiting.register(other, selectors.EVENT_READ)
            ready = waiting.select(0.0 if buffered else timeout_s)
        events = next((found for key, found in ready if key.fileobj is sock), 0)
        if events & selectors.EVENT_READ or buffered:
            self._read()
            _hear_at_once(sock)
        if events & selectors.EVENT_WRITE:
            self._client.loop_write()
        self._client.loop_misc()

    def _read(self) -> None:
        """What came, yet only so many messages to us that a flood of them holds nothing up."""
        for _ in range(READ_AT_ONCE):
            heard = self._heard
            self._client.loop_read()
            if self._heard == heard:
                return

    def disconnect(self) -> None:
        """Say goodbye, so that the broker does not publish the will."""
        with contextlib.suppress(OSError, ConnectionLostError):
            self._client.disconnect()
            for _ in range(GOODBYE_ROUNDS):
                if self._client.want_write():
                    self.serve(0.1, wakeful=False)

    def close(self) -> None:
        """Drop the connection."""
        self._client.on_disconnect = None
        sock = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def _make_client(self, client_id: str, will: Outgoing | None) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if self._five else True,
            protocol=MQTTv5 if self._five else MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_log = self._on_log
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_incoming
        if will:
            properties = will_properties(will) if self._five else None
            client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
        username = self._settings.username or self._settings.endpoint.username
        if username:
            client.username_pw_set(username, password(self._settings))
        if self._settings.endpoint.tls:
            client.tls_set_context(tls_context(self._settings))
        return client

    def _connect(self) -> None:
        endpoint = self._settings.endpoint
        try:
            self._client.connect(
                endpoint.host,
                endpoint.port,
                self._settings.keepalive_s,
                properties=connect_properties(self._packet_max) if self._five else None,
            )
        except (OSError, ValueError) as error:
            raise unreachable(self._settings, error, self._clock.utc_ns()) from None
        deadline = self._clock.monotonic_ns() + int(CONNACK_TIMEOUT_S * NS_PER_S)
        while self._connack is None:
            if self._stopping.is_set():
                raise CalledOffError
            if self._clock.monotonic_ns() > deadline:
                raise no_answer(self._settings, CONNACK_TIMEOUT_S)
            try:
                self._wait(CONNACK_POLL_S, [])
            except ConnectionLostError:
                raise hung_up(self._settings, self._said) from None
        if self._connack.is_failure:
            raise refused(self._settings, self._connack.value, str(self._connack))
        self._client.on_log = None  # else paho puts every packet into words

    def _socket(self) -> Any:
        sock = self._client.socket()
        if sock is None:
            raise ConnectionLostError(self._end or "connection lost")
        return sock

    def _check(self) -> None:
        if self._connack is None or not self._connack.is_failure:
            self._socket()

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        _flags: object,
        code: ReasonCode,
        got: Properties | None,
    ) -> None:
        self._connack = code
        self.receive_maximum = getattr(got, "ReceiveMaximum", self.receive_maximum)
        self.payload_maximum = payload_maximum(got)

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._end = self._end or ended(code.value, str(code))

    def _on_log(self, _client: Client, _data: object, level: int, text: str) -> None:
        """The only place where paho tells why TLS ended a connection."""
        if level == MQTT_LOG_ERR:
            self._said = text

    def _on_publish(
        self, _client: Client, _data: object, mid: int, code: ReasonCode, _got: Properties
    ) -> None:
        self._acks.append(Ack(mid, str(code) if code.is_failure else ""))

    def _on_subscribe(
        self, _client: Client, _data: object, mid: int, codes: list[ReasonCode], _got: object
    ) -> None:
        filters = self._filters.pop(mid, ())
        for wanted, code in zip(filters, codes, strict=False):
            if code.is_failure:
                _log.warning(
                    "broker %s refuses the subscription to %s (%s): check its access list",
                    *(self._settings.endpoint, wanted, code),
                )

    def _on_incoming(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._heard += 1
        with contextlib.suppress(UnicodeDecodeError):  # a topic that is no text is none of ours
            self._on_message(incoming(message))


def _send_at_once(_client: Client, _data: object, sock: Any) -> None:
    """Else an alert waits up to 40 ms for the acknowledgement of the state sent before it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _hear_at_once(sock: Any) -> None:
    """Else a broker that waits for the kernel's acknowledgement before it sends more (Nagle, as
    Mosquitto does) tells up to 40 ms late that it has an alert. Linux forgets it at each read.
    """
    if quick_ack := getattr(socket, "TCP_QUICKACK", None):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, quick_ack, 1)


__all__ = [
    "Ack",
    "CalledOffError",
    "ConnectFailedError",
    "ConnectionLostError",
    "Outgoing",
    "Session",
]
