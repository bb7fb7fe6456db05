"""One connection to a broker, from CONNECT to its end; the only user of paho.

Each connection has a paho client of its own, so that nothing queued in it outlives the
connection: what must not be lost waits in the outbox. The publisher's thread drives the
socket, hence callbacks run in it and an acknowledgement needs no second thread.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.clock import Clock
from edge.mqtt_settings import MqttSettings
from edge.publish.failure import (
    ConnectFailedError,
    ended,
    hung_up,
    no_answer,
    refused,
    unreachable,
    unreadable,
)
from firmware_bridge.stream import NS_PER_S

CONNECT_TIMEOUT_S = 5.0
CONNACK_TIMEOUT_S = 10.0
CONNACK_POLL_S = 0.1
GOODBYE_ROUNDS = 5
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's word on one QoS 1 publish. refusal: empty where it took the message."""

    mid: int
    refusal: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One publish. expiry_s: after which nobody wants it; None for never."""

    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()


class ConnectionLostError(Exception):
    """The connection ended."""


class Session:
    """An MQTT connection. All methods belong to one thread.

    wake: readable when there is something to publish; ends a wait in `serve`.
    stopping: once set, an answer of the broker to CONNECT is waited for no more.
    Raises ConnectFailedError where the broker cannot be reached or refuses.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        will: Outgoing,
        clock: Clock,
        wake: socket.socket,
        stopping: threading.Event | None = None,
    ) -> None:
        self.receive_maximum = 65_535
        self._settings = settings
        self._clock = clock
        self._wake = wake
        self._stopping = stopping or threading.Event()
        self._five = settings.protocol == 5
        self._acks: list[Ack] = []
        self._end = ""
        self._connack: ReasonCode | None = None
        self._client = self._make_client(client_id, will)
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def publish(self, message: Outgoing) -> int:
        """Send; returns the message id that the Ack will carry. Raises ConnectionLostError."""
        properties = _properties(message, PacketTypes.PUBLISH) if self._five else None
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.retain, properties
        )
        self._check()
        return info.mid

    def serve(self, timeout_s: float) -> list[Ack]:
        """Move bytes for up to `timeout_s`, less where something happens; gives new Acks.

        Raises ConnectionLostError.
        """
        self._wait(timeout_s, [self._wake])
        acks, self._acks = self._acks, []
        if not acks:
            self._check()
        return acks

    def _wait(self, timeout_s: float, others: list[socket.socket]) -> None:
        """Until the broker says something, one of the others is readable, or time is up."""
        sock = self._socket()
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        writers = [sock] if self._client.want_write() else []
        ready, writable, _ = select.select(
            [sock, *others], writers, [], 0.0 if buffered else timeout_s
        )
        if sock in ready or buffered:
            self._client.loop_read()
        if writable:
            self._client.loop_write()
        self._client.loop_misc()

    def disconnect(self) -> None:
        """Say goodbye, so that the broker does not publish the will."""
        with contextlib.suppress(OSError, ConnectionLostError):
            self._client.disconnect()
            for _ in range(GOODBYE_ROUNDS):
                if self._client.want_write():
                    self.serve(0.1)

    def close(self) -> None:
        """Drop the connection."""
        self._client.on_disconnect = None
        sock = self._client.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()

    def _make_client(self, client_id: str, will: Outgoing) -> Client:
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
        properties = _properties(will, PacketTypes.WILLMESSAGE) if self._five else None
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
        username = self._settings.username or self._settings.endpoint.username
        if username:
            client.username_pw_set(username, _password(self._settings))
        if self._settings.endpoint.tls:
            client.tls_set_context(_tls_context(self._settings))
        return client

    def _connect(self) -> None:
        endpoint = self._settings.endpoint
        try:
            self._client.connect(endpoint.host, endpoint.port, self._settings.keepalive_s)
        except (OSError, ValueError) as error:
            raise unreachable(self._settings, error) from None
        deadline = self._clock.monotonic_ns() + int(CONNACK_TIMEOUT_S * NS_PER_S)
        while self._connack is None:
            if self._clock.monotonic_ns() > deadline or self._stopping.is_set():
                raise no_answer(self._settings, CONNACK_TIMEOUT_S)
            try:
                self._wait(CONNACK_POLL_S, [])
            except ConnectionLostError:
                raise hung_up(self._settings) from None
        if self._connack.is_failure:
            raise refused(self._settings, self._connack.value, str(self._connack))

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

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._end = self._end or ended(code.value, str(code))

    def _on_publish(
        self, _client: Client, _data: object, mid: int, code: ReasonCode, _got: Properties
    ) -> None:
        self._acks.append(Ack(mid, str(code) if code.is_failure else ""))


def _properties(message: Outgoing, packet: int) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    properties.PayloadFormatIndicator = 1
    properties.ContentType = JSON
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    for pair in message.user_properties:
        properties.UserProperty = pair
    return properties


def _send_at_once(_client: Client, _data: object, sock: Any) -> None:
    """Else an alert waits up to 40 ms for the acknowledgement of the state sent before it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _password(settings: MqttSettings) -> str | None:
    if not settings.password_file:
        return None
    try:
        text = Path(settings.password_file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable("password_file", settings.password_file, error) from None
    return text.split("\n", 1)[0].rstrip("\r")


def _tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, host name and certificate checked; nothing switches that off."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise unreadable("ca_file", settings.ca_file, error) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise unreadable("cert_file", settings.cert_file, error) from None
    return context


__all__ = ["Ack", "ConnectFailedError", "ConnectionLostError", "Outgoing", "Session"]
