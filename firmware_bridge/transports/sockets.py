"""TCP sockets for the transports: addresses, connecting, listening, and their faults in words."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket
import struct
from dataclasses import dataclass

from firmware_bridge.errors import SourceError, SourceUriError, TransientSourceError
from firmware_bridge.source_uri import redact

__all__ = [
    "BACKLOG",
    "Endpoint",
    "connect",
    "hang_up",
    "limit_waits",
    "listen",
    "notice_dead_peer",
    "peer_address",
]

KEEP_ALIVE_IDLE_S = 5
KEEP_ALIVE_INTERVAL_S = 3
KEEP_ALIVE_PROBES = 3
UNACKNOWLEDGED_MS = 15_000
"""A peer that vanished is noticed after 5 + 3 * 3 s of silence, or 15 s after a write."""
BACKLOG = 64


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host (name, IPv4 or IPv6 address) and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, scheme: str) -> Endpoint:
        """From `host:port` or `[::1]:port`. Raises SourceUriError."""
        matched = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([^\[\]:/@\s]+)):(\d{1,5})", text)
        if matched is None:
            raise SourceUriError(
                f"{redact(f'{scheme}://{text}')} names no host and port; "
                f"write {scheme}://192.168.1.5:9000 or {scheme}://[fe80::1]:9000"
            )
        if int(matched[3]) > 65_535:
            raise SourceUriError(f"{scheme}: there is no port {matched[3]}; the highest is 65535")
        return cls(matched[1] or matched[2], int(matched[3]))

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine only; of names, `localhost` alone."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    @property
    def is_every_interface(self) -> bool:
        """Whether it stands for all addresses of this machine."""
        return self.host in ("0.0.0.0", "::")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def connect(to: Endpoint, timeout_s: float) -> socket.socket:
    """A connection, small packets sent at once and a dead peer noticed.

    Raises SourceError for a host that nobody knows, TransientSourceError for one that does not
    answer or refuses: its program may start later.
    """
    try:
        opened = socket.create_connection((to.host, to.port), timeout_s)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise TransientSourceError(
                f"{to}: the name {to.host} cannot be looked up now; is the network up?"
            ) from error
        raise SourceError(f"{to}: no host is called {to.host}; is it spelt right?") from error
    except (OSError, UnicodeError) as error:
        raise _connect_error(to, error) from error
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    notice_dead_peer(opened)
    return opened


def listen(at: Endpoint) -> socket.socket:
    """A listening socket; `[::]` takes IPv4 too. Raises SourceError that names the fault."""
    try:
        found = socket.getaddrinfo(
            at.host, at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        both = at.host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except socket.gaierror as error:
        raise SourceError(f"{at}: {at.host} is no address of this machine") from error
    except (OSError, UnicodeError) as error:
        raise _listen_error(at, error) from error


def notice_dead_peer(connection: socket.socket) -> None:
    """Let the kernel find out when a peer is gone without a word (phone out of its network)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEP_ALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEP_ALIVE_PROBES),
        ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_MS),
    ):
        if hasattr(socket, option):  # not every system has all of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def limit_waits(connection: socket.socket, read_s: float, write_s: float) -> None:
    """Let the kernel end a `recv` or `send` that lasts longer, with BlockingIOError.

    Python's own timeout takes two calls for each, and the interpreter's lock anew after both, for
    which hundreds of threads then queue.
    """
    connection.setblocking(True)
    for option, limit_s in ((socket.SO_RCVTIMEO, read_s), (socket.SO_SNDTIMEO, write_s)):
        limit_us = max(1000, round(limit_s * 1e6))  # 0 would be for ever
        timeval = struct.pack("@ll", *divmod(limit_us, 1_000_000))
        connection.setsockopt(socket.SOL_SOCKET, option, timeval)


def peer_address(connection: socket.socket) -> str:
    """IP address of the other side; empty if it is gone."""
    with contextlib.suppress(OSError):
        return str(connection.getpeername()[0])
    return ""


def hang_up(connection: socket.socket) -> None:
    """Close a connection; a `recv` under way in another thread returns."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _connect_error(to: Endpoint, error: Exception) -> SourceError:
    number = getattr(error, "errno", None)
    if isinstance(error, UnicodeError):
        return SourceError(f"{to}: {to.host!r} is no name of a host")
    if number == errno.ECONNREFUSED:
        return TransientSourceError(
            f"{to} refuses: the machine is there, but no program listens on port {to.port}"
        )
    if isinstance(error, TimeoutError):
        return TransientSourceError(f"{to} does not answer; is it on, and in this network?")
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return TransientSourceError(f"{to} is out of reach from this network")
    return TransientSourceError(f"{to}: {getattr(error, 'strerror', None) or error}")


def _listen_error(at: Endpoint, error: Exception) -> SourceError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return SourceError(
            f"{at}: port {at.port} is in use by another program; close it or take another port"
        )
    if number == errno.EADDRNOTAVAIL:
        return SourceError(f"{at}: {at.host} is no address of this machine; 0.0.0.0 is all of them")
    if number in (errno.EACCES, errno.EPERM):
        return SourceError(f"{at}: no permission for port {at.port}; take one above 1023")
    return SourceError(f"{at}: cannot listen: {getattr(error, 'strerror', None) or error}")
