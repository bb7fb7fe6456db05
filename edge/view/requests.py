"""What a viewer may ask, as JSON; whatever is not exactly that is nothing. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.actions import AUDIO_PAUSE_MAX_S, Acknowledge, Action, AskStrip, PauseAudio
from edge.messages import PatientId

__all__ = ["REQUEST_BYTES_MAX", "FetchStrip", "Request", "action_of", "parse_request"]

REQUEST_BYTES_MAX = 1024
BY = "page"

Number = Annotated[int, msgspec.Meta(ge=0, le=0x7FFFFFFF)]
AlertId = Annotated[str, msgspec.Meta(max_length=128)]
PauseS = Annotated[float, msgspec.Meta(ge=0.0, le=AUDIO_PAUSE_MAX_S)]


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """request: a number of the viewer's own; the answer repeats it."""

    request: Number
    patient: PatientId


class AcknowledgeAlert(_Request, frozen=True, tag="acknowledge"):
    """alert_id: of which alarm; empty for all that are on."""

    alert_id: AlertId = ""


class PauseSound(_Request, frozen=True, tag="pause_audio"):
    """for_s: 0 ends a pause."""

    for_s: PauseS


class MakeStrip(_Request, frozen=True, tag="make_strip"):
    """The signal of the last seconds as a strip."""


class FetchStrip(_Request, frozen=True, tag="fetch_strip"):
    """number: of a strip that is ready."""

    number: Number


Request = AcknowledgeAlert | PauseSound | MakeStrip | FetchStrip

_decoder = msgspec.json.Decoder(Request)


def parse_request(text: str | bytes) -> Request | None:
    """The request, None where the text is none."""
    if len(text) > REQUEST_BYTES_MAX:
        return None
    try:
        request: Request = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return request


def action_of(request: AcknowledgeAlert | PauseSound | MakeStrip) -> Action:
    """What the patient's monitor is asked for."""
    match request:
        case AcknowledgeAlert():
            return Acknowledge(request.patient, request.alert_id, BY)
        case PauseSound():
            return PauseAudio(request.patient, request.for_s, BY)
        case MakeStrip():
            return AskStrip(request.patient, BY)
