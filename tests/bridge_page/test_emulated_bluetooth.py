"""The bridge page on Chromium's own Web Bluetooth, with its emulated radio and strap.

The emulation cannot notify. Reading a characteristic fires the same event as a notification, so
an init script remembers what the page subscribed to, and a notification is a read of it.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from tests.bridge_page.straps import CHARACTERISTICS, CONTROL, DATA, NAME, TOKEN, WAIT_S
from tests.firmware_bridge.devices.polar_h10_wire import SPECIMENS

if TYPE_CHECKING:
    from firmware_bridge.transports.ws_listener import WsListener

ADDRESS = "09:09:09:09:09:09"
CCCD = "00002902-0000-1000-8000-00805f9b34fb"
REMEMBER = """
  const subscribe = BluetoothRemoteGATTCharacteristic.prototype.startNotifications;
  BluetoothRemoteGATTCharacteristic.prototype.startNotifications = function () {
    (window.subscribed ??= {})[this.uuid] = this;
    return subscribe.call(this);
  };
"""


class EmulatedStrap:
    """Answers the browser: writes are kept, reads give what was queued for the characteristic."""

    def __init__(self, browser: Any) -> None:
        self.session = browser.new_browser_cdp_session()
        self.writes: list[str] = []
        self.queued: dict[str, list[bytes]] = {}
        self._uuids: dict[str, str] = {}
        self.session.on("BluetoothEmulation.gattOperationReceived", self._gatt)
        self.session.on("BluetoothEmulation.characteristicOperationReceived", self._characteristic)
        self._send("enable", state="powered-on", leSupported=True)
        self._send(
            "simulatePreconnectedPeripheral",
            address=ADDRESS,
            name=NAME,
            manufacturerData=[],
            knownServiceUuids=list(CHARACTERISTICS),
        )
        for service, characteristics in CHARACTERISTICS.items():
            added = self._send("addService", address=ADDRESS, serviceUuid=service)
            for uuid, properties in characteristics.items():
                self._add(added["serviceId"], uuid, properties)

    def disable(self) -> None:
        self._send("disable")
        self.session.detach()

    def _add(self, service_id: str, uuid: str, properties: list[str]) -> None:
        named = dict.fromkeys((*properties, "read"), True)
        added = self._send(
            "addCharacteristic", serviceId=service_id, characteristicUuid=uuid, properties=named
        )
        characteristic_id = added["characteristicId"]
        self._uuids[characteristic_id] = uuid
        self._send("addDescriptor", characteristicId=characteristic_id, descriptorUuid=CCCD)

    def _gatt(self, event: dict[str, Any]) -> None:
        self._send("simulateGATTOperationResponse", address=ADDRESS, type=event["type"], code=0)

    def _characteristic(self, event: dict[str, Any]) -> None:
        uuid, answer = self._uuids[event["characteristicId"]], {}
        if event["type"] == "write":
            self.writes.append(base64.b64decode(event["data"]).hex())
        elif event["type"] == "read":
            queued = self.queued.get(uuid)
            answer["data"] = base64.b64encode(queued.pop(0) if queued else b"\x0f\x05").decode()
        self._send(
            "simulateCharacteristicOperationResponse",
            characteristicId=event["characteristicId"],
            type=event["type"],
            code=0,
            **answer,
        )

    def _send(self, method: str, **params: object) -> Any:
        return self.session.send(f"BluetoothEmulation.{method}", params)


def choose_first(page: Any) -> None:
    """Answer each chooser once with its first device; a second answer may crash the browser."""
    session, answered = page.context.new_cdp_session(page), set()

    def answer(event: dict[str, Any]) -> None:
        if event["id"] not in answered and event["devices"]:
            answered.add(event["id"])
            first = event["devices"][0]["id"]
            session.send("DeviceAccess.selectPrompt", {"id": event["id"], "deviceId": first})

    session.on("DeviceAccess.deviceRequestPrompted", answer)
    session.send("DeviceAccess.enable")


def test_page_connects_subscribes_starts_and_forwards(chromium: Any, bridge: WsListener) -> None:
    strap = EmulatedStrap(chromium)
    context = chromium.new_context()
    context.add_init_script(REMEMBER)
    page = context.new_page()
    choose_first(page)
    page.goto(f"{bridge.page_url}#{TOKEN}")
    page.click("#connect")
    page.wait_for_selector("#bluetooth[data-ok=true]", timeout=WAIT_S * 1000)
    assert NAME in page.inner_text("#bluetooth")
    assert strap.writes == [command.hex() for command in PolarH10Decoder().start_commands()]
    bridge.open()
    frames = [p for p in SPECIMENS[0].packets if p.channel == DATA]
    for frame in frames:
        strap.queued.setdefault(DATA, []).append(frame.data)
        page.evaluate("uuid => window.subscribed[uuid].readValue().then(() => true)", DATA)
    decoder, samples = PolarH10Decoder(), []
    deadline_s = time.monotonic() + WAIT_S
    while sum(map(len, samples)) < len(SPECIMENS[0].samples_uv):
        assert time.monotonic() < deadline_s
        packet = bridge.read(0.05)
        samples += [frame.samples_uv for frame in decoder.push(packet)] if packet else []
    np.testing.assert_allclose(np.concatenate(samples), SPECIMENS[0].samples_uv, atol=1e-3)
    assert CONTROL in page.evaluate("Object.keys(window.subscribed)")
    page.click("#stop")
    page.wait_for_selector("#connect:enabled")
    assert strap.writes[-1] == PolarH10Decoder().stop_commands()[-1].hex()
    context.close()
    strap.disable()
