"""Which command is done and which is refused: bytes and time in, a verdict out.

Nothing is believed before the signature holds: neither patient nor verb is looked at.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from edge.actions import AUDIO_PAUSE_MAX_S, Acknowledge, Action, AskStrip, PauseAudio
from edge.commands.keys import KEY_BYTES, CommandKey
from edge.commands.rate import Rate
from edge.commands.settings import UnsignedVerb, Verb
from edge.commands.wire import (
    MAX_COMMAND_BYTES,
    Command,
    Reason,
    action_of,
    decoded_command,
    decoded_envelope,
    expires_utc_ns,
    verb_of,
)
from firmware_bridge.stream import NS_PER_S

MOST_A_MINUTE = 10
"""Commands that one key, or one patient's button, has done in any 60 s."""
MAX_AHEAD_NS = 60 * NS_PER_S
BUTTON = "button"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came. patient: of the topic. button: whether it was the unsigned topic.

    now_ns: monotonic. utc_ns: the time by a clock known to be right, None where none is.
    """

    patient: str
    payload: bytes
    retained: bool
    button: bool
    now_ns: int
    utc_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """What is known of a command whose signature holds."""

    id: str
    verb: Verb
    key: CommandKey
    counter: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """To be done, once the counter is on disk. signed: None for a button."""

    action: Action
    verb: Verb
    signed: Signed | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Not to be done. signed: None where no signature holds."""

    reason: Reason
    signed: Signed | None = None


Verdict = Accepted | Refused


class Policy:
    """Judges what comes for the patients who are watched here. One thread calls `judge`.

    newest: the highest counter that was ever accepted, by `CommandKey.counter_name`.
    """

    def __init__(
        self,
        keys: Iterable[CommandKey],
        unsigned: Collection[UnsignedVerb],
        newest: Callable[[str], int],
    ) -> None:
        self._keys = {key.name: key for key in keys}
        self._unsigned: dict[bytes, UnsignedVerb] = {verb.encode(): verb for verb in unsigned}
        self._newest = {key.name: newest(key.counter_name) for key in self._keys.values()}
        self._rates = {name: Rate(MOST_A_MINUTE) for name in self._keys}
        self._button_rates: dict[str, Rate] = {}
        self._nobody = CommandKey("", secrets.token_bytes(KEY_BYTES))

    def judge(self, delivery: Delivery) -> Verdict:
        """Whether a message is a command that is to be done. Never raises."""
        if delivery.retained:
            return Refused("retained")
        if len(delivery.payload) > MAX_COMMAND_BYTES:
            return Refused("too_large")
        return self._pressed(delivery) if delivery.button else self._sent(delivery)

    def _pressed(self, delivery: Delivery) -> Verdict:
        verb = self._unsigned.get(delivery.payload)
        if verb is None:
            return Refused("malformed")
        rate = self._button_rates.setdefault(delivery.patient, Rate(MOST_A_MINUTE))
        if not rate.passes(delivery.now_ns):
            return Refused("rate")
        return Accepted(_pressed_action(verb, delivery.patient), verb)

    def _sent(self, delivery: Delivery) -> Verdict:
        try:
            envelope = decoded_envelope(delivery.payload)
            key = self._keys.get(envelope.key, self._nobody)
            if not key.signed(envelope.command, envelope.signature):
                return Refused("signature")
            command = decoded_command(envelope.command)
        except ValueError:
            return Refused("malformed")
        signed = Signed(command.id, verb_of(command), key, command.counter)
        if reason := self._objection(delivery, command, signed):
            return Refused(reason, signed)
        by = f"{command.by} ({key.name})" if command.by else key.name
        return Accepted(action_of(command, by), signed.verb, signed)

    def _objection(self, delivery: Delivery, command: Command, signed: Signed) -> Reason | None:
        """Why a command whose signature holds is not done, None where it is."""
        if command.patient != delivery.patient:
            return "patient"
        if signed.verb not in signed.key.verbs:
            return "right"
        if delivery.utc_ns is not None:
            left_ns = expires_utc_ns(command) - delivery.utc_ns
            if left_ns <= 0:
                return "expired"
            if left_ns > MAX_AHEAD_NS:
                return "too_far_ahead"
        if command.counter <= self._newest[signed.key.name]:
            return "counter"
        self._newest[signed.key.name] = command.counter
        return None if self._rates[signed.key.name].passes(delivery.now_ns) else "rate"


def _pressed_action(verb: UnsignedVerb, patient: str) -> Action:
    match verb:
        case "acknowledge":
            return Acknowledge(patient, by=BUTTON)
        case "pause_audio":
            return PauseAudio(patient, AUDIO_PAUSE_MAX_S, by=BUTTON)
        case "ask_strip":
            return AskStrip(patient, by=BUTTON)


__all__ = ["MOST_A_MINUTE", "Accepted", "Delivery", "Policy", "Refused", "Signed", "Verdict"]
