"""A Bluetooth LE peripheral as a transport, by bleak."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from concurrent.futures import Future
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner
from bleak.exc import BleakError

from firmware_bridge.errors import SourceError, SourceUriError, TransientSourceError
from firmware_bridge.protocols import GattDevice, GattProfile
from firmware_bridge.source import Source, SourceUri
from firmware_bridge.source_uri import SCHEMES
from firmware_bridge.stream import Packet
from firmware_bridge.transports.ble_loop import BleLoop, finish, shared_loop
from firmware_bridge.transports.ble_scan import BleTarget

__all__ = ["BleTransport", "open_ble"]

SCAN_S = 15.0
CONNECT_S = 30.0
WRITE_S = 5.0
FIRST_DATA_S = 35.0
"""Some Bluetooth stacks let 30 s pass before the first notification of an H10."""
DISCONNECT_S = 2.0
INBOX_PACKETS = 1024
"""Some ten minutes of an H10: a host that is behind by more has stopped reading."""


class _Inbox:
    """Notifications of one connection, from the loop's thread to the reading one; bounded."""

    def __init__(self) -> None:
        self._packets: queue.Queue[Packet | None] = queue.Queue(INBOX_PACKETS)
        self.lost = threading.Event()
        self.dropped = 0

    def put(self, channel: str, data: bytes) -> None:
        try:
            self._packets.put_nowait(Packet(data, time.monotonic_ns(), channel))
        except queue.Full:
            self.dropped += 1

    def hang_up(self) -> None:
        self.lost.set()
        with contextlib.suppress(queue.Full):
            self._packets.put_nowait(None)  # wakes the reader

    def get(self, timeout_s: float) -> Packet | None:
        with contextlib.suppress(queue.Empty):
            return self._packets.get(timeout=timeout_s)
        return None


class BleTransport:
    """Notifications of a peripheral; `write` goes to its control characteristic, with response.

    backends: classes that replace bleak's own client and scanner. Every characteristic of the
    profile that can be read is read once after connecting, and given out like a notification.
    """

    def __init__(
        self,
        target: BleTarget,
        gatt: GattProfile,
        *,
        loop: BleLoop | None = None,
        backends: tuple[type[BaseBleakClient], type[BaseBleakScanner]] | None = None,
        scan_s: float = SCAN_S,
    ) -> None:
        self._target = target
        self._gatt = gatt
        self._loop = loop or shared_loop()
        self._client_options, self._scanner_options = _options(backends)
        self._scan_s = scan_s
        self._client: BleakClient | None = None
        self._inbox = _Inbox()
        self._opening: Future[BleakClient] | None = None
        self._dropped = 0

    @property
    def name(self) -> str:
        """What was asked for: address, name pattern or service."""
        return str(self._target)

    @property
    def dropped(self) -> int:
        """Notifications thrown away because nobody read them, since it was made."""
        return self._dropped + self._inbox.dropped

    def open(self) -> None:
        """Scan, connect and subscribe.

        Raises TransientSourceError where the peripheral is out of reach or refuses, SourceError
        where this machine has no Bluetooth or the peripheral is another device.
        """
        self.close()
        self._dropped += self._inbox.dropped
        self._inbox = _Inbox()
        self._opening = self._loop.submit(self._connect(self._inbox))
        try:
            self._client = finish(self._opening, self._scan_s + 2 * CONNECT_S, self.name)
        finally:
            self._opening = None

    def read(self, timeout_s: float) -> Packet | None:
        """The next notification; TransientSourceError once the connection is lost."""
        inbox = self._inbox
        packet = inbox.get(0.0 if inbox.lost.is_set() else timeout_s)
        if packet is None and (inbox.lost.is_set() or self._client is None):
            raise TransientSourceError(
                f"{self.name}: connection lost: out of range, taken off, or its battery is empty"
            )
        return packet

    def write(self, data: bytes) -> None:
        """Write a command and wait for the peripheral's acknowledgement."""
        client = self._client
        if client is None:
            raise TransientSourceError(f"{self.name} is not connected; open it before writing")
        writing = client.write_gatt_char(self._gatt.control, data, response=True)
        finish(self._loop.submit(writing), WRITE_S, self.name)

    def close(self) -> None:
        """Disconnect, or give up connecting."""
        opening, client = self._opening, self._client
        self._client = None
        if opening is not None:
            opening.cancel()
        if client is not None:
            self._inbox.hang_up()
            with contextlib.suppress(SourceError):
                finish(self._loop.submit(client.disconnect()), DISCONNECT_S, self.name)

    async def _connect(self, inbox: _Inbox) -> BleakClient:
        async with self._loop.radio:
            device = await BleakScanner.find_device_by_filter(
                self._target.matches, timeout=self._scan_s, **self._scanner_options
            )
            if device is None:
                raise TransientSourceError(
                    f"{self.name}: not in reach; is it worn, charged and free of other hosts? "
                    f"(a chest strap advertises only on skin)"
                )
            client = BleakClient(
                device,
                disconnected_callback=lambda _: inbox.hang_up(),
                timeout=CONNECT_S,
                **self._client_options,
            )
            try:
                await client.connect()
                await self._subscribe(client, inbox)
            except BaseException:
                with contextlib.suppress(Exception):
                    await client.disconnect()
                raise
        return client

    async def _subscribe(self, client: BleakClient, inbox: _Inbox) -> None:
        """Control first: replies must not be missed; then data; then what there is besides."""
        for channel in (self._gatt.control, *self._gatt.data, *self._gatt.side):
            found = client.services.get_characteristic(channel)
            if found is None and channel in self._gatt.side:
                continue
            if found is None:
                raise SourceError(
                    f"{self.name}: connected, but it has no characteristic {channel}: "
                    f"another device, or its firmware is too old"
                )
            await _listen(client, found, channel, inbox)


async def _listen(
    client: BleakClient, found: BleakGATTCharacteristic, channel: str, inbox: _Inbox
) -> None:
    def put(_: BleakGATTCharacteristic, data: bytearray) -> None:
        inbox.put(channel, bytes(data))

    if {"notify", "indicate"} & set(found.properties):
        await client.start_notify(found, put)
    if "read" in found.properties:
        with contextlib.suppress(BleakError):
            inbox.put(channel, bytes(await client.read_gatt_char(found)))


def open_ble(uri: SourceUri) -> Source:
    """Source of `ble://ADDRESS?device=polar_h10` or `ble://?name=Polar*`; not connected yet."""
    from firmware_bridge.devices import make_decoder

    device = uri.get("device", "polar_h10")
    decoder = make_decoder(device, **SCHEMES["ble"].of_device(uri))
    if not isinstance(decoder, GattDevice):
        raise SourceUriError(f"ble: device={device} is not reached over Bluetooth LE")
    if uri.target and not re.fullmatch(r"[0-9A-Fa-f:-]{12,36}", uri.target):
        raise SourceUriError(f"ble: {uri.target!r} is no address such as AA:BB:CC:DD:EE:FF")
    service = uri.get("service", "")
    name = uri.get("name", "" if uri.target or service else decoder.gatt.name)
    target = BleTarget(uri.target, name, service)
    return Source(
        uri=f"ble://{uri.target}?device={device}&name={name}",
        transport=BleTransport(target, decoder.gatt),
        decoder=decoder,
        finite=False,
        description=f"{device} over Bluetooth LE: {target}",
        data_channels=decoder.gatt.data,
        first_data_s=FIRST_DATA_S,
    )


def _options(
    backends: tuple[type[BaseBleakClient], type[BaseBleakScanner]] | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    if backends is None:
        return {}, {}
    return {"backend": backends[0]}, {"backend": backends[1]}
