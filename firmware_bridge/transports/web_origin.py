"""From which page a browser's request comes, and by which name it reached this machine."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["is_own_origin", "own_names", "reached_by_own_name"]


def own_names(more: Iterable[str] = ()) -> frozenset[str]:
    """Names by which this machine may be called, lower case."""
    host = socket.gethostname().lower()
    short = host.partition(".")[0]
    return frozenset({"localhost", host, short, f"{short}.local", *(m.lower() for m in more)})


def reached_by_own_name(host_header: str, names: frozenset[str]) -> bool:
    """Whether a Host header is an address or one of our names.

    A foreign name that leads here is DNS rebinding: a web page elsewhere then counts as ours.
    Addresses cannot be rebound.
    """
    if not re.fullmatch(r"[0-9A-Za-z.:_\[\]-]{1,255}", host_header):
        return False
    try:
        name = urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() in names
    return True


def is_own_origin(origin: str, host_header: str) -> bool:
    """Whether an Origin header names the page that this very host serves.

    The scheme may differ: a proxy in front may speak TLS.
    """
    scheme, _, rest = origin.partition("://")
    return scheme in ("http", "https") and rest.lower() == host_header.lower()
