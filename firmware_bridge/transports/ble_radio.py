"""The radio that all Bluetooth transports of a process share.

BlueZ refuses a scan or a connection while another is under way, and many adapters cannot do both
at once: so one scanner looks for all who wait, and rests while a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from bleak import BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

from firmware_bridge.transports.ble_words import is_busy

__all__ = ["Matches", "Radio", "patiently"]

Matches = Callable[[BLEDevice, AdvertisementData], bool]
T = TypeVar("T")

BUSY_WAITS_S = (0.2, 0.4, 0.8)
STOP_S = 5.0
SCANNER_AGE_S = 30.0
"""Scans of BlueZ end without a word when the adapter is switched off and on; an older one is
begun anew."""
ANY_SERVICE = "1801"

log = logging.getLogger(__name__)


class Radio:
    """One scanner and one connection attempt at a time; for use in one event loop.

    client, scanner: classes that replace bleak's own backends. taken: addresses of the peripherals
    that a transport of this process holds; nobody else finds them.
    """

    def __init__(
        self,
        client: type[BaseBleakClient] | None = None,
        scanner: type[BaseBleakScanner] | None = None,
    ) -> None:
        self.client_options: dict[str, Any] = {"backend": client} if client else {}
        self._scanner_options: dict[str, Any] = {"backend": scanner} if scanner else {}
        self.taken: set[str] = set()
        self._waiting: dict[asyncio.Future[BLEDevice], Matches] = {}
        self._turn = asyncio.Lock()
        self._scanner: BleakScanner | None = None
        self._started_s = 0.0

    async def find(self, matches: Matches, timeout_s: float) -> BLEDevice | None:
        """The first peripheral that matches, None where none advertises in time.

        One that this machine holds connected does not advertise, and is found all the same.
        """
        known = await self._already_connected(matches)
        if known is not None:
            return known
        found: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()
        self._waiting[found] = matches
        try:
            async with asyncio.timeout(timeout_s):
                await self._scan()
                return await found
        except TimeoutError:
            return None
        finally:
            del self._waiting[found]
            await self._rest()

    @contextlib.asynccontextmanager
    async def connecting(self) -> AsyncIterator[None]:
        """Hold the radio for one connection attempt; the scanner goes on afterwards."""
        async with self._turn:
            await self._stop()
            try:
                yield
            finally:
                await self._resume()

    async def _scan(self) -> None:
        async with self._turn:
            age_s = asyncio.get_running_loop().time() - self._started_s
            if self._scanner is not None and age_s > SCANNER_AGE_S:
                await self._stop()
            if self._scanner is None:
                await self._start()

    async def _rest(self) -> None:
        async with self._turn:
            if not self._waiting:
                await self._stop()

    async def _resume(self) -> None:
        if not self._waiting:
            return
        try:
            await self._start()
        except Exception as error:  # told to those who wait for what it would have found
            for found in self._waiting:
                if not found.done():
                    found.set_exception(error)

    async def _start(self) -> None:
        scanner = BleakScanner(self._seen, **self._scanner_options)
        await patiently(scanner.start)
        self._scanner = scanner
        self._started_s = asyncio.get_running_loop().time()

    async def _stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await scanner.stop()
        except Exception as error:  # a scan that cannot be ended is none of the connection's faults
            log.info("scan not ended: %s", error or type(error).__name__)

    def _seen(self, device: BLEDevice, seen: AdvertisementData) -> None:
        if device.address in self.taken:
            return
        for found, matches in list(self._waiting.items()):
            if not found.done() and matches(device, seen):
                found.set_result(device)

    async def _already_connected(self, matches: Matches) -> BLEDevice | None:
        """A peripheral that a program of this machine that ended has left connected."""
        if self._scanner_options:
            return None
        with contextlib.suppress(Exception):  # whatever is wrong, the scan will say
            from bleak import BleakAdapter

            adapter = await BleakAdapter.get()
            for device in await adapter.get_connected_devices([ANY_SERVICE]):
                free = device.address not in self.taken
                if free and matches(device, _unadvertised(device)):
                    log.warning("%s: connected to this machine already; taken over", device.address)
                    return device
        return None


def _unadvertised(device: BLEDevice) -> AdvertisementData:
    uuids = device.details.get("props", {}).get("UUIDs", [])
    return AdvertisementData(device.name, {}, {}, [uuid.lower() for uuid in uuids], None, 0, ())


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do it; again after a moment where BlueZ says that something else is in progress."""
    for wait_s in BUSY_WAITS_S:
        try:
            return await work()
        except Exception as error:
            if not is_busy(error):
                raise
            await asyncio.sleep(wait_s)
    return await work()
