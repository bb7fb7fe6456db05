"""Which devices are in reach: serial ports and Bluetooth LE peripherals."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from firmware_bridge.devices import decoder_names, make_decoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import GattDevice

__all__ = ["Reachable", "known_by_name", "scan_ble", "scan_serial"]


@dataclass(frozen=True, slots=True)
class Reachable:
    """A device in reach.

    uri: opens it. device: the decoder that its advertised name stands for, empty where unknown.
    rssi_dbm: received signal strength, None on a wire.
    """

    uri: str
    name: str
    device: str = ""
    rssi_dbm: int | None = None


def scan_serial() -> tuple[Reachable, ...]:
    """The serial ports of this machine."""
    from serial.tools import list_ports

    ports = sorted(list_ports.comports(), key=lambda port: port.device)
    return tuple(Reachable(f"serial://{port.device}", port.description) for port in ports)


def scan_ble(duration_s: float = 5.0) -> tuple[Reachable, ...]:
    """The peripherals that advertise now, strongest first.

    Raises SourceError where this machine has no Bluetooth.
    """
    from firmware_bridge.transports.ble_scan import advertisers

    found = []
    for address, name, rssi_dbm in advertisers(duration_s):
        device = known_by_name(name)
        option = f"?device={device}" if device else ""
        found.append(Reachable(f"ble://{address}{option}", name, device, rssi_dbm))
    return tuple(sorted(found, key=lambda item: -(item.rssi_dbm or 0)))


def known_by_name(name: str) -> str:
    """The decoder for a peripheral that advertises this name; empty where there is none."""
    for device in decoder_names():
        try:
            decoder = make_decoder(device)
        except (SourceUriError, TypeError):  # of another package, broken or in need of options
            continue
        pattern = decoder.gatt.name.lower() if isinstance(decoder, GattDevice) else "*"
        if pattern != "*" and fnmatch.fnmatchcase(name.lower(), pattern):
            return device
    return ""
