"""A plain MQTT subscriber: what anybody else on the broker would see."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.clock import SystemClock
from edge.errors import BrokerError
from edge.mqtt_settings import MqttSettings
from edge.publish.credentials import password, tls_context
from edge.publish.failure import ConnectFailedError, unreachable

READY_S = 5.0

Receive = Callable[[str, bytes], None]


class Subscriber:
    """Receives every message below one topic filter, at QoS 1. Context manager.

    receive: called with topic and payload, in the subscriber's own thread.
    Raises BrokerError on entry where the broker does not answer within five seconds, refuses the
    connection or the subscription, or a file that the settings name cannot be used.
    """

    def __init__(self, settings: MqttSettings, topic_filter: str, receive: Receive) -> None:
        self._settings = settings
        self._filter = topic_filter
        self._receive = receive
        self._ready = threading.Event()
        version = MQTTv5 if settings.protocol == 5 else MQTTv311
        self._refusal = ""
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._message

    def __enter__(self) -> Self:
        endpoint = self._settings.endpoint
        try:
            self._identify()
            self._client.connect(endpoint.host, endpoint.port)
        except ConnectFailedError as failure:
            raise BrokerError(str(failure)) from None
        except OSError as error:
            why = unreachable(self._settings, error, SystemClock().utc_ns())
            raise BrokerError(str(why)) from None
        self._client.loop_start()
        answered = self._ready.wait(READY_S)
        if self._refusal or not answered:
            self.close()
            reason = self._refusal or "it does not answer"
            raise BrokerError(f"broker {endpoint} accepts no subscriber: {reason}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker, and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def _identify(self) -> None:
        """Prove who we are, and have the broker do so, as the publisher does."""
        endpoint = self._settings.endpoint
        if username := self._settings.username or endpoint.username:
            self._client.username_pw_set(username, password(self._settings))
        if endpoint.tls:
            self._client.tls_set_context(tls_context(self._settings))

    def _connected(
        self, client: Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._refusal = str(code)
            self._ready.set()
        else:
            client.subscribe(self._filter, qos=1)

    def _subscribed(
        self, _client: Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        if refusals := [str(code) for code in codes if code.is_failure]:
            self._refusal = f"{self._filter}: {refusals[0]} (check its access list)"
        self._ready.set()

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._receive(message.topic, bytes(message.payload))
