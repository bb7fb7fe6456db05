"""Where and how to publish: the `[mqtt]` table of the configuration. Imports no MQTT client."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from edge.messages import Topics

DEFAULT_PORT = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the broker listens. username: from the URL, empty where it names none."""

    host: str
    port: int
    tls: bool
    username: str

    @property
    def loopback(self) -> bool:
        """Whether the broker runs on this machine, so that nothing travels a network."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


class MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Connection to the broker; without a URL nothing is published.

    url: `mqtt://[user@]host[:port]` or `mqtts://…` for TLS. A password never stands here.
    plaintext: accept `mqtt://` to another machine, where everybody on the way can read and forge.
    base: topics begin with it.
    client_id: empty for `edge-<host>-<8 hex digits of the outbox path>`, the same on every start.
    password_file: its first line is the password; read anew at each connection.
    ca_file: PEM file of the only authorities to trust; empty for the system's.
    cert_file, key_file: PEM files by which this client identifies itself.
    protocol: 5, or 311 for a broker that speaks MQTT 3.1.1 only.
    keepalive_s: silence after which either end takes the connection for dead, in seconds.
    strip_image: publish the newest strip as a picture, too, which needs the extra `strips`.
    """

    url: str = "mqtt://localhost"
    plaintext: bool = False
    base: str = "edge"
    client_id: Annotated[str, msgspec.Meta(max_length=64)] = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    protocol: Literal[5, 311] = 5
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=600)] = 15
    strip_image: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError that names the field and what it should be."""
        endpoint = parse_url(self.url)
        if not (endpoint.tls or endpoint.loopback or self.plaintext):
            raise ValueError(
                f"url {endpoint} sends patient data over the network unencrypted: begin it with "
                "mqtts://, or accept that with plaintext = true (EDGE__MQTT__PLAINTEXT=true)"
            )
        Topics(self.base)
        files = self.ca_file or self.cert_file or self.key_file
        if files and not endpoint.tls:
            raise ValueError("ca_file, cert_file and key_file need a url that begins with mqtts://")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file without cert_file: name the certificate too")
        if self.password_file and not (self.username or endpoint.username):
            raise ValueError("password_file without a user name: set username")

    @property
    def endpoint(self) -> Endpoint:
        """Host, port and TLS, out of the URL."""
        return parse_url(self.url)

    @property
    def topics(self) -> Topics:
        """The topics below `base`."""
        return Topics(self.base)


def parse_url(url: str) -> Endpoint:
    """The endpoint that a URL names. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORT:
        raise ValueError(f"url {_without_secret(url)!r}: expected mqtt://host or mqtts://host")
    if parts.password is not None:
        raise ValueError("url holds a password, which others can read: use password_file")
    if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"url {url!r}: expected mqtt[s]://[user@]host[:port] and nothing else")
    try:
        port = DEFAULT_PORT[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"url {url!r}: the port must be a number from 1 to 65535")
    return Endpoint(parts.hostname, port, parts.scheme == "mqtts", unquote(parts.username or ""))


def _without_secret(url: str) -> str:
    return url.rpartition("@")[2]


__all__ = ["DEFAULT_PORT", "Endpoint", "MqttSettings", "parse_url"]
