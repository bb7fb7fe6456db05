"""A service manager's end of the notification socket."""

from __future__ import annotations

import os
import socket
import time
import uuid
from pathlib import Path

from tests.patience import WAIT_S


class Manager:
    """Listens as systemd does. folder: for the socket; None for an abstract one."""

    def __init__(self, folder: Path | None, watchdog_s: float = 1.0) -> None:
        name = f"edge-{uuid.uuid4().hex[:12]}"
        self._address = f"\0{name}" if folder is None else str(folder / name)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._address)
        self.watchdog_s = watchdog_s
        self.heard: list[dict[str, str]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What it puts into the environment of the service."""
        return {
            "NOTIFY_SOCKET": self._address.replace("\0", "@"),
            "WATCHDOG_USEC": str(int(self.watchdog_s * 1e6)),
        }

    def wait_for(self, name: str, timeout_s: float = WAIT_S) -> dict[str, str]:
        """The next message that has this assignment."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            if name in message:
                return message

    def next(self, timeout_s: float = WAIT_S) -> dict[str, str]:
        """The next message. Raises TimeoutError."""
        self._socket.settimeout(timeout_s)
        text = self._socket.recv(65536).decode()
        message = dict(line.split("=", 1) for line in text.split("\n"))
        self.heard.append(message)
        return message

    def silent_for(self, name: str, seconds: float) -> bool:
        """Whether this assignment stays away for so long."""
        try:
            self.wait_for(name, seconds)
        except TimeoutError:
            return True
        return False

    def forget(self) -> None:
        """Drop what was sent so far."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(65536):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()
        if self._address[0] != "\0":
            Path(self._address).unlink(missing_ok=True)


def service_environment(manager: Manager, folder: Path) -> dict[str, str]:
    """Of a process that runs under this manager and keeps its files in the folder."""
    return {
        **os.environ,
        **manager.environment,
        "XDG_STATE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
