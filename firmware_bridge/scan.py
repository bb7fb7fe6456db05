"""Which devices are in reach: serial ports and Bluetooth LE peripherals."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firmware_bridge.devices import decoder_names, make_decoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder, GattDevice, GattProfile, SerialDevice

__all__ = ["Reachable", "known_by", "scan_ble", "scan_serial", "serial_devices"]


@dataclass(frozen=True, slots=True)
class Reachable:
    """A device in reach.

    uri: opens it. device: the decoder that fits what it advertises, empty where unknown.
    rssi_dbm: received signal strength, None on a wire.
    """

    uri: str
    name: str
    device: str = ""
    rssi_dbm: int | None = None


def scan_serial() -> tuple[Reachable, ...]:
    """The serial ports of this machine, by the names that they keep."""
    from firmware_bridge.transports.serial_names import lasting_name, ports

    return tuple(
        Reachable(f"serial://{lasting_name(port.device)}", port.description) for port in ports()
    )


def serial_devices() -> tuple[str, ...]:
    """Names of the decoders that read a serial port."""
    return tuple(name for name, made in _decoders() if _is_wired(made))


def scan_ble(duration_s: float = 5.0) -> tuple[Reachable, ...]:
    """The peripherals that advertise now: those that a decoder fits first, then the strongest.

    Raises SourceError where this machine has no Bluetooth.
    """
    from firmware_bridge.transports.ble_scan import advertisers

    profiles = {name: made.gatt for name, made in _decoders() if isinstance(made, GattDevice)}
    found = []
    for seen in advertisers(duration_s):
        device = known_by(seen.name, seen.services, profiles)
        option = f"?device={device}" if device else ""
        uri = f"ble://{seen.address}{option}"
        found.append(Reachable(uri, seen.name, device, seen.rssi_dbm))
    return tuple(sorted(found, key=lambda item: (not item.device, -(item.rssi_dbm or 0))))


def known_by(name: str, services: Sequence[str], profiles: dict[str, GattProfile]) -> str:
    """The decoder for what a peripheral advertises, its name before its services; else empty."""
    for device, gatt in profiles.items():
        if gatt.name != "*" and fnmatch.fnmatchcase(name.lower(), gatt.name.lower()):
            return device
    for device, gatt in profiles.items():
        if gatt.advertised and gatt.advertised in services:
            return device
    return ""


def _decoders() -> Iterator[tuple[str, Decoder]]:
    for name in decoder_names():
        try:
            yield name, make_decoder(name)
        except (SourceUriError, TypeError):  # of another package, broken or in need of options
            continue


def _is_wired(decoder: Decoder) -> bool:
    return isinstance(decoder, SerialDevice) or not isinstance(decoder, GattDevice)
