"""Finding Bluetooth LE peripherals by what they advertise."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.uuids import normalize_uuid_str

from firmware_bridge.transports.ble_loop import BleLoop, finish, shared_loop

__all__ = ["BleTarget", "advertisers"]

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


def advertisers(
    duration_s: float,
    *,
    loop: BleLoop | None = None,
    scanner: type[BaseBleakScanner] | None = None,
) -> list[tuple[str, str, int]]:
    """Address, name and signal strength in dBm of the peripherals that advertise now.

    Raises SourceError where this machine has no Bluetooth.
    """
    loop = loop or shared_loop()
    options: dict[str, Any] = {"backend": scanner} if scanner else {}

    async def discover() -> list[tuple[str, str, int]]:
        async with loop.radio:
            found = await BleakScanner.discover(timeout=duration_s, return_adv=True, **options)
        return [(d.address, a.local_name or d.name or "", a.rssi) for d, a in found.values()]

    return finish(loop.submit(discover()), duration_s + ANSWER_S, "scan")
