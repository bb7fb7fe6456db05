"""The BLE transport through bleak's own BlueZ backend, on a D-Bus that serves a fake BlueZ."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("dbus_fast", reason="bleak runs on BlueZ only on Linux")
if shutil.which("dbus-daemon") is None:
    pytest.skip("no dbus-daemon on this machine", allow_module_level=True)

from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.errors import SourceError, TransientSourceError
from firmware_bridge.transports.ble import BleTransport
from firmware_bridge.transports.ble_loop import BleLoop
from firmware_bridge.transports.ble_scan import BleTarget
from tests.firmware_bridge.fake_bluez import FakeBluez
from tests.firmware_bridge.virtual_straps import START_ECG, STOP_ECG
from tests.patience import WAIT_S

FRAMES = [
    bytes(1) + (10**18 + k * 561_538_461).to_bytes(8, "little") + bytes(1) + bytes([k, 0, 0]) * 73
    for k in range(6)
]


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    command = ["dbus-daemon", "--session", "--nofork", "--print-address=1"]
    with subprocess.Popen(
        [*command, f"--address=unix:path={tmp_path}/bus"], stdout=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().strip()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address
        daemon.terminate()


@pytest.fixture
def loop() -> Iterator[BleLoop]:
    loop = BleLoop()
    yield loop
    loop.stop()


def strap_on(bus: str, loop: BleLoop, powered: bool = True) -> FakeBluez:
    strap = FakeBluez(FRAMES, powered)
    loop.submit(strap.serve(bus)).result(WAIT_S)
    return strap


def test_strap_streams_is_lost_and_streams_again(bus: str, loop: BleLoop) -> None:
    strap = strap_on(bus, loop)
    decoder = PolarH10Decoder()
    transport = BleTransport(BleTarget(name="Polar*"), decoder.gatt, loop=loop)
    for turn in (1, 2):
        transport.open()
        transport.write(START_ECG)
        firsts: list[float] = []
        while len(firsts) < len(FRAMES):
            packet = transport.read(WAIT_S)
            assert packet is not None
            firsts += [frame.samples_uv[0, 0] for frame in decoder.push(packet)]
        assert firsts == [0, 1, 2, 3, 4, 5]
        if turn == 1:
            loop.submit(strap.walk_away()).result(WAIT_S)
            with pytest.raises(TransientSourceError, match="connection lost"):
                while_connected(transport)
    transport.write(STOP_ECG)
    transport.close()
    loop.submit(strap.leave()).result(WAIT_S)
    assert strap.commands == [START_ECG, START_ECG, STOP_ECG]
    assert decoder.count.bad_frames == decoder.refusals == 0


def while_connected(transport: BleTransport) -> None:
    while transport.read(WAIT_S):
        pass


def test_adapter_without_power_is_named(bus: str, loop: BleLoop) -> None:
    strap = strap_on(bus, loop, powered=False)
    transport = BleTransport(BleTarget(name="Polar*"), PolarH10Decoder.gatt, loop=loop)
    with pytest.raises(SourceError, match="Bluetooth is not available") as caught:
        transport.open()
    assert not isinstance(caught.value, TransientSourceError)
    loop.submit(strap.leave()).result(WAIT_S)


def test_machine_without_bluez_is_named(bus: str, loop: BleLoop) -> None:
    transport = BleTransport(BleTarget(name="Polar*"), PolarH10Decoder.gatt, loop=loop)
    with pytest.raises(SourceError, match="Bluetooth") as caught:
        transport.open()
    assert not isinstance(caught.value, TransientSourceError)


@pytest.mark.parametrize("method", ["StartDiscovery", "Connect", "StartNotify"])
def test_bluez_that_is_busy_is_asked_again(bus: str, loop: BleLoop, method: str) -> None:
    strap = strap_on(bus, loop)
    strap.faults[method] = [("InProgress", "Operation already in progress")] * 2
    transport = BleTransport(BleTarget(name="Polar*"), PolarH10Decoder.gatt, loop=loop)
    transport.open()
    assert strap.faults[method] == []
    assert transport.about()["MTU"] == "232 bytes"
    transport.close()
    loop.submit(strap.leave()).result(WAIT_S)


@pytest.mark.parametrize(
    ("method", "name", "text", "words"),
    [
        ("StartDiscovery", "NotReady", "Resource Not Ready", "bluetoothctl power on"),
        ("Connect", "Failed", "le-connection-abort", "a weak signal"),
        ("Connect", "AuthenticationFailed", "Authentication Failed", "bluetoothctl remove"),
        (
            "StartNotify",
            "Failed",
            "Operation failed with ATT error: 0x0e",
            ": GATT Protocol Error: Unlik",
        ),
        ("StartNotify", "Failed", "Operation failed with ATT error: 0x05", "bluetoothctl remove"),
        ("StartNotify", "NotPermitted", "Notify acquired", "another program"),
    ],
)
def test_failure_is_told_in_words_and_a_fresh_link_mends_it(
    bus: str, loop: BleLoop, method: str, name: str, text: str, words: str
) -> None:
    strap = strap_on(bus, loop)
    strap.faults[method] = [(name, text)]
    transport = BleTransport(BleTarget(name="Polar*"), PolarH10Decoder.gatt, loop=loop)
    with pytest.raises(TransientSourceError, match=words):
        transport.open()
    transport.open()
    transport.close()
    loop.submit(strap.leave()).result(WAIT_S)


def test_strap_left_connected_is_taken_over(bus: str, loop: BleLoop) -> None:
    strap = strap_on(bus, loop)
    loop.submit(strap.leave_connected()).result(WAIT_S)
    strap.advertise = lambda: None  # type: ignore[method-assign]
    transport = BleTransport(BleTarget(name="Polar*"), PolarH10Decoder.gatt, loop=loop, scan_s=1)
    transport.open()
    transport.write(START_ECG)
    assert transport.read(WAIT_S) is not None
    transport.close()
    loop.submit(strap.leave()).result(WAIT_S)
