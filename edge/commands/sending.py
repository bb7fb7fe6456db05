"""The sender's side: one command out, its answer back."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from edge.clock import Clock
from edge.commands.keys import CommandKey
from edge.commands.wire import (
    MAX_COMMAND_BYTES,
    Command,
    CommandResponse,
    encoded,
    proof_text,
)
from edge.errors import BrokerError, UsageError
from edge.mqtt_settings import MqttSettings
from edge.publish.failure import ConnectFailedError
from edge.publish.inbox import Incoming
from edge.publish.packets import Outgoing
from edge.publish.session import ConnectionLostError, Session
from firmware_bridge.stream import NS_PER_S

LASTS_S = 30
ROUND_S = 0.2
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes a command unique: its id, its counter, and when it expires."""

    id: str
    counter: int
    expires: datetime


def stamp(clock: Clock) -> Stamp:
    """A new one. The counter is the time in milliseconds since 1970, so that a sender needs no
    memory; a clock that goes back is refused until it has caught up.
    """
    now = datetime.fromtimestamp(clock.utc_ns() / NS_PER_S, UTC)
    return Stamp(
        secrets.token_hex(8), clock.utc_ns() // NS_PER_MS, now + timedelta(seconds=LASTS_S)
    )


def send(
    command: Command, key: CommandKey, settings: MqttSettings, clock: Clock, timeout_s: float
) -> CommandResponse:
    """Publish a command and wait for its answer, one that the holder of the key gave.

    A refusal of the signature is the answer too, though nothing can prove that. Raises
    BrokerError without a connection or an answer, UsageError where the command is too large.
    """
    payload = encoded(command, key)
    if len(payload) > MAX_COMMAND_BYTES:
        raise UsageError(
            f"the command has {len(payload)} bytes, and {MAX_COMMAND_BYTES} at most are heard"
        )
    try:
        return _Exchange(command, key, settings, clock).run(payload, timeout_s)
    except ConnectFailedError as error:
        raise BrokerError(str(error)) from None
    except ConnectionLostError as error:
        raise BrokerError(
            f"broker {settings.endpoint}: the connection ended before an answer: {error}"
        ) from None


class _Exchange:
    """One command and its answer over one connection."""

    def __init__(
        self, command: Command, key: CommandKey, settings: MqttSettings, clock: Clock
    ) -> None:
        self._command = command
        self._key = key
        self._settings = settings
        self._clock = clock
        self._answers = settings.topics.response(command.patient)
        self._answer: CommandResponse | None = None

    def run(self, payload: bytes, timeout_s: float) -> CommandResponse:
        deadline_ns = self._clock.monotonic_ns() + int(timeout_s * NS_PER_S)
        wake, other = socket.socketpair()
        with wake, other:
            client_id = f"edge-command-{secrets.token_hex(6)}"
            session = Session(
                *(self._settings, client_id, None, self._clock, wake), on_message=self._take
            )
            try:
                self._exchange(session, payload, deadline_ns)
                session.disconnect()
            finally:
                session.close()
        if self._answer is None:
            raise BrokerError(self._silence(timeout_s))
        return self._answer

    def _exchange(self, session: Session, payload: bytes, deadline_ns: int) -> None:
        session.subscribe([self._answers])
        while not session.subscribed and self._clock.monotonic_ns() < deadline_ns:
            session.serve(ROUND_S)
        session.publish(
            Outgoing(
                self._settings.topics.command(self._command.patient),
                payload,
                qos=1,
                expiry_s=LASTS_S,
                correlation_data=self._command.id.encode(),
                response_topic=self._answers,
            )
        )
        while self._answer is None and self._clock.monotonic_ns() < deadline_ns:
            for ack in session.serve(ROUND_S):
                if ack.refusal:
                    raise BrokerError(
                        f"broker {self._settings.endpoint} refuses the command: {ack.refusal}"
                    )

    def _take(self, message: Incoming) -> None:
        try:
            response = msgspec.json.decode(message.payload, type=CommandResponse)
        except (msgspec.MsgspecError, RecursionError):
            return
        if response.patient == self._command.patient and self._ours(response, message):
            self._answer = response

    def _ours(self, response: CommandResponse, message: Incoming) -> bool:
        if response.id is None:
            asked = message.correlation_data == self._command.id.encode()
            return asked and not response.done
        proof = proof_text(response.id, "" if response.done else response.reason)
        return response.id == self._command.id and self._key.signed(proof, response.proof)

    def _silence(self, timeout_s: float) -> str:
        return (
            f"no answer on {self._answers} within {timeout_s:g} s: does `edge run` watch "
            f"{self._command.patient} with this broker, and is the key in its [commands]? "
            "Whether the command was done is not known"
        )


__all__ = ["LASTS_S", "Stamp", "send", "stamp"]
