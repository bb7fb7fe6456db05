"""What stands in the packets that we send and get, beside the payload."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.publish.inbox import MAX_CORRELATION_BYTES, MAX_PACKET_BYTES, Incoming

JSON = "application/json"
PACKET_MAX, HEADER_MAX = 268_435_455, 1024
"""Bytes: of any packet, by the protocol, and of what may stand before our payload."""
UNACKNOWLEDGED = 16
"""QoS 1 messages that an MQTT 5 broker may send us before our acknowledgement of the first. The
publisher listens at QoS 0, which has no such limit."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One publish. expiry_s: after which nobody wants it; None for never. content_type: a MIME
    type; what is not JSON counts as bytes, not text.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    expiry_s: int | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    correlation_data: bytes = b""
    response_topic: str = ""
    content_type: str = JSON


def connect_properties(packet_max: int = MAX_PACKET_BYTES) -> Properties:
    """What an MQTT 5 broker is told of us: how much we take. packet_max: bytes of one packet."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = packet_max
    properties.ReceiveMaximum = UNACKNOWLEDGED
    return properties


def payload_maximum(connack: Properties | None) -> int:
    """Bytes of payload that the broker takes: it ends the connection where a packet is larger."""
    return int(getattr(connack, "MaximumPacketSize", PACKET_MAX)) - HEADER_MAX


def publish_properties(message: Outgoing) -> Properties:
    """The MQTT 5 properties of a message, not to be changed: messages alike share them."""
    if message.correlation_data:
        return _of_message(message, PacketTypes.PUBLISH)
    return _shared(
        *(message.expiry_s, message.user_properties),
        *(message.response_topic, message.content_type),
    )


def will_properties(will: Outgoing) -> Properties:
    """The MQTT 5 properties of a last will."""
    return _of_message(will, PacketTypes.WILLMESSAGE)


def incoming(message: MQTTMessage) -> Incoming:
    """A message to us. Raises UnicodeDecodeError where its topic is no text."""
    asked = message.properties
    correlation = bytes(getattr(asked, "CorrelationData", b""))
    return Incoming(
        message.topic,
        bytes(message.payload),
        message.retain,
        str(getattr(asked, "ResponseTopic", "")),
        correlation if len(correlation) <= MAX_CORRELATION_BYTES else b"",
    )


class _Packed(Properties):
    """Properties of which the bytes are made once: paho makes them anew for each message, which
    takes it longer than all else that it does to publish."""

    _bytes: bytes

    def __init__(self, properties: Properties) -> None:
        vars(self).update(vars(properties), _bytes=properties.pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        """As they go over the wire."""
        return self._bytes


@lru_cache(maxsize=64)
def _shared(
    expiry_s: int | None,
    user_properties: tuple[tuple[str, str], ...],
    response_topic: str,
    content_type: str,
) -> Properties:
    alike = Outgoing(
        "",
        b"",
        0,
        expiry_s=expiry_s,
        user_properties=user_properties,
        response_topic=response_topic,
        content_type=content_type,
    )
    return _Packed(_of_message(alike, PacketTypes.PUBLISH))


def _of_message(message: Outgoing, packet: int) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    properties.PayloadFormatIndicator = int(message.content_type == JSON)
    properties.ContentType = message.content_type
    if message.expiry_s is not None:
        properties.MessageExpiryInterval = message.expiry_s
    for pair in message.user_properties:
        properties.UserProperty = pair
    if message.correlation_data:
        properties.CorrelationData = message.correlation_data
    if message.response_topic:
        properties.ResponseTopic = message.response_topic
    return properties


__all__ = [
    "JSON",
    "Outgoing",
    "connect_properties",
    "incoming",
    "payload_maximum",
    "publish_properties",
    "will_properties",
]
