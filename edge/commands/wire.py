"""Commands and answers as they travel: JSON, closed, and signed over the text as it stands.

The command proper is JSON text inside a string of the envelope, so that what is signed is what
was sent, byte for byte, and nobody has to agree on how JSON is to be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from edge.actions import (
    AUDIO_PAUSE_MAX_S,
    Acknowledge,
    Action,
    AskStrip,
    PauseAudio,
    SetLimits,
)
from edge.commands.keys import CommandKey
from edge.commands.settings import Verb
from edge.messages import PatientId, UtcTime

MAX_COMMAND_BYTES = 4096
MAX_BY = 28
MAX_TEXT = 200
MAX_COUNTER = (1 << 48) - 1
"""Milliseconds since 1970 stay below it for thousands of years."""

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CommandId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,36}$")]
LimitName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
LimitValue = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]

Reason = Literal[
    "malformed",
    "too_large",
    "retained",
    "signature",
    "patient",
    "right",
    "expired",
    "too_far_ahead",
    "counter",
    "rate",
    "storage",
    "busy",
    "not_possible",
]


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is published on `<base>/<patient>/command`, at most 4096 bytes.

    command: one of the commands, as JSON text. key: name of the sender's key.
    signature: HMAC-SHA256 of that text in UTF-8 under that key, 64 lower-case hex digits.
    """

    command: str
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    signature: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class _Command(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="verb"
):
    """What every command has.

    id: chosen by the sender; the answer carries it.
    counter: greater than in any command before under this key.
    expires: UTC; at most 60 s ahead.
    by: who asks, for the log; the name of the key is added.
    """

    id: CommandId
    patient: PatientId
    counter: Annotated[int, msgspec.Meta(ge=1, le=MAX_COUNTER)]
    expires: Annotated[datetime, msgspec.Meta(tz=True)]
    by: Annotated[str, msgspec.Meta(max_length=MAX_BY)] = ""


class AcknowledgeCommand(_Command, frozen=True, kw_only=True, tag="acknowledge"):
    """Somebody has taken notice. alert: id of which alert; empty for all that are on."""

    alert: Annotated[str, msgspec.Meta(max_length=128)] = ""


class PauseAudioCommand(_Command, frozen=True, kw_only=True, tag="pause_audio"):
    """No sound for so many seconds; 0 ends a pause."""

    for_s: Annotated[float, msgspec.Meta(ge=0.0, le=AUDIO_PAUSE_MAX_S)]


class SetLimitsCommand(_Command, frozen=True, kw_only=True, tag="set_limits"):
    """Other alarm limits by name, until the next start."""

    limits: Annotated[dict[LimitName, LimitValue], msgspec.Meta(min_length=1, max_length=32)]


class AskStripCommand(_Command, frozen=True, kw_only=True, tag="ask_strip"):
    """The signal of the last seconds, published on `<base>/<patient>/alert/strip`."""


Command = AcknowledgeCommand | PauseAudioCommand | SetLimitsCommand | AskStripCommand


class CommandResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command, on `<base>/<patient>/command/response` or below it.

    id, verb: of the command; null where its signature does not hold.
    reason: why it was refused, one word; empty where it was done. text: the same for people.
    proof: HMAC-SHA256 under the sender's key of the id, a blank, and `done` or the reason; empty
        where the signature of the command does not hold.
    """

    patient: PatientId
    time: UtcTime
    id: str | None
    verb: Verb | None
    done: bool
    reason: Reason | Literal[""]
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
    proof: str = ""


def encoded(command: Command, key: CommandKey) -> bytes:
    """The command as it is published, signed."""
    text = msgspec.json.encode(command).decode()
    return msgspec.json.encode(Envelope(text, key.name, key.sign(text)))


def decoded_envelope(payload: bytes) -> Envelope:
    """The envelope. Raises ValueError."""
    return _decoded(payload, _ENVELOPE)


def decoded_command(text: str) -> Command:
    """The command inside. Raises ValueError."""
    command = _decoded(text.encode(), _COMMAND)
    if not command.by.isprintable():
        raise ValueError("by holds control characters")
    return command


def checked(fields: Mapping[str, Any]) -> Command:
    """A command of plain values, `verb` among them. Raises ValueError."""
    try:
        command: Command = msgspec.convert(fields, Command)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`$.", "`")) from None
    return command


def verb_of(command: Command) -> Verb:
    """The word that the command goes by."""
    verb: Verb = command.__struct_config__.tag  # type: ignore[assignment]
    return verb


def action_of(command: Command, by: str) -> Action:
    """What the monitor is to do."""
    match command:
        case AcknowledgeCommand():
            return Acknowledge(command.patient, command.alert, by)
        case PauseAudioCommand():
            return PauseAudio(command.patient, command.for_s, by)
        case SetLimitsCommand():
            return SetLimits(command.patient, command.limits, by)
        case AskStripCommand():
            return AskStrip(command.patient, by)


def expires_utc_ns(command: Command) -> int:
    """When the command expires, in nanoseconds since 1970."""
    since = command.expires - _EPOCH
    return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) * 1000


def proof_text(command_id: str, reason: str) -> str:
    """What `CommandResponse.proof` is the HMAC of. reason: empty where the command was done."""
    return f"{command_id} {reason or 'done'}"


def _decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None


_ENVELOPE = msgspec.json.Decoder(Envelope)
_COMMAND: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)

__all__ = [
    "MAX_COMMAND_BYTES",
    "MAX_COUNTER",
    "MAX_TEXT",
    "AcknowledgeCommand",
    "AskStripCommand",
    "Command",
    "CommandResponse",
    "Envelope",
    "PauseAudioCommand",
    "Reason",
    "SetLimitsCommand",
    "action_of",
    "checked",
    "decoded_command",
    "decoded_envelope",
    "encoded",
    "expires_utc_ns",
    "proof_text",
    "verb_of",
]
