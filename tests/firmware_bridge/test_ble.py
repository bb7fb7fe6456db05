"""The BLE transport against a strap on a Bluetooth stack in memory, to decoded frames."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("bumble", reason="bumble, the Bluetooth stack in memory, is not installed")

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
)

from firmware_bridge.devices.heart_rate import HeartRateDecoder
from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.errors import (
    NotInReachError,
    SourceError,
    SourceUriError,
    TransientSourceError,
)
from firmware_bridge.protocols import GattProfile
from firmware_bridge.scan import scan_ble
from firmware_bridge.source import open_source
from firmware_bridge.stream import Frame, HeartRate
from firmware_bridge.transports import ble, ble_gatt, ble_scan
from firmware_bridge.transports.ble import BleTransport
from firmware_bridge.transports.ble_loop import BleLoop
from firmware_bridge.transports.ble_radio import Radio
from firmware_bridge.transports.ble_scan import Advertiser, BleTarget
from tests.firmware_bridge import bumble_radio as air
from tests.firmware_bridge.ble_world import STRAP_ADDRESS, WAIT_S, World
from tests.firmware_bridge.virtual_straps import (
    PMD_CONTROL,
    PMD_DATA,
    START_ECG,
    STOP_ECG,
    VirtualH10,
    VirtualHeartRateStrap,
)

FRAMES = [
    bytes([0]) + (599_622_173_000_000_000 + k * 561_538_461).to_bytes(8, "little") + bytes([0])
    + b"".join((100 * k + i - 36).to_bytes(3, "little", signed=True) for i in range(73))
    for k in range(6)
]  # fmt: skip
H10 = (VirtualH10, FRAMES)
PULSE = [b"\x16\x48\x40\x03", b"\x14\x50"]
POLAR = BleTarget(name="Polar*")


@pytest.fixture
def loop() -> Iterator[BleLoop]:
    loop = BleLoop()
    yield loop
    loop.stop()


def frames_of(transport: BleTransport, decoder: PolarH10Decoder, wanted: int) -> list[Frame]:
    frames: list[Frame] = []
    while len(frames) < wanted:
        packet = transport.read(WAIT_S)
        assert packet is not None, f"only {len(frames)} frames came"
        frames += decoder.push(packet)
    return frames


def read_on(transport: BleTransport) -> None:
    while transport.read(WAIT_S):
        pass


def test_strap_is_found_and_streams_to_decoded_frames(loop: BleLoop) -> None:
    world, decoder = World(loop, H10), PolarH10Decoder()
    transport = world.transport(decoder, BleTarget(name="polar h10 *"))
    transport.open()
    transport.write(START_ECG)
    frames = frames_of(transport, decoder, len(FRAMES))
    transport.write(STOP_ECG)
    transport.close()

    samples = np.concatenate([frame.samples_uv[:, 0] for frame in frames])
    assert samples.tolist() == [100 * k + i - 36 for k in range(6) for i in range(73)]
    assert [frame.battery_percent for frame in frames] == [87] * 6
    assert [frame.lead_off for frame in frames] == [0] * 6
    assert decoder.count.bad_frames == 0
    assert decoder.refusals == 0
    assert world.strap.commands == [START_ECG, STOP_ECG]


def test_strap_without_control_point_tells_heart_rate_contact_and_battery(loop: BleLoop) -> None:
    world, decoder = World(loop, (VirtualHeartRateStrap, PULSE)), HeartRateDecoder()
    transport = world.transport(decoder, BleTarget(service=decoder.gatt.advertised))
    transport.open()
    told: list[HeartRate] = []
    while len(told) < len(PULSE):
        packet = transport.read(WAIT_S)
        assert packet is not None
        decoder.push(packet)
        told += [each for each in decoder.readings() if isinstance(each, HeartRate)]
        told = [each for each in told if each.bpm]
    with pytest.raises(SourceError, match="takes no commands"):
        transport.write(b"x")
    transport.close()
    assert [(each.bpm, each.contact) for each in told] == [(72, True), (80, False)]
    assert told[-1].battery_percent == 87


@pytest.mark.parametrize(
    ("heart_rate", "lead_off"),
    [(b"\x14\x48", 1), (b"\x16\x48", 0), (b"\x10\x48", 0)],
    ids=["no contact", "contact", "contact not told"],
)
def test_contact_comes_through(loop: BleLoop, heart_rate: bytes, lead_off: int) -> None:
    world, decoder = World(loop, H10), PolarH10Decoder()
    world.strap.heart_rate = heart_rate
    transport = world.transport(decoder, POLAR)
    transport.open()
    transport.write(START_ECG)
    frames = frames_of(transport, decoder, len(FRAMES))
    transport.close()
    assert {frame.lead_off for frame in frames} == {lead_off}


def test_data_that_can_be_read_are_not_given_twice(loop: BleLoop) -> None:
    world, decoder = World(loop, H10), PolarH10Decoder()
    gatt = GattProfile(control="", data=(PMD_CONTROL,), side=(decoder.gatt.side))
    transport = BleTransport(POLAR, gatt, loop=loop)
    transport.open()
    channels = []
    while packet := transport.read(0.1):
        channels.append(packet.channel)
    transport.close()
    assert PMD_CONTROL not in channels
    assert channels
    assert world.strap.commands == []


def test_device_tells_who_it_is(loop: BleLoop) -> None:
    world, decoder = World(loop, H10, mtu=100), PolarH10Decoder()
    transport = world.transport(decoder, POLAR)
    assert transport.about() == {}
    transport.open()
    about = transport.about()
    transport.close()
    assert about["manufacturer"] == "Maker"
    assert about["model"] == VirtualH10.name
    assert about["firmware"] == "5.0.0"
    assert about["MTU"] == "100 bytes"
    assert "hardware" not in about


def test_two_straps_are_read_at_once(loop: BleLoop) -> None:
    world = World(loop, H10, (VirtualHeartRateStrap, PULSE))
    h10, rate = PolarH10Decoder(), HeartRateDecoder()
    ecg = world.transport(h10, POLAR)
    pulse = world.transport(rate, BleTarget(name="HRM*"))
    ecg.open()
    pulse.open()
    ecg.write(START_ECG)
    assert len(frames_of(ecg, h10, len(FRAMES))) == len(FRAMES)
    while rate.count.frames < len(PULSE):
        packet = pulse.read(WAIT_S)
        assert packet is not None
        rate.push(packet)
    ecg.close()
    pulse.close()


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        (BleTarget(), True),
        (BleTarget(address=STRAP_ADDRESS.lower()), True),
        (BleTarget(address="C4:00:00:00:00:02"), False),
        (BleTarget(name="polar*20"), True),
        (BleTarget(name="Polar"), False),
        (BleTarget(service="180D"), True),
        (BleTarget(service="180f"), False),
        (BleTarget(name="Polar*", service="fb005c80-02e7-f387-1cad-8acd2d8df0c8"), False),
    ],
)
def test_target_matches_by_all_that_it_names(target: BleTarget, meant: bool) -> None:
    device = BLEDevice(STRAP_ADDRESS, VirtualH10.name, None)
    services = ["0000180d-0000-1000-8000-00805f9b34fb"]
    seen = AdvertisementData(VirtualH10.name, {}, {}, services, None, -50, ())
    assert target.matches(device, seen) is meant


def test_lost_link_is_transient_and_opens_again(loop: BleLoop) -> None:
    world = World(loop, H10)
    transport = world.transport(PolarH10Decoder(), POLAR)
    for _ in range(2):
        transport.open()
        transport.write(START_ECG)
        assert len(frames_of(transport, PolarH10Decoder(), len(FRAMES))) == len(FRAMES)
        world.run(world.strap.walk_away())
        with pytest.raises(TransientSourceError, match="connection lost"):
            read_on(transport)
    transport.close()


def test_strap_out_of_reach_is_told_as_that(loop: BleLoop) -> None:
    transport = World(loop).transport(PolarH10Decoder(), BleTarget(name="Another*"), scan_s=0.1)
    with pytest.raises(NotInReachError, match=r"Another\*: not in reach"):
        transport.open()
    with pytest.raises(TransientSourceError, match="not connected"):
        transport.write(START_ECG)


def test_device_without_the_data_characteristic_is_refused(loop: BleLoop) -> None:
    World(loop, H10)
    gatt = GattProfile(control=PMD_CONTROL, data=("0000fff1" + PMD_DATA[8:],))
    transport = BleTransport(POLAR, gatt, loop=loop, scan_s=5)
    with pytest.raises(SourceError, match="no characteristic 0000fff1") as caught:
        transport.open()
    assert not isinstance(caught.value, TransientSourceError)


def test_scanner_rests_when_nobody_looks(loop: BleLoop) -> None:
    world = World(loop)
    transport = world.transport(PolarH10Decoder(), BleTarget(name="Another*"), scan_s=0.1)
    with pytest.raises(NotInReachError):
        transport.open()
    assert loop.radio._scanner is None


def test_one_scanner_looks_for_all_and_rests_while_one_connects(loop: BleLoop) -> None:
    world = World(loop, H10)
    scanning: list[int] = []
    running = [0]

    class Counted(loop.radio._scanner_options["backend"]):  # type: ignore[misc, name-defined]
        async def start(self) -> None:
            running[0] += 1
            scanning.append(running[0])
            await super().start()

        async def stop(self) -> None:
            running[0] -= 1
            await super().stop()

    class Watchful(loop.radio.client_options["backend"]):  # type: ignore[misc, name-defined]
        async def connect(self, pair: bool = False, **options: object) -> None:
            assert running[0] == 0
            await super().connect(**options)

    loop.radio = Radio(Watchful, Counted)
    absent = [
        loop.submit(loop.radio.find(BleTarget(name=f"Absent{k}").matches, 3600)) for k in range(2)
    ]
    transport = world.transport(PolarH10Decoder(), POLAR, scan_s=WAIT_S)
    for _ in range(3):
        transport.open()
        transport.close()
    assert set(scanning) == {1}
    assert not any(each.done() for each in absent)


def test_strap_that_another_source_reads_is_not_found(loop: BleLoop) -> None:
    world = World(loop, H10, H10)
    first, second, third = (world.transport(PolarH10Decoder(), POLAR, scan_s=0.5) for _ in range(3))
    first.open()
    second.open()
    assert {first.about()["address"], second.about()["address"]} == loop.radio.taken
    with pytest.raises(NotInReachError):
        third.open()
    second.close()
    third.open()
    third.close()
    first.close()
    assert loop.radio.taken == set()


def test_busy_adapter_is_asked_again_and_then_named(
    loop: BleLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmware_bridge.transports.ble_radio.BUSY_WAITS_S", (0.001, 0.001))
    world = World(loop, H10)
    scanner = loop.radio._scanner_options["backend"]
    refusals = [2]

    class Busy(scanner):  # type: ignore[misc, valid-type]
        async def start(self) -> None:
            refusals[0] -= 1
            if refusals[0] >= 0:
                raise BleakDBusError(
                    "org.bluez.Error.InProgress", ["Operation already in progress"]
                )
            await super().start()

    loop.radio = Radio(loop.radio.client_options["backend"], Busy)
    transport = world.transport(PolarH10Decoder(), POLAR)
    transport.open()
    transport.close()
    refusals[0] = 3
    with pytest.raises(TransientSourceError, match="restart bluetooth"):
        transport.open()


def test_peripheral_that_never_answers_the_connection_is_given_up(
    loop: BleLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble, "CONNECT_S", 0.05)
    world = World(loop, H10)

    class Deaf(loop.radio.client_options["backend"]):  # type: ignore[misc, name-defined]
        async def connect(self, pair: bool = False, **_: object) -> None:
            await asyncio.Event().wait()

    deaf, answering = Radio(Deaf, loop.radio._scanner_options["backend"]), loop.radio
    loop.radio = deaf
    transport = world.transport(PolarH10Decoder(), POLAR)
    with pytest.raises(TransientSourceError, match="no answer"):
        transport.open()
    loop.radio = answering
    monkeypatch.setattr(ble, "CONNECT_S", WAIT_S)
    transport.open()
    transport.close()


def test_device_that_bonds_is_paired(loop: BleLoop) -> None:
    World(loop, H10)
    paired: list[bool] = []

    class Pairing(loop.radio.client_options["backend"]):  # type: ignore[misc, name-defined]
        async def connect(self, pair: bool = False, **options: object) -> None:
            paired.append(pair)
            await super().connect(**options)

    loop.radio = Radio(Pairing, loop.radio._scanner_options["backend"])
    for bond in (True, False):
        gatt = GattProfile(control="", data=(PMD_DATA,), bond=bond)
        transport = BleTransport(POLAR, gatt, loop=loop)
        transport.open()
        transport.close()
    assert paired == [True, False]


def test_notifications_that_nobody_reads_are_bounded_and_counted() -> None:
    inbox = ble_gatt.Inbox()
    for k in range(ble_gatt.INBOX_PACKETS + 5):
        inbox.put(PMD_DATA, bytes([k % 256]))
    inbox.hang_up()
    assert inbox.dropped == 5
    kept = [inbox.get(0) for _ in range(ble_gatt.INBOX_PACKETS)]
    assert [packet.data[0] for packet in kept if packet] == [
        k % 256 for k in range(ble_gatt.INBOX_PACKETS)
    ]
    assert inbox.get(0) is None


def test_machine_without_bluetooth_says_so(loop: BleLoop) -> None:
    class NoBus(air._Scanner):
        async def start(self) -> None:
            raise FileNotFoundError(2, "No such file or directory")

    class Off(air._Scanner):
        async def start(self) -> None:
            reason = BleakBluetoothNotAvailableReason.POWERED_OFF
            raise BleakBluetoothNotAvailableError("no powered adapter", reason)

    for scanner, words in ((NoBus, "no Bluetooth on this machine"), (Off, "no powered adapter")):
        loop.radio = Radio(air._Client, scanner)
        transport = BleTransport(BleTarget(name="x"), PolarH10Decoder.gatt, loop=loop)
        with pytest.raises(SourceError, match=words) as caught:
            transport.open()
        assert not isinstance(caught.value, TransientSourceError)


def test_scan_lists_each_strap_with_its_decoder(
    loop: BleLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    World(loop, H10, (VirtualHeartRateStrap, PULSE))
    found = ble_scan.advertisers(1.5, loop=loop)
    assert sorted(each.name for each in found) == [VirtualHeartRateStrap.name, VirtualH10.name]
    lamp = Advertiser("AA:BB:CC:DD:EE:FF", "Lamp", -200)
    monkeypatch.setattr(ble_scan, "advertisers", lambda _: [lamp, *found])
    listed = scan_ble(1.0)
    assert {(each.name, each.device) for each in listed} == {
        (VirtualH10.name, "polar_h10"),
        (VirtualHeartRateStrap.name, "heart_rate"),
        ("Lamp", ""),
    }
    assert listed[-1].uri == "ble://AA:BB:CC:DD:EE:FF"
    strap = next(each for each in listed if each.device == "polar_h10")
    assert strap.uri == f"ble://{STRAP_ADDRESS}?device=polar_h10"
    assert open_source(strap.uri).transport.name == STRAP_ADDRESS


def test_uri_becomes_a_target() -> None:
    source = open_source("ble://?name=Polar*")
    assert source.description == "polar_h10 over Bluetooth LE: Polar*"
    assert source.data_channels == (PMD_DATA,)
    assert not source.finite
    by_address = open_source("ble://AA:BB:CC:DD:EE:FF?device=polar_h10")
    assert by_address.transport.name == "AA:BB:CC:DD:EE:FF"
    assert open_source("ble:?device=polar_h10").transport.name == "Polar H10*"
    assert "180d" in open_source("ble:?device=heart_rate").transport.name


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("ble://AA:BB", "no address"),
        ("ble://?device=native", "not reached over Bluetooth"),
        ("ble://?service=hrs", "4 hexadecimal digits"),
    ],
)
def test_wrong_uri_is_refused(uri: str, words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        open_source(uri)
