"""An MQTT 5 client that waits for the broker's word on everything it asks."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client as Paho
from paho.mqtt.client import MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.certificates import Identity
from tests.mosquitto import HOST
from tests.patience import WAIT_S

NOT_AUTHORIZED = 135


class Client:
    """A connection over TLS, with a certificate or with a name that is its own password."""

    def __init__(
        self,
        port: int,
        authority: Identity,
        certificate: Identity | None = None,
        name: str = "",
        password: str = "",
        session: str = "",
    ) -> None:
        """session: name of one that outlives the connection, and in which messages wait."""
        self.received: list[tuple[str, bytes]] = []
        self._codes: dict[int, int] = {}
        self._changed = threading.Condition()
        self._connack: int | None = None
        self._ended = ""
        self._session = session
        self._paho = Paho(
            CallbackAPIVersion.VERSION2, session, protocol=MQTTv5, reconnect_on_failure=False
        )
        context = ssl.create_default_context(cafile=str(authority.cert_file))
        if certificate:
            context.load_cert_chain(certificate.cert_file, certificate.key_file)
        self._paho.tls_set_context(context)
        if name:
            self._paho.username_pw_set(name, password or name)
        self._paho.on_connect = self._connected
        self._paho.on_disconnect = self._disconnected
        self._paho.on_message = self._heard
        self._paho.on_publish = lambda _c, _d, mid, code, _p: self._answered(mid, code.value)
        self._paho.on_subscribe = lambda _c, _d, mid, codes, _p: self._answered(mid, codes[0].value)
        self._port = port

    def __enter__(self) -> Self:
        lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        lasting.SessionExpiryInterval = 3600 if self._session else 0
        self._paho.connect(HOST, self._port, clean_start=not self._session, properties=lasting)
        self._paho.loop_start()
        self._wait(lambda: self._connack is not None)
        assert self._connack == 0, f"ended: {self._connack}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()

    def publish(self, topic: str, payload: str = "x", retain: bool = False) -> int:
        """The broker's reason code for a publish at QoS 1."""
        mid = self._paho.publish(topic, payload, 1, retain).mid
        return self._code(mid)

    def subscribe(self, topic_filter: str) -> int:
        """The broker's reason code for a subscription at QoS 1."""
        _, mid = self._paho.subscribe(topic_filter, 1)
        assert mid is not None
        return self._code(mid)

    def wait_for(self, topic: str, payload: str) -> None:
        """Until this message has come; what was published before it has come then, too."""
        self._wait(lambda: (topic, payload.encode()) in self.received)

    def _code(self, mid: int) -> int:
        self._wait(lambda: mid in self._codes)
        return self._codes[mid]

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            over = self._changed.wait_for(lambda: condition() or self._ended, WAIT_S)
            assert over, f"not within {WAIT_S:g} s"
            assert condition(), f"ended: {self._ended}"

    def _disconnected(self, _c: Paho, _d: object, _f: object, code: Any, _p: object) -> None:
        with self._changed:
            self._ended = str(code)
            self._changed.notify_all()

    def _connected(self, _c: Paho, _d: object, _f: object, code: Any, _p: object) -> None:
        with self._changed:
            self._connack = code.value
            self._changed.notify_all()

    def _heard(self, _c: Paho, _d: object, message: MQTTMessage) -> None:
        with self._changed:
            self.received.append((message.topic, message.payload))
            self._changed.notify_all()

    def _answered(self, mid: int, code: int) -> None:
        with self._changed:
            self._codes[mid] = code
            self._changed.notify_all()
