"""Bluetooth in memory: a radio, and bleak's client and scanner on it.

Bumble's host, controller and link layer are real; only the air is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, Peer
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

MTU = 232


def long_uuid(uuid: UUID) -> str:
    text = uuid.to_hex_str("-").lower()
    return text if len(text) == 36 else f"0000{text}-0000-1000-8000-00805f9b34fb"


class Radio:
    """The air between devices in one event loop."""

    def __init__(self) -> None:
        self._link = LocalLink()

    def device(self, name: str, address: str) -> Device:
        controller = Controller(name, link=self._link, public_address=address)
        host = Host()
        host.controller = controller
        controller.host = AsyncPipeSink(host)
        return Device(name=name, address=Address(address), host=host)


def backends(
    central: Device, mtu: int = MTU
) -> tuple[type[BaseBleakClient], type[BaseBleakScanner]]:
    """bleak's backend classes for one central device."""

    class Client(_Client):
        device = central
        wanted_mtu = mtu

    class Scanner(_Scanner):
        device = central

    return Client, Scanner


class _Scanner(BaseBleakScanner):
    device: Device

    def __init__(self, detection_callback: Any, service_uuids: Any, *_: Any, **__: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self.seen_devices = {}
        self.device.on("advertisement", self._seen)
        await self.device.start_scanning(filter_duplicates=False)

    async def stop(self) -> None:
        await self.device.stop_scanning()
        self.device.remove_listener("advertisement", self._seen)

    def _seen(self, advertisement: Any) -> None:
        kind = AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
        services = [long_uuid(uuid) for found in advertisement.data.get_all(kind) for uuid in found]
        name = advertisement.data.get(AdvertisingData.COMPLETE_LOCAL_NAME)
        address = advertisement.address
        data = AdvertisementData(name, {}, {}, services, None, advertisement.rssi, ())
        key = address.to_string(False)
        device = self.create_or_update_device(key, key, name, address, data)
        self.call_detection_callbacks(device, data)


class _Client(BaseBleakClient):
    device: Device
    wanted_mtu: int

    def __init__(self, address_or_device: Any, **options: Any) -> None:
        super().__init__(address_or_device, **options)
        self._address = address_or_device.details
        self._connection: Connection | None = None
        self._callbacks: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection else 23

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool = False, **_: Any) -> None:
        self._connection = await self.device.connect(self._address, timeout=5)
        self._connection.on("disconnection", self._disconnected)
        peer = Peer(self._connection)
        await peer.request_mtu(self.wanted_mtu)
        await peer.discover_all()
        self.services = self._collection(peer)

    async def disconnect(self) -> None:
        if self._connection:
            await self._connection.disconnect()

    async def pair(self, *_: Any, **__: Any) -> None:
        raise BleakError("this radio does not pair")

    async def unpair(self) -> None:
        raise BleakError("this radio does not pair")

    async def read_gatt_char(self, characteristic: Any, **_: Any) -> bytearray:
        return bytearray(await characteristic.obj.read_value())

    async def read_gatt_descriptor(self, descriptor: Any, **_: Any) -> bytearray:
        raise BleakError("this radio knows no descriptors")

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        if self._connection is None:
            raise BleakError("not connected")
        await characteristic.obj.write_value(bytes(data), with_response=response)

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        raise BleakError("this radio knows no descriptors")

    async def start_notify(self, characteristic: Any, callback: Any, **_: Any) -> None:
        def forward(value: bytes) -> None:
            callback(bytearray(value))

        self._callbacks[characteristic.handle] = forward
        prefer = "notify" in characteristic.properties
        await characteristic.obj.subscribe(forward, prefer_notify=prefer)

    async def stop_notify(self, characteristic: Any) -> None:
        await characteristic.obj.unsubscribe(self._callbacks.pop(characteristic.handle))

    def _disconnected(self, _: Any) -> None:
        self._connection = None
        if self._disconnected_callback:
            self._disconnected_callback()

    def _collection(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        names = {2: "read", 4: "write-without-response", 8: "write", 16: "notify", 32: "indicate"}
        for service in peer.services:
            known = BleakGATTService(service, service.handle, long_uuid(service.uuid))
            collection.add_service(known)
            for found in service.characteristics:
                flags = [name for bit, name in names.items() if found.properties & bit]
                collection.add_characteristic(
                    BleakGATTCharacteristic(
                        found,
                        found.handle,
                        long_uuid(found.uuid),
                        flags,
                        lambda: self.mtu_size - 3,
                        known,
                    )
                )
        return collection
