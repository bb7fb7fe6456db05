"""What the bridge page and edge say to each other over one WebSocket; messages only, no I/O.

Text messages are JSON objects with a `type`; binary ones are batches of records, page to edge,
little-endian: version u8, page clock at sending f64 (ms), then records one after another:
number u32, page clock f64 (ms), kind u8, channel u8, length u16, that many bytes of content.
docs/bridge.md explains the conversation.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum

from firmware_bridge.errors import BridgeError
from firmware_bridge.protocols import Conversing, Decoder, GattProfile

__all__ = [
    "BYE",
    "MESSAGE_BYTES_MAX",
    "VERSION",
    "Batch",
    "BridgeProtocolError",
    "Hello",
    "Kind",
    "Record",
    "ack",
    "channels_of",
    "decode_batch",
    "is_bye",
    "parse_hello",
    "profile",
    "welcome",
    "write",
]

VERSION = 1
MESSAGE_BYTES_MAX = 65_536
"""Longest message either side sends; a page splits what it has buffered."""
BYE = "bye"
HEADER = struct.Struct("<Bd")
RECORD = struct.Struct("<IdBBH")
CLOCK_MS_MAX = 1e12
NUMBER_MAX = 0xFFFF_FFFF
NS_PER_MS = 1_000_000
SESSION = r"[0-9A-Za-z_-]{8,64}"
TOKEN_CHARACTERS_MAX = 128


class BridgeProtocolError(BridgeError):
    """A message that the protocol does not know; the connection is to be closed."""


class Kind(IntEnum):
    """What a record tells. Content: bytes of the characteristic, name of the device, reason."""

    NOTIFICATION = 0
    DEVICE_CONNECTED = 1
    DEVICE_LOST = 2


@dataclass(frozen=True, slots=True)
class Hello:
    """How a page introduces itself.

    session: chosen by the page when it was loaded; the same after every reconnection. token: as
    typed or taken from the page's address, empty where there was none. next_number: records
    below it have been acknowledged, by this edge or one before. device: whether one is connected.
    connection: counts up from connection to connection of a session, so that one that was slow on
    its way does not pass for the newest.
    """

    session: str
    token: str
    next_number: int
    device: bool
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened at the page.

    number: counts up by one from record to record of a session. page_ns: the page's own clock,
    ns of any epoch. channel: UUID for a notification, else empty.
    """

    number: int
    page_ns: int
    kind: Kind
    channel: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one message, and the page's clock when it was sent (ns)."""

    sent_ns: int
    records: tuple[Record, ...]


def channels_of(gatt: GattProfile) -> tuple[str, ...]:
    """The characteristics by the numbers that records have for them."""
    return (*filter(None, (gatt.control,)), *gatt.data, *gatt.side)


def parse_hello(text: str) -> Hello:
    """The first message of a page. Raises BridgeProtocolError."""
    fields = _object(text)
    if fields.get("type") != "hello":
        raise BridgeProtocolError("the first message must be a hello")
    if fields.get("version") != VERSION:
        raise BridgeProtocolError(f"this edge speaks version {VERSION}; load the page anew")
    session, token = fields.get("session"), fields.get("token", "")
    if not isinstance(session, str) or not re.fullmatch(SESSION, session):
        raise BridgeProtocolError("session must be 8 to 64 letters and digits")
    if not isinstance(token, str) or len(token) > TOKEN_CHARACTERS_MAX:
        raise BridgeProtocolError(f"token must be text of at most {TOKEN_CHARACTERS_MAX}")
    next_number, connection = (
        _number(fields, "next"),
        _number({"connection": 0} | fields, "connection"),
    )
    return Hello(session, token, next_number, fields.get("device") is True, connection)


def is_bye(text: str) -> bool:
    """Whether a page says that it closes. Raises BridgeProtocolError for what is no message."""
    if _object(text).get("type") != BYE:
        raise BridgeProtocolError("after the hello a page sends batches and bye only")
    return True


def decode_batch(data: bytes, channels: tuple[str, ...]) -> Batch:
    """A binary message taken apart. Raises BridgeProtocolError where it is malformed."""
    if len(data) < HEADER.size or data[0] != VERSION:
        raise BridgeProtocolError("a batch begins with its version and the time of sending")
    _, sent_ms = HEADER.unpack_from(data)
    return Batch(_clock_ns(sent_ms), tuple(_records(data, channels)))


def profile(device: str, gatt: GattProfile, decoder: Decoder) -> dict[str, object]:
    """All that a page must know of a device: characteristics and commands."""
    keep_alive = None
    if isinstance(decoder, Conversing) and (commands := decoder.keep_alive_commands()):
        keep_alive = {"every_s": decoder.keep_alive_s, "commands": _hex(commands)}
    return {
        "device": device,
        "gatt": asdict(gatt),
        "channels": channels_of(gatt),
        "start": _hex(decoder.start_commands()),
        "stop": _hex(decoder.stop_commands()),
        "keep_alive": keep_alive,
    }


def welcome(device_profile: Mapping[str, object], next_number: int) -> str:
    """The answer to a hello.

    next_number: records below it have arrived; the page forgets them and sends the rest again.
    """
    head = {"type": "welcome", "version": VERSION, "next": next_number}
    return json.dumps(head | dict(device_profile))


def ack(next_number: int) -> str:
    """Records below this number have arrived."""
    return json.dumps({"type": "ack", "next": next_number})


def write(command: bytes) -> str:
    """Bytes that the page is to write to the control characteristic."""
    return json.dumps({"type": "write", "hex": command.hex()})


def _number(fields: Mapping[str, object], name: str) -> int:
    field = fields.get(name)
    if isinstance(field, int) and not isinstance(field, bool) and 0 <= field <= NUMBER_MAX:
        return field
    raise BridgeProtocolError(f"{name} must be a number from 0 to {NUMBER_MAX}")


def _hex(commands: tuple[bytes, ...]) -> list[str]:
    return [command.hex() for command in commands]


def _object(text: str) -> dict[str, object]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BridgeProtocolError("a text message must be JSON") from error
    if not isinstance(fields, dict):
        raise BridgeProtocolError("a text message must be a JSON object")
    return fields


def _records(data: bytes, channels: tuple[str, ...]) -> Iterator[Record]:
    at = HEADER.size
    while at < len(data):
        if at + RECORD.size > len(data):
            raise BridgeProtocolError("a batch ends within a record")
        number, page_ms, kind, channel, length = RECORD.unpack_from(data, at)
        at += RECORD.size
        content = data[at : at + length]
        at += length
        if len(content) < length:
            raise BridgeProtocolError("a batch ends within a record")
        yield Record(number, _clock_ns(page_ms), *_meaning(kind, channel, channels), content)


def _meaning(kind: int, channel: int, channels: tuple[str, ...]) -> tuple[Kind, str]:
    if kind not in Kind.__members__.values():
        raise BridgeProtocolError(f"a record has the unknown kind {kind}")
    if kind != Kind.NOTIFICATION:
        return Kind(kind), ""
    if channel >= len(channels):
        raise BridgeProtocolError(f"a record has the unknown channel {channel}")
    return Kind.NOTIFICATION, channels[channel]


def _clock_ns(clock_ms: float) -> int:
    if not (math.isfinite(clock_ms) and 0 <= clock_ms <= CLOCK_MS_MAX):
        raise BridgeProtocolError("a page clock must be milliseconds from 0 to 1e12")
    return round(clock_ms * NS_PER_MS)
