"""Finding Bluetooth LE peripherals by what they advertise."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.uuids import normalize_uuid_str

from firmware_bridge.transports.ble_loop import BleLoop, finish, shared_loop

__all__ = ["Advertiser", "BleTarget", "advertisers"]

ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class BleTarget:
    """Which peripheral is meant; empty fields match any.

    address: as the system gives it. name: shell pattern for the advertised name, case ignored.
    service: UUID of an advertised service, 4 or 36 characters.
    """

    address: str = ""
    name: str = ""
    service: str = ""

    def matches(self, device: BLEDevice, seen: AdvertisementData) -> bool:
        """Whether an advertisement comes from the peripheral meant."""
        name = (seen.local_name or device.name or "").lower()
        return (
            self.address.lower() in ("", device.address.lower())
            and fnmatch.fnmatchcase(name, self.name.lower() or "*")
            and (not self.service or normalize_uuid_str(self.service) in seen.service_uuids)
        )

    def __str__(self) -> str:
        words = (self.address, self.name, self.service and f"service {self.service}")
        return " ".join(filter(None, words)) or "any peripheral"


@dataclass(frozen=True, slots=True)
class Advertiser:
    """A peripheral as it advertises. services: UUIDs of 36 characters, lower case."""

    address: str
    name: str
    rssi_dbm: int
    services: tuple[str, ...] = ()


def advertisers(duration_s: float, *, loop: BleLoop | None = None) -> list[Advertiser]:
    """The peripherals that advertise now.

    Raises SourceError where this machine has no Bluetooth.
    """
    loop = loop or shared_loop()
    seen_by_address: dict[str, Advertiser] = {}

    def note(device: BLEDevice, seen: AdvertisementData) -> bool:
        name = seen.local_name or device.name or ""
        services = tuple(seen.service_uuids)
        found = Advertiser(device.address, name, seen.rssi, services)
        seen_by_address[device.address] = found
        return False

    finish(loop.submit(loop.radio.find(note, duration_s)), duration_s + ANSWER_S, "scan")
    return list(seen_by_address.values())
