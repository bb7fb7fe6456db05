"""Brokers that run the configuration files that ship with the package, paths and ports replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.certificates import Identity, issue
from tests.edge.mosquitto.client import Client
from tests.mosquitto import HOST, Mosquitto, own_port

PEOPLE = ("reader", "commands", "homeassistant")
SHIPPED = Path(str(files("edge") / "mosquitto"))

needs_mosquitto_passwd = pytest.mark.skipif(
    not shutil.which("mosquitto_passwd"), reason="needs mosquitto_passwd (apt install mosquitto)"
)


class ShippedBroker(Mosquitto):
    """A broker on one of the shipped files.

    replaced: text of the file to what stands there instead; every one must occur.
    """

    def __init__(self, name: str, port: int, replaced: dict[str, str]) -> None:
        super().__init__(port=port, durable=True)
        self._name = name
        self._replaced = {"/var/lib/mosquitto": str(self.folder), **replaced}

    def _config(self) -> str:
        text = (SHIPPED / self._name).read_text(encoding="utf-8")
        for old, new in self._replaced.items():
            assert old in text, f"{self._name} has no {old!r}"
            text = text.replace(old, new)
        root = "user root\n" if os.geteuid() == 0 else ""
        return f"{text}\n{root}log_dest stderr\nlog_type information\n"


class Ward:
    """The shipped main broker with its authority, certificates and passwords in a folder.

    Every password is the user's name.
    """

    def __init__(self, folder: Path, *services: str) -> None:
        self.authority = issue(folder, "ca")
        issue(folder, "server", self.authority)
        self.services: dict[str, Identity] = {
            name: issue(folder, name, self.authority) for name in services
        }
        shutil.copy(SHIPPED / "edge.acl", folder)
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        for name in PEOPLE:
            subprocess.run(["mosquitto_passwd", "-b", passwords, name, name], check=True)
        self.port, self.people_port = own_port(), own_port()
        self.broker = ShippedBroker(
            "edge.conf",
            self.port,
            {
                "/etc/mosquitto/edge": str(folder),
                "listener 8883": f"listener {self.port} {HOST}",
                "listener 8884": f"listener {self.people_port} {HOST}",
            },
        )

    def service(self, name: str) -> Client:
        """A connection as this service's certificate has it."""
        return Client(self.port, self.authority, certificate=self.services[name])

    def person(self, name: str, session: str = "") -> Client:
        """A connection with this user name and its password."""
        return Client(self.people_port, self.authority, name=name, session=session)
