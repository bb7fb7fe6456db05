"""Straps and one central in reach of each other, and what tests do with them."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Coroutine, Sequence
from typing import Any

from firmware_bridge.link import Link, LinkEvent, LinkTiming
from firmware_bridge.protocols import Decoder, GattDevice
from firmware_bridge.source import Source
from firmware_bridge.stream import Frame, Packet
from firmware_bridge.transports.ble import BleTransport
from firmware_bridge.transports.ble_loop import BleLoop
from firmware_bridge.transports.ble_radio import Radio
from firmware_bridge.transports.ble_scan import BleTarget
from tests.firmware_bridge import bumble_radio as air
from tests.firmware_bridge.virtual_straps import VirtualStrap
from tests.patience import WAIT_S

STRAP_ADDRESS = "C4:00:00:00:00:01"
CENTRAL_ADDRESS = "C4:00:00:00:00:F0"
QUICK = LinkTiming(backoff_min_s=0.001, backoff_max_s=0.002, watch_s=0.01, poll_s=0.02)


class World:
    """One central and the straps around it, advertising; `straps` in the order of their kinds."""

    def __init__(
        self,
        loop: BleLoop,
        *kinds: tuple[type[VirtualStrap], Sequence[bytes]],
        mtu: int = air.MTU,
    ) -> None:
        self.loop = loop
        self.straps: list[Any] = []
        client, scanner = self.run(self._build(kinds, mtu))
        loop.radio = Radio(client, scanner)

    async def _build(
        self, kinds: Sequence[tuple[type[VirtualStrap], Sequence[bytes]]], mtu: int
    ) -> tuple[type, type]:
        radio = air.Radio()
        for k, (kind, payloads) in enumerate(kinds):
            address = STRAP_ADDRESS[:-2] + f"{k + 1:02X}"
            strap = kind(radio.device(kind.name, address), payloads)
            await strap.advertise()
            self.straps.append(strap)
        central = radio.device("central", CENTRAL_ADDRESS)
        await central.power_on()
        return air.backends(central, mtu)

    @property
    def strap(self) -> Any:
        """The first strap."""
        return self.straps[0]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the straps' side do something, and wait for it."""
        return self.loop.submit(work).result(WAIT_S)

    def tasks(self) -> int:
        """How many tasks the loop has."""

        async def count() -> int:
            return len(asyncio.all_tasks())

        return int(self.run(count()))

    def transport(
        self, decoder: GattDevice, target: BleTarget, scan_s: float = 5.0
    ) -> BleTransport:
        """Of the straps' radio."""
        return BleTransport(target, decoder.gatt, loop=self.loop, scan_s=scan_s)

    def source(self, decoder: Decoder, target: BleTarget, scan_s: float = 5.0) -> Source:
        """As `open_ble` would make it, on this radio."""
        assert isinstance(decoder, GattDevice)
        transport = self.transport(decoder, target, scan_s)
        return Source("ble:", transport, decoder, False, "a strap", decoder.gatt.data, 35.0)


class Watched:
    """A link at work, its packets decoded in the order of its events."""

    def __init__(self, source: Source, timing: LinkTiming = QUICK, **options: Any) -> None:
        self.decoder = source.decoder
        self.packets: list[Packet] = []
        self.frames: list[Frame] = []
        self.phases: list[str] = []
        self.reasons: list[str] = []
        self._events: queue.Queue[LinkEvent] = queue.Queue()
        self.link = Link(source, self._events, timing=timing, **options)
        self.link.start()

    def until_frames(self, wanted: int) -> None:
        """Take events until so many frames have come since the beginning."""
        while len(self.frames) < wanted:
            self.take()

    def until_phase(self, phase: str, times: int = 1) -> None:
        """Take events until the link has been in this phase so often."""
        while self.phases.count(phase) < times:
            self.take()

    def take(self) -> None:
        """Take one event."""
        event = self._events.get(timeout=WAIT_S)
        if isinstance(event, Packet):
            self.packets.append(event)
            self.frames += self.decoder.push(event)
            return
        if event.phase == "connecting":
            self.decoder.reset()
        self.phases.append(event.phase)
        self.reasons.append(event.reason)

    def stop(self) -> None:
        """End it."""
        assert self.link.stop(WAIT_S)
