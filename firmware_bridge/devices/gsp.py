"""Messages of Movesense's GATT SensorData Protocol (GSP), version 1: written, told apart, joined.

Command: code, reference (1 to 255, chosen by the client), payload. Answers: code, the same
reference, then a status as of HTTP and data, or data alone, or the rest of data that did not fit
into one notification (movesense.com/docs/esw/gatt_sensordata_protocol).
"""

from __future__ import annotations

from firmware_bridge.devices.tally import Tally

__all__ = [
    "CONTINUATION",
    "DATA",
    "REPLY",
    "Joiner",
    "get",
    "hello",
    "introduction",
    "status",
    "subscribe",
    "unsubscribe",
]

HELLO, SUBSCRIBE, UNSUBSCRIBE, GET = 0, 1, 2, 4
REPLY, DATA, CONTINUATION = 1, 2, 3
HTTP_MAX = 599


def hello(reference: int) -> bytes:
    """Asks the sensor who it is; the only command whose reply has no status."""
    return bytes((HELLO, reference))


def subscribe(reference: int, path: str) -> bytes:
    """Starts a stream; its data carry the reference."""
    return bytes((SUBSCRIBE, reference)) + path.encode("ascii")


def unsubscribe(reference: int) -> bytes:
    """Ends the stream with that reference."""
    return bytes((UNSUBSCRIBE, reference))


def get(reference: int, path: str) -> bytes:
    """Asks for a value once."""
    return bytes((GET, reference)) + path.encode("ascii")


def status(reply: bytes) -> int:
    """The HTTP status of a reply, which has 4 bytes or more.

    Little-endian, but for "507" of the sample application, which sends that one big-endian.
    """
    little = int.from_bytes(reply[2:4], "little")
    return little if little <= HTTP_MAX else int.from_bytes(reply[2:4], "big")


def introduction(reply: bytes) -> dict[str, str]:
    """What the reply to `hello` says of the sensor; empty where it is none.

    A byte with the version of the protocol, then texts that end with 0: serial number, product,
    address of the update mode, application, its version.
    """
    texts = reply[3:].split(b"\0")
    if len(texts) < 5:
        return {}
    serial, product, _, application, version = (
        text.decode("utf-8", "replace").strip() for text in texts[:5]
    )
    said = {
        "model": product,
        "serial number": serial,
        "firmware": f"{application} {version}".strip(),
    }
    return {key: text for key, text in said.items() if text}


class Joiner:
    """Joins the parts of one stream's data; parts that never become whole count as bad.

    size_bytes: of the data of a whole message, reference and code not counted.
    """

    __slots__ = ("_held", "_size_bytes", "_tally")

    def __init__(self, size_bytes: int, tally: Tally) -> None:
        self._size_bytes = size_bytes
        self._tally = tally
        self._held = b""

    def begun(self, data: bytes) -> bytes:
        """Data of a first notification; given back where it is whole, else empty."""
        self.reset()
        if len(data) == self._size_bytes:
            return data
        if 0 < len(data) < self._size_bytes:
            self._held = data
        else:
            self._tally.bad(len(data))
        return b""

    def continued(self, data: bytes) -> bytes:
        """Data of a further notification; all of them joined where that makes them whole."""
        joined = self._held + data
        if not self._held or len(joined) > self._size_bytes:
            self._held = b""
            self._tally.bad(len(joined))
        elif len(joined) < self._size_bytes:
            self._held = joined
        else:
            self._held = b""
            return joined
        return b""

    def reset(self) -> None:
        """Give up what waits for its other part."""
        if self._held:
            self._tally.bad(len(self._held))
        self._held = b""
