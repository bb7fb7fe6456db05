"""A Polar H10 as the browser sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from firmware_bridge.stream import Packet
from tests.patience import WAIT_S

if TYPE_CHECKING:
    from firmware_bridge.transports.ws_listener import WsListener

__all__ = [
    "CHARACTERISTICS",
    "CONTROL",
    "DATA",
    "NAME",
    "STRAP",
    "TOKEN",
    "WAIT_S",
    "packets_of",
    "start",
]

TOKEN = "correct-horse-battery"
NAME = "Polar H10 12345678"
CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"
CHARACTERISTICS = {
    "0000180d-0000-1000-8000-00805f9b34fb": {HEART_RATE: ["notify"]},
    "0000180f-0000-1000-8000-00805f9b34fb": {BATTERY_LEVEL: ["read", "notify"]},
    "fb005c80-02e7-f387-1cad-8acd2d8df0c8": {
        CONTROL: ["read", "write", "indicate"],
        DATA: ["notify"],
    },
}
STRAP = {
    "name": NAME,
    "services": CHARACTERISTICS,
    "values": {CONTROL: "0f05" + "00" * 15, BATTERY_LEVEL: "57"},
}


def start(page: Any, bridge: WsListener) -> None:
    """Tap Connect and wait until the bridge has the strap."""
    page.click("#connect")
    page.wait_for_selector("#bluetooth[data-ok=true]")
    bridge.open()


def packets_of(bridge: WsListener, count: int, channel: str = DATA) -> list[Packet]:
    """So many packets of one characteristic; those of others are passed over."""
    got: list[Packet] = []
    deadline_s = time.monotonic() + WAIT_S
    while len(got) < count:
        assert time.monotonic() < deadline_s, f"{len(got)} of {count} packets came"
        packet = bridge.read(0.05)
        if packet is not None and packet.channel == channel:
            got.append(packet)
    return got
