"""What a BLE transport does with a connection: notifications, single reads, who the device is."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from functools import partial

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError

from firmware_bridge.stream import Packet
from firmware_bridge.transports.ble_radio import patiently

__all__ = ["DISCONNECT_S", "Inbox", "information", "leave", "listen", "look", "mtu"]

DISCONNECT_S = 2.0
INBOX_PACKETS = 1024
"""Some ten minutes of an H10: a host that is behind by more has stopped reading."""
ATT_HEADER_BYTES = 3
INFORMATION = {
    "manufacturer": "00002a29-0000-1000-8000-00805f9b34fb",
    "model": "00002a24-0000-1000-8000-00805f9b34fb",
    "serial number": "00002a25-0000-1000-8000-00805f9b34fb",
    "hardware": "00002a27-0000-1000-8000-00805f9b34fb",
    "firmware": "00002a26-0000-1000-8000-00805f9b34fb",
    "software": "00002a28-0000-1000-8000-00805f9b34fb",
}
"""Strings of the Device Information service (Bluetooth SIG, DIS 1.1)."""


class Inbox:
    """Notifications of one connection, from the loop's thread to the reading one; bounded.

    lost: set once the connection is. dropped: notifications that found the inbox full.
    """

    def __init__(self) -> None:
        self._packets: queue.Queue[Packet | None] = queue.Queue(INBOX_PACKETS)
        self.lost = threading.Event()
        self.dropped = 0

    def put(self, channel: str, data: bytes) -> None:
        """Take a notification, stamped now."""
        try:
            self._packets.put_nowait(Packet(data, time.monotonic_ns(), channel))
        except queue.Full:
            self.dropped += 1

    def hang_up(self) -> None:
        """The connection is lost; what has come can still be read."""
        self.lost.set()
        with contextlib.suppress(queue.Full):
            self._packets.put_nowait(None)  # wakes the reader

    def get(self, timeout_s: float) -> Packet | None:
        """The next one; None after `timeout_s`, or once the connection is lost."""
        with contextlib.suppress(queue.Empty):
            return self._packets.get(timeout=timeout_s)
        return None


async def listen(client: BleakClient, found: BleakGATTCharacteristic, inbox: Inbox) -> None:
    """Subscribe, where the characteristic notifies or indicates."""

    def put(_: BleakGATTCharacteristic, data: bytearray) -> None:
        inbox.put(found.uuid, bytes(data))

    if {"notify", "indicate"} & set(found.properties):
        await patiently(partial(client.start_notify, found, put))


async def look(client: BleakClient, found: BleakGATTCharacteristic, inbox: Inbox) -> None:
    """Read once, where the characteristic can be read, and give it out like a notification."""
    if "read" in found.properties:
        with contextlib.suppress(BleakError):
            inbox.put(found.uuid, bytes(await client.read_gatt_char(found)))


async def leave(client: BleakClient) -> None:
    """Disconnect, whatever state the connection is in; in bounded time."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(DISCONNECT_S):
            await client.disconnect()


async def information(client: BleakClient) -> dict[str, str]:
    """What the Device Information service says; some devices end its strings with a NUL."""
    facts: dict[str, str] = {}
    for name, uuid in INFORMATION.items():
        found = client.services.get_characteristic(uuid)
        if found is not None and "read" in found.properties:
            with contextlib.suppress(BleakError):
                text = bytes(await client.read_gatt_char(found)).decode("utf-8", "replace")
                facts[name] = text.rstrip("\0 ")
    return facts


def mtu(client: BleakClient) -> int:
    """As the characteristics know it: BlueZ tells it nowhere else, and from 5.62 on."""
    sizes = [
        found.max_write_without_response_size for found in client.services.characteristics.values()
    ]
    return max(sizes, default=20) + ATT_HEADER_BYTES
