"""A Bluetooth LE peripheral as a transport, by bleak."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping
from concurrent.futures import Future

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError

from firmware_bridge.errors import (
    NotInReachError,
    SourceError,
    SourceUriError,
    TransientSourceError,
)
from firmware_bridge.protocols import GattDevice, GattProfile, SerialDevice
from firmware_bridge.source import Source, SourceUri
from firmware_bridge.source_uri import SCHEMES
from firmware_bridge.stream import Packet
from firmware_bridge.transports.ble_gatt import (
    DISCONNECT_S,
    Inbox,
    information,
    leave,
    listen,
    look,
    mtu,
)
from firmware_bridge.transports.ble_loop import BleLoop, finish, shared_loop
from firmware_bridge.transports.ble_radio import patiently
from firmware_bridge.transports.ble_scan import BleTarget

__all__ = ["BleTransport", "open_ble"]

SCAN_S = 15.0
CONNECT_S = 30.0
SUBSCRIBE_S = 20.0
WRITE_S = 5.0
ABOUT_S = 5.0
FIRST_DATA_S = 35.0
"""Some Bluetooth stacks let 30 s pass before the first notification of an H10."""

log = logging.getLogger(__name__)


class BleTransport:
    """Notifications of a peripheral; `write` goes to its control characteristic.

    loop: where to run; the process shares one. scan_s: how long one look for it lasts. What the
    profile names besides data (battery, contact, control) and can be read is read once after
    connecting and given out like a notification; data are not, as they would come twice.
    """

    def __init__(
        self,
        target: BleTarget,
        gatt: GattProfile,
        *,
        loop: BleLoop | None = None,
        scan_s: float = SCAN_S,
    ) -> None:
        self._target = target
        self._gatt = gatt
        self._loop = loop or shared_loop()
        self._scan_s = scan_s
        self._client: BleakClient | None = None
        self._inbox = Inbox()
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

        Raises NotInReachError where the peripheral does not advertise, TransientSourceError where
        it refuses, SourceError where this machine has no Bluetooth or it is another device.
        """
        self.close()
        self._dropped += self._inbox.dropped
        self._inbox = Inbox()
        self._opening = self._loop.submit(self._connect(self._inbox))
        try:
            longest_s = self._scan_s + CONNECT_S + SUBSCRIBE_S + 2 * DISCONNECT_S
            self._client = finish(self._opening, longest_s, self.name)
        finally:
            self._opening.cancel()  # no-op once it is done
            self._opening = None

    def read(self, timeout_s: float) -> Packet | None:
        """The next notification; TransientSourceError once the connection is lost."""
        inbox = self._inbox
        if self._client is None:
            raise TransientSourceError(f"{self.name} is not connected; open it before reading")
        packet = inbox.get(0.0 if inbox.lost.is_set() else timeout_s)
        if packet is None and inbox.lost.is_set():
            raise TransientSourceError(
                f"{self.name}: connection lost: out of range, taken off, or its battery is empty"
            )
        return packet

    def write(self, data: bytes) -> None:
        """Write a command, and wait for the acknowledgement where the peripheral gives one."""
        client = self._client
        if client is None:
            raise TransientSourceError(f"{self.name} is not connected; open it before writing")
        control = self._gatt.control and client.services.get_characteristic(self._gatt.control)
        if not control:
            raise SourceError(f"{self.name} takes no commands")
        acknowledged = "write" in control.properties
        writing = client.write_gatt_char(control, data, response=acknowledged)
        finish(self._loop.submit(writing), WRITE_S, self.name)

    def about(self) -> Mapping[str, str]:
        """Name, address, MTU, and what its Device Information service says."""
        client = self._client
        if client is None:
            return {}
        facts = {"name": client.name, "address": client.address, "MTU": f"{mtu(client)} bytes"}
        with contextlib.suppress(SourceError):
            facts |= finish(self._loop.submit(information(client)), ABOUT_S, self.name)
        return facts

    def close(self) -> None:
        """Disconnect, or give up connecting."""
        opening, client = self._opening, self._client
        self._client = None
        if opening is not None:
            opening.cancel()
        if client is not None:
            self._loop.radio.taken.discard(client.address)
            self._inbox.hang_up()
            with contextlib.suppress(SourceError):
                finish(self._loop.submit(client.disconnect()), DISCONNECT_S, self.name)

    async def _connect(self, inbox: Inbox) -> BleakClient:
        radio = self._loop.radio
        device = await radio.find(self._target.matches, self._scan_s)
        if device is None:
            raise NotInReachError(
                f"{self.name}: not in reach; is it worn, charged and free of other hosts? "
                f"(a chest strap advertises only on skin)"
            )
        client = BleakClient(
            device,
            disconnected_callback=lambda _: inbox.hang_up(),
            timeout=CONNECT_S,
            pair=self._gatt.bond,
            **radio.client_options,
        )
        async with radio.connecting():
            if device.address in radio.taken:
                raise NotInReachError(f"{self.name}: {device.address} is read as another source")
            try:
                async with asyncio.timeout(CONNECT_S):
                    await patiently(client.connect)
                async with asyncio.timeout(SUBSCRIBE_S):
                    await self._subscribe(client, inbox)
            except BaseException:
                await leave(client)
                raise
            radio.taken.add(client.address)
        log.info("%s: connected, MTU %d", self.name, mtu(client))
        return client

    async def _subscribe(self, client: BleakClient, inbox: Inbox) -> None:
        """Control first: replies must not be missed; data last: contact is then known with them."""
        gatt = self._gatt
        if gatt.control:
            control = self._required(client, gatt.control)
            await listen(client, control, inbox)
            await look(client, control, inbox)
        for channel in gatt.side:
            found = client.services.get_characteristic(channel)
            if found is not None:
                with contextlib.suppress(BleakError):
                    await listen(client, found, inbox)
                await look(client, found, inbox)
        for channel in gatt.data:
            await listen(client, self._required(client, channel), inbox)

    def _required(self, client: BleakClient, channel: str) -> BleakGATTCharacteristic:
        found = client.services.get_characteristic(channel)
        if found is None:
            raise SourceError(
                f"{self.name}: connected, but it has no characteristic {channel}: "
                f"another device, or its firmware is too old"
            )
        return found


def open_ble(uri: SourceUri) -> Source:
    """Source of `ble://ADDRESS?device=polar_h10` or `ble://?name=Polar*`; not connected yet."""
    from firmware_bridge.devices import make_decoder

    device = uri.get("device", "polar_h10")
    decoder = make_decoder(device, **SCHEMES["ble"].of_device(uri))
    if not isinstance(decoder, GattDevice):
        hint = f"; write serial://PORT?device={device}" if isinstance(decoder, SerialDevice) else ""
        raise SourceUriError(f"ble: device={device} is not reached over Bluetooth LE{hint}")
    if uri.target and not re.fullmatch(r"[0-9A-Fa-f:-]{12,36}", uri.target):
        raise SourceUriError(f"ble: {uri.target!r} is no address such as AA:BB:CC:DD:EE:FF")
    target = _target(uri, decoder.gatt)
    return Source(
        uri=f"ble://{uri.target}?device={device}&name={target.name}",
        transport=BleTransport(target, decoder.gatt),
        decoder=decoder,
        finite=False,
        description=f"{device} over Bluetooth LE: {target}",
        data_channels=decoder.gatt.data,
        first_data_s=FIRST_DATA_S,
    )


def _target(uri: SourceUri, gatt: GattProfile) -> BleTarget:
    """What the URI names; where it names nothing, what the device is known to advertise."""
    service, name = uri.get("service", ""), uri.get("name", "")
    if uri.target or service or name:
        return BleTarget(uri.target, name, service)
    if gatt.name != "*":
        return BleTarget(name=gatt.name)
    if gatt.advertised:
        return BleTarget(service=gatt.advertised)
    raise SourceUriError("ble: this device has no name of its own; write ble://ADDRESS or ?name=")
