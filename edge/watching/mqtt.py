"""Patients by way of a broker: states and alerts, without their signal."""

from __future__ import annotations

import secrets
import socket
import threading

import msgspec

from edge.clock import SystemClock
from edge.errors import BrokerError
from edge.messages import (
    ActiveAlerts,
    AlertMessage,
    AvailabilityMessage,
    StateMessage,
    StatusMessage,
)
from edge.mqtt_settings import MqttSettings
from edge.publish.backoff import Backoff
from edge.publish.inbox import Incoming
from edge.publish.session import ConnectFailedError, ConnectionLostError, Session
from edge.watching.heard import Heard, Notice
from firmware_bridge.stream import NS_PER_S

__all__ = ["MqttSource"]

HELD_MAX = 1000
PACKET_BYTES_MAX = 262_144
"""Room for a long list of active alarms; a broker says nothing of what it keeps to itself."""
SEEN_MAX = 1000
Message = StateMessage | AlertMessage | ActiveAlerts | AvailabilityMessage | StatusMessage
TYPES: dict[str, type[Message]] = {
    "state": StateMessage,
    "alert": AlertMessage,
    "alert/active": ActiveAlerts,
    "availability": AvailabilityMessage,
}


class MqttSource:
    """Subscribes to what edge publishes. patient: empty for all below the base topic."""

    def __init__(self, settings: MqttSettings, patient: str = "") -> None:
        self._settings = settings
        self._patient = patient or "+"
        self._clock = SystemClock()
        self._backoff = Backoff()
        self._wake, self._waker = socket.socketpair()
        self._session: Session | None = None
        self._again_ns = 0
        self._held: list[Heard] = []
        self._seen: dict[tuple[str, str, int], None] = {}

    @property
    def name(self) -> str:
        """The broker, and below which topic."""
        return f"{self._settings.endpoint}, topics below {self._settings.base}/"

    def open(self) -> None:
        """Connect and subscribe. Raises BrokerError."""
        try:
            self._connect()
        except (ConnectFailedError, ConnectionLostError) as error:
            raise BrokerError(str(error)) from None

    def read(self, timeout_s: float) -> list[Heard]:
        """What came, or that the connection was lost or is back."""
        if self._session is None and not self._connected_again(timeout_s):
            return []
        try:
            if self._session:
                self._session.serve(timeout_s)
        except ConnectionLostError as error:
            self._leave()
            self._held.append(
                Notice(f"connection lost, nothing here is current: {error}", lost=True)
            )
        held, self._held = self._held, []
        return held

    def close(self) -> None:
        """Disconnect."""
        if self._session:
            self._session.disconnect()
        self._leave()
        self._wake.close()
        self._waker.close()

    def _leave(self) -> None:
        if self._session:
            self._session.close()
            self._session = None

    def _connect(self) -> None:
        base = self._settings.base
        client_id = f"edge-watch-{secrets.token_hex(6)}"
        session = Session(
            self._settings,
            client_id,
            None,
            self._clock,
            self._wake,
            on_message=self._take,
            packet_max=PACKET_BYTES_MAX,
        )
        below = [f"{base}/{self._patient}/{leaf}" for leaf in TYPES]
        try:
            session.subscribe([f"{base}/status", *below])
        except BaseException:
            session.close()
            raise
        self._session = session

    def _connected_again(self, timeout_s: float) -> bool:
        left_s = (self._again_ns - self._clock.monotonic_ns()) / NS_PER_S
        if left_s > 0:
            threading.Event().wait(min(left_s, timeout_s))
            return False
        try:
            self._connect()
        except (ConnectFailedError, ConnectionLostError):
            self._again_ns = self._clock.monotonic_ns() + round(self._backoff.next_s() * NS_PER_S)
            return False
        self._backoff = Backoff()
        self._held.append(Notice("connected again"))
        return True

    def _take(self, message: Incoming) -> None:
        """Whatever is not a message of ours is passed over: others may publish there, too."""
        below = message.topic.removeprefix(f"{self._settings.base}/")
        leaf = below.partition("/")[2]
        known: type[Message] | None = StatusMessage if below == "status" else TYPES.get(leaf)
        if known is None or len(self._held) >= HELD_MAX:
            return
        try:
            told = msgspec.json.decode(message.payload, type=known)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return
        if not isinstance(told, AlertMessage) or self._is_new(told):
            self._held.append(told)

    def _is_new(self, alert: AlertMessage) -> bool:
        """At least once is a promise of MQTT: a copy is shown once."""
        key = (alert.patient, alert.id, alert.seq)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return True
