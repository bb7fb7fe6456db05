"""Straps for the radio in memory: a Polar H10, a Movesense and a plain heart rate strap.

Each answers as its protocol says and sends the notifications it was given; faults are its methods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

BATTERY = "2A19"
HEART_RATE = "2A37"
PMD = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
PMD_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
PMD_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
GSP = "34802252-7185-4d5d-b431-630e7050e8f0"
GSP_WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
GSP_NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"

START_ECG = bytes.fromhex("02 00 00 01 82 00 01 01 0e 00")
STOP_ECG = bytes.fromhex("03 00")
ONE_BATTERY = b"\x57"
ADVERTISING_MS = 20

FLAGS = Characteristic.Properties
READ, WRITE = Characteristic.Permissions.READABLE, Characteristic.Permissions.WRITEABLE
NOTHING = Characteristic.Permissions(0)


class VirtualStrap:
    """What all straps have: a name, a battery, device information, and who wears them.

    payloads: notifications that a start makes it send, once each time. commands: what was written
    to it. silent: it starts and sends nothing.
    """

    name = "strap"
    advertised = ("180d",)

    def __init__(self, device: Device, payloads: Sequence[bytes]) -> None:
        self._device = device
        self._payloads = list(payloads)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.commands: list[bytes] = []
        self.silent = False
        self._in_reach = False
        device.on("connection", self._connected)
        self._battery = _notifying(BATTERY, ONE_BATTERY)
        device.add_services([*self.services(), *self._besides()])

    def _besides(self) -> list[Service]:
        facts = {"2A29": b"Maker\0", "2A24": self.name.encode() + b"\0", "2A26": b"5.0.0"}
        information = [Characteristic(UUID(key), FLAGS.READ, READ, facts[key]) for key in facts]
        return [Service(UUID("180F"), [self._battery]), Service(UUID("180A"), information)]

    def services(self) -> list[Service]:
        """The services of its own."""
        return []

    async def advertise(self) -> None:
        """Switch on, within reach."""
        kinds = AdvertisingData
        uuids = b"".join(bytes.fromhex(each)[::-1] for each in self.advertised)
        parts = [
            (kinds.COMPLETE_LOCAL_NAME, self.name.encode()),
            (kinds.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, uuids),
        ]
        self._device.advertising_data = bytes(AdvertisingData(parts))
        await self._device.power_on()
        await self.come_back()

    async def come_back(self) -> None:
        """Be in reach again."""
        self._in_reach = True
        if not self._device.is_advertising and not self._device.connections:
            await self._device.start_advertising(
                auto_restart=False,
                advertising_interval_min=ADVERTISING_MS,
                advertising_interval_max=ADVERTISING_MS,
            )

    async def walk_away(self) -> None:
        """Lose the link, as by supervision timeout; it advertises again at once."""
        for connection in list(self._device.connections.values()):
            await connection.disconnect(0x13)

    async def vanish(self) -> None:
        """Lose the link, and advertise no more."""
        self._in_reach = False
        if self._device.is_advertising:
            await self._device.stop_advertising()
        await self.walk_away()

    def _connected(self, connection: Connection) -> None:
        connection.on("disconnection", lambda _: self.soon(self._back_to_advertising()))

    async def _back_to_advertising(self) -> None:
        if self._in_reach:
            await self.come_back()

    async def die(self) -> None:
        """Tell of the empty battery and be gone."""
        await self._device.notify_subscribers(self._battery, b"\x01")
        await self.vanish()

    async def send(self) -> None:
        """Send the payloads."""
        raise NotImplementedError

    def soon(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it once the stack has finished with what it does now."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class VirtualH10(VirtualStrap):
    """Polar H10: PMD control point and data, heart rate with contact.

    smallest_mtu: below it every command is refused with status 10.
    """

    name = "Polar H10 8AA87D20"
    advertised = ("180d", "feee")

    def __init__(self, device: Device, payloads: Sequence[bytes], smallest_mtu: int = 70) -> None:
        self.heart_rate = b"\x16\x48\x40\x03"
        self.refusal = 0
        self._smallest_mtu = smallest_mtu
        self._control = Characteristic(
            UUID(PMD_CONTROL),
            FLAGS.READ | FLAGS.WRITE | FLAGS.INDICATE,
            READ | WRITE,
            CharacteristicValue(read=lambda _: b"\x0f\x05" + bytes(15), write=self._commanded),
        )
        self._data = Characteristic(UUID(PMD_DATA), FLAGS.NOTIFY, NOTHING, b"")
        self._rate = Characteristic(UUID(HEART_RATE), FLAGS.NOTIFY, NOTHING, b"")
        super().__init__(device, payloads)

    def services(self) -> list[Service]:
        return [
            Service(UUID(0x180D), [self._rate]),
            Service(UUID(PMD), [self._control, self._data]),
        ]

    async def send(self) -> None:
        for payload in self._payloads:
            await self._device.notify_subscribers(self._rate, self.heart_rate)
            await self._device.notify_subscribers(self._data, payload)

    async def tell(self, data: bytes) -> None:
        """Send one data notification."""
        await self._device.notify_subscribers(self._data, data)

    def _commanded(self, connection: Connection, command: bytes) -> None:
        self.commands.append(bytes(command))
        reply = self._reply(connection, command)
        self.soon(self._device.indicate_subscribers(self._control, reply))

    def _reply(self, connection: Connection, command: bytes) -> bytes:
        if connection.att_mtu < self._smallest_mtu:
            return bytes([0xF0, *command[:2], 10])
        if command == START_ECG:
            if not self.silent and not self.refusal:
                self.soon(self.send())
            return bytes([0xF0, *command[:2], self.refusal, 0])
        known = command[:2] in (STOP_ECG, START_ECG[:2])
        return bytes([0xF0, *command[:2], 0 if known and command == STOP_ECG else 5, 0])


class VirtualMovesense(VirtualStrap):
    """Movesense with the GATT SensorData app: a subscription is a path, data carry its number.

    payloads: what follows the number in a data notification.
    """

    name = "Movesense 174630000192"
    advertised = ("fdf3",)

    def __init__(self, device: Device, payloads: Sequence[bytes]) -> None:
        self._write = Characteristic(
            UUID(GSP_WRITE), FLAGS.WRITE, WRITE, CharacteristicValue(write=self._commanded)
        )
        self._notify = Characteristic(UUID(GSP_NOTIFY), FLAGS.NOTIFY, NOTHING, b"")
        self._reference = 0
        super().__init__(device, payloads)

    def services(self) -> list[Service]:
        return [Service(UUID(GSP), [self._write, self._notify])]

    async def send(self) -> None:
        for payload in self._payloads:
            notification = bytes([2, self._reference]) + payload
            await self._device.notify_subscribers(self._notify, notification)

    def _commanded(self, _: Connection, command: bytes) -> None:
        self.commands.append(bytes(command))
        self.soon(self._answer(bytes(command)))

    async def _answer(self, command: bytes) -> None:
        subscribes = command[:1] == b"\x01" and command[2:].startswith(b"/Meas/ECG/")
        status = 200 if subscribes or command[:1] in (b"\x02", b"\x04", b"\x06") else 404
        reply = bytes([1, *command[1:2]]) + status.to_bytes(2, "little")
        await self._device.notify_subscribers(self._notify, reply)
        if subscribes and not self.silent:
            self._reference = command[1]
            await self.send()


class VirtualHeartRateStrap(VirtualStrap):
    """A strap with the Heart Rate service alone, which sends as soon as somebody subscribes."""

    name = "HRM 1234"
    advertised = ("180d",)

    def __init__(self, device: Device, payloads: Sequence[bytes]) -> None:
        self._rate = Characteristic(UUID(HEART_RATE), FLAGS.NOTIFY, NOTHING, b"")
        self._rate.on("subscription", self._subscribed)
        super().__init__(device, payloads)

    def services(self) -> list[Service]:
        return [Service(UUID(0x180D), [self._rate])]

    async def send(self) -> None:
        for payload in self._payloads:
            await self._device.notify_subscribers(self._rate, payload)

    def _subscribed(self, _: Connection, notify: bool, __: bool) -> None:
        if notify and not self.silent:
            self.soon(self.send())


class VirtualBareStrap(VirtualHeartRateStrap):
    """One that has nothing besides, so that connecting to it is quick."""

    def _besides(self) -> list[Service]:
        return []


def _notifying(uuid: str, value: bytes) -> Characteristic[bytes]:
    return Characteristic(UUID(uuid), FLAGS.READ | FLAGS.NOTIFY, READ, value)
