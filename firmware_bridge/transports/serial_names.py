"""Serial ports by the names that they keep, and what their adapters say of themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

__all__ = ["about_port", "lasting_name", "ports", "ports_in_reach"]

BY_ID = Path("/dev/serial/by-id")
TTY_CLASS = Path("/sys/class/tty")


def ports() -> list[ListPortInfo]:
    """The serial ports of this machine, sorted by device."""
    return sorted(list_ports.comports(), key=lambda port: port.device)


def lasting_name(device: str) -> str:
    """The name under `/dev/serial/by-id`, which stays over unplugging; else the device itself."""
    with contextlib.suppress(OSError):
        target = Path(device).resolve()
        for link in sorted(BY_ID.iterdir()):
            if link.resolve() == target:
                return str(link)
    return device


def ports_in_reach() -> str:
    """One phrase for messages."""
    names = [lasting_name(port.device) for port in ports()]
    return f"ports in reach: {', '.join(names)}" if names else "there is no serial port in reach"


def about_port(device: str) -> Mapping[str, str]:
    """What the USB adapter of a port says of itself, by name; empty where it is no USB."""
    target = str(Path(device).resolve())
    info = next((port for port in ports() if port.device == target), None)
    facts = {
        "manufacturer": getattr(info, "manufacturer", None),
        "model": getattr(info, "product", None),
        "serial number": getattr(info, "serial_number", None),
        "latency timer": _latency_timer(target),
    }
    return {name: text for name, text in facts.items() if text}


def _latency_timer(device: str) -> str:
    """For how long an FTDI adapter holds bytes back, empty for others."""
    with contextlib.suppress(OSError):
        held_ms = (TTY_CLASS / Path(device).name / "device" / "latency_timer").read_text().strip()
        return f"{held_ms} ms"
    return ""
