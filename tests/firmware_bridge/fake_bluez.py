"""An org.bluez on a D-Bus of its own, so that bleak's BlueZ backend runs without Bluetooth.

No `annotations` from __future__ here: dbus-fast reads D-Bus signatures from the annotations.
"""
# ruff: noqa: F722, F821, N802

import asyncio
from typing import Any

from dbus_fast import DBusError, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from tests.firmware_bridge.virtual_straps import PMD, PMD_CONTROL, PMD_DATA, START_ECG

BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"
ADAPTER = "/org/bluez/hci0"
DEVICE = f"{ADAPTER}/dev_C4_00_00_00_00_01"
BATTERY_SERVICE = f"{DEVICE}/service000e"
PMD_SERVICE = f"{DEVICE}/service0045"
READ = PropertyAccess.READ


class Adapter(ServiceInterface):
    def __init__(self, world: "FakeBluez") -> None:
        super().__init__("org.bluez.Adapter1")
        self._world = world

    @dbus_method()
    def SetDiscoveryFilter(self, properties: "a{sv}") -> None:
        pass

    @dbus_method()
    def StartDiscovery(self) -> None:
        self._world.meet("StartDiscovery")
        asyncio.get_running_loop().call_later(0.05, self._world.advertise)

    @dbus_method()
    def StopDiscovery(self) -> None:
        pass

    @dbus_property(access=READ)
    def Address(self) -> "s":
        return "00:11:22:33:44:55"

    @dbus_property(access=READ)
    def Powered(self) -> "b":
        return self._world.powered

    @dbus_property(access=READ)
    def Discovering(self) -> "b":
        return True

    @dbus_property(access=READ)
    def Roles(self) -> "as":
        return ["central"]


class Device(ServiceInterface):
    def __init__(self, world: "FakeBluez") -> None:
        super().__init__("org.bluez.Device1")
        self._world = world
        self._connected = False

    @dbus_method()
    async def Connect(self) -> None:
        self._world.meet("Connect")
        self._world.export_services()
        self._tell(True)

    @dbus_method()
    def Disconnect(self) -> None:
        self._tell(False)

    def stay_connected(self) -> None:
        """As a program leaves it that ended without a word."""
        self._world.export_services()
        self._tell(True)

    def _tell(self, connected: bool) -> None:
        self._connected = connected
        self.emit_properties_changed({"Connected": connected, "ServicesResolved": connected})

    def walk_away(self) -> None:
        self._tell(False)

    def advertise(self) -> None:
        self.emit_properties_changed({"RSSI": -50})

    @dbus_property(access=READ)
    def Address(self) -> "s":
        return "C4:00:00:00:00:01"

    @dbus_property(access=READ)
    def Name(self) -> "s":
        return "Polar H10 8AA87D20"

    @dbus_property(access=READ)
    def Alias(self) -> "s":
        return "Polar H10 8AA87D20"

    @dbus_property(access=READ)
    def Paired(self) -> "b":
        return False

    @dbus_property(access=READ)
    def Connected(self) -> "b":
        return self._connected

    @dbus_property(access=READ)
    def ServicesResolved(self) -> "b":
        return self._connected

    @dbus_property(access=READ)
    def Adapter(self) -> "o":
        return ADAPTER

    @dbus_property(access=READ)
    def UUIDs(self) -> "as":
        return ["0000180d-0000-1000-8000-00805f9b34fb", "00001801-0000-1000-8000-00805f9b34fb"]

    @dbus_property(access=READ)
    def RSSI(self) -> "n":
        return -50


class GattService(ServiceInterface):
    def __init__(self, uuid: str) -> None:
        super().__init__("org.bluez.GattService1")
        self._uuid = uuid

    @dbus_property(access=READ)
    def UUID(self) -> "s":
        return self._uuid

    @dbus_property(access=READ)
    def Primary(self) -> "b":
        return True

    @dbus_property(access=READ)
    def Device(self) -> "o":
        return DEVICE


class GattCharacteristic(ServiceInterface):
    def __init__(
        self,
        world: "FakeBluez",
        uuid: str,
        service: str,
        flags: list[str],
        value: bytes = b"",
        written: Any = None,
    ) -> None:
        super().__init__("org.bluez.GattCharacteristic1")
        self._world = world
        self._uuid, self._service, self._flags, self._value = uuid, service, flags, value
        self._written = written
        self._notifying = False

    def push(self, value: bytes) -> None:
        if self._notifying:
            self.emit_properties_changed({"Value": value})

    @dbus_method()
    def ReadValue(self, options: "a{sv}") -> "ay":
        return self._value

    @dbus_method()
    def WriteValue(self, value: "ay", options: "a{sv}") -> None:
        asyncio.get_running_loop().call_soon(self._written, bytes(value))

    @dbus_method()
    def StartNotify(self) -> None:
        self._world.meet("StartNotify")
        self._notifying = True

    @dbus_method()
    def StopNotify(self) -> None:
        self._notifying = False

    @dbus_property(access=READ)
    def UUID(self) -> "s":
        return self._uuid

    @dbus_property(access=READ)
    def Service(self) -> "o":
        return self._service

    @dbus_property(access=READ)
    def Flags(self) -> "as":
        return self._flags

    @dbus_property(access=READ)
    def Notifying(self) -> "b":
        return self._notifying

    @dbus_property(access=READ)
    def MTU(self) -> "q":
        return 232

    @dbus_property(access=READ)
    def Value(self) -> "ay":
        return self._value


class FakeBluez:
    """One adapter and one strap, which sends `frames` when it is told to start.

    faults: by D-Bus method, the errors (name without prefix, text) that it answers with, in turn.
    """

    def __init__(self, frames: list[bytes], powered: bool = True) -> None:
        self.powered = powered
        self.faults: dict[str, list[tuple[str, str]]] = {}
        self.commands: list[bytes] = []
        self._frames = frames
        self._exported: set[str] = set()
        self.device = Device(self)
        battery, control = ["read", "notify"], ["read", "write", "indicate"]
        features = b"\x0f\x05" + bytes(15)
        self._battery = GattCharacteristic(self, BATTERY_LEVEL, BATTERY_SERVICE, battery, b"\x57")
        self._control = GattCharacteristic(
            self, PMD_CONTROL, PMD_SERVICE, control, features, self._commanded
        )
        self._data = GattCharacteristic(self, PMD_DATA, PMD_SERVICE, ["notify"])

    async def serve(self, bus_address: str) -> None:
        self._bus = await MessageBus(bus_address=bus_address).connect()
        self._export(ADAPTER, Adapter(self))
        await self._bus.request_name("org.bluez")

    def meet(self, method: str) -> None:
        """Answer with the next fault of a method, if it has one."""
        waiting = self.faults.get(method)
        if waiting:
            name, text = waiting.pop(0)
            raise DBusError(f"org.bluez.Error.{name}", text)

    async def walk_away(self) -> None:
        self.device.walk_away()

    async def leave_connected(self) -> None:
        """The strap as a program leaves it that ended without a word: it advertises no more."""
        self._export(DEVICE, self.device)
        self.device.stay_connected()

    async def leave(self) -> None:
        self._bus.disconnect()

    def advertise(self) -> None:
        self._export(DEVICE, self.device)
        self.device.advertise()

    def export_services(self) -> None:
        self._export(BATTERY_SERVICE, GattService("0000180f-0000-1000-8000-00805f9b34fb"))
        self._export(f"{BATTERY_SERVICE}/char0010", self._battery)
        self._export(PMD_SERVICE, GattService(PMD))
        self._export(f"{PMD_SERVICE}/char0046", self._control)
        self._export(f"{PMD_SERVICE}/char0049", self._data)

    def _export(self, path: str, interface: ServiceInterface) -> None:
        if path not in self._exported:
            self._exported.add(path)
            self._bus.export(path, interface)

    def _commanded(self, command: bytes) -> None:
        self.commands.append(command)
        self._control.push(bytes([0xF0, *command[:2], 0, 0]))
        if command == START_ECG:
            for frame in self._frames:
                self._data.push(frame)
