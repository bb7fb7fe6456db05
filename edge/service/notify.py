"""What a service is to tell systemd, over the datagram socket of `sd_notify(3)`."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from firmware_bridge.stream import NS_PER_S

__all__ = ["Notifier"]

SEND_S = 1.0
"""A manager that takes nothing for so long is not waited for."""
MOST_CHARACTERS = 1024


class Notifier:
    """Talks to the service manager, where there is one. Any thread may call any method.

    environment: holds NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        address = self._environment.get("NOTIFY_SOCKET", "")
        abstract = address.startswith("@")
        self._address = f"\0{address[1:]}" if abstract else address

    @property
    def present(self) -> bool:
        """Whether a service manager listens."""
        return self._address[:1] in ("/", "\0")

    @property
    def watchdog_s(self) -> float | None:
        """How long the manager does without `watchdog` until it ends the process; None for ever."""
        usec = self._environment.get("WATCHDOG_USEC", "")
        pid = self._environment.get("WATCHDOG_PID", str(os.getpid()))
        if not usec.isdecimal() or int(usec) == 0 or pid != str(os.getpid()):
            return None
        return int(usec) / 1e6

    def ready(self) -> None:
        """The service runs, or runs on after a reload."""
        self._send("READY=1")

    def reloading(self, monotonic_ns: int) -> None:
        """A reload began at this monotonic time; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns * 1_000_000 // NS_PER_S}")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """All is well."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())[:MOST_CHARACTERS]}")

    def _send(self, text: str) -> None:
        if not self.present:
            return
        with (
            contextlib.suppress(OSError),  # nobody is left to tell
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.settimeout(SEND_S)
            sender.sendto(text.encode(), self._address)
