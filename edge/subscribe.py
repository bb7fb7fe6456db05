"""A plain MQTT subscriber: what anybody else on the broker would see."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import BrokerError
from edge.mqtt_settings import Endpoint

READY_S = 5.0

Receive = Callable[[str, bytes], None]


class Subscriber:
    """Receives every message below one topic filter, at QoS 1. Context manager.

    receive: called with topic and payload, in the subscriber's own thread.
    Raises BrokerError on entry where the broker does not answer within five seconds.
    """

    def __init__(
        self, endpoint: Endpoint, topic_filter: str, receive: Receive, protocol: int = 5
    ) -> None:
        self._endpoint = endpoint
        self._filter = topic_filter
        self._receive = receive
        self._ready = threading.Event()
        version = MQTTv5 if protocol == 5 else MQTTv311
        self._refusal = ""
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=version)
        if endpoint.username:
            self._client.username_pw_set(endpoint.username)
        if endpoint.tls:
            self._client.tls_set()
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._message

    def __enter__(self) -> Self:
        try:
            self._client.connect(self._endpoint.host, self._endpoint.port)
        except OSError as error:
            why = error.strerror or error
            raise BrokerError(f"broker {self._endpoint}: {why} (is it running?)") from None
        self._client.loop_start()
        answered = self._ready.wait(READY_S)
        if self._refusal or not answered:
            self._client.loop_stop()
            why = self._refusal or "it does not answer"
            raise BrokerError(f"broker {self._endpoint} accepts no subscriber: {why}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self, client: Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._refusal = str(code)
            self._ready.set()
        else:
            client.subscribe(self._filter, qos=1)

    def _subscribed(self, *_: Any) -> None:
        self._ready.set()

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._receive(message.topic, bytes(message.payload))
