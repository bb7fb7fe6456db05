"""The BLE transport against a strap on a Bluetooth stack in memory, to decoded frames."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("bumble", reason="bumble, the Bluetooth stack in memory, is not installed")

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason

from firmware_bridge.devices.polar_h10 import PMD_DATA, START_ECG, STOP_ECG, PolarH10Decoder
from firmware_bridge.errors import SourceError, SourceUriError, TransientSourceError
from firmware_bridge.link import Link, LinkEvent, LinkState, LinkTiming
from firmware_bridge.scan import scan_ble
from firmware_bridge.source import Source, open_source
from firmware_bridge.stream import Frame, Packet
from firmware_bridge.transports import ble, ble_scan
from firmware_bridge.transports.ble import BleTransport
from firmware_bridge.transports.ble_loop import BleLoop
from firmware_bridge.transports.ble_scan import BleTarget
from tests.firmware_bridge import bumble_radio as air

WAIT_S = 20.0
FRAMES = [
    bytes([0]) + (599_622_173_000_000_000 + k * 561_538_461).to_bytes(8, "little") + bytes([0])
    + b"".join((100 * k + i - 36).to_bytes(3, "little", signed=True) for i in range(73))
    for k in range(6)
]  # fmt: skip


@pytest.fixture
def loop() -> Iterator[BleLoop]:
    loop = BleLoop()
    yield loop
    loop.stop()


class World:
    """One strap and one central in reach of each other."""

    def __init__(self, loop: BleLoop, mtu: int = air.MTU) -> None:
        self.loop = loop
        self.strap, self.backends = loop.submit(self._build(mtu)).result(WAIT_S)

    async def _build(self, mtu: int) -> tuple[air.VirtualStrap, tuple[type, type]]:
        radio = air.Radio()
        strap = air.VirtualStrap(radio.device("strap", air.STRAP_ADDRESS), FRAMES)
        central = radio.device("central", "C4:00:00:00:00:02")
        await central.power_on()
        await strap.advertise()
        return strap, air.backends(central, mtu)

    def transport(self, target: BleTarget, scan_s: float = 5.0) -> BleTransport:
        gatt = PolarH10Decoder.gatt
        return BleTransport(target, gatt, loop=self.loop, backends=self.backends, scan_s=scan_s)

    def walk_away(self) -> None:
        self.loop.submit(self.strap.walk_away()).result(WAIT_S)


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
    world = World(loop)
    transport, decoder = world.transport(BleTarget(name="polar h10 *")), PolarH10Decoder()
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


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        (BleTarget(), True),
        (BleTarget(address=air.STRAP_ADDRESS.lower()), True),
        (BleTarget(address="C4:00:00:00:00:02"), False),
        (BleTarget(name="polar*20"), True),
        (BleTarget(name="Polar"), False),
        (BleTarget(service="180D"), True),
        (BleTarget(service="180f"), False),
        (BleTarget(name="Polar*", service="fb005c80-02e7-f387-1cad-8acd2d8df0c8"), False),
    ],
)
def test_target_matches_by_all_that_it_names(target: BleTarget, meant: bool) -> None:
    device = BLEDevice(air.STRAP_ADDRESS, air.STRAP_NAME, None)
    services = ["0000180d-0000-1000-8000-00805f9b34fb"]
    seen = AdvertisementData(air.STRAP_NAME, {}, {}, services, None, -50, ())
    assert target.matches(device, seen) is meant


def test_lost_link_is_transient_and_opens_again(loop: BleLoop) -> None:
    world = World(loop)
    transport = world.transport(BleTarget(name="Polar*"))
    for _ in range(2):
        transport.open()
        transport.write(START_ECG)
        assert len(frames_of(transport, PolarH10Decoder(), len(FRAMES))) == len(FRAMES)
        world.walk_away()
        with pytest.raises(TransientSourceError, match="connection lost"):
            read_on(transport)
    transport.close()


def test_supervisor_starts_the_stream_again_after_a_loss(loop: BleLoop) -> None:
    world = World(loop)
    decoder = PolarH10Decoder()
    transport = world.transport(BleTarget(name="Polar*"))
    source = Source("ble://", transport, decoder, False, "strap", data_channels=(PMD_DATA,))
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(source, events, timing=LinkTiming(backoff_min_s=0.01))
    link.start()
    phases: list[str] = []
    frames = 0
    while frames < 2 * len(FRAMES):
        event = events.get(timeout=WAIT_S)
        if isinstance(event, Packet):
            frames += len(decoder.push(event))
            if frames == len(FRAMES) and "disconnected" not in phases:
                world.walk_away()
        else:
            phases.append(event.phase)
    assert link.stop(WAIT_S)
    assert phases == ["connecting", "streaming", "disconnected", "connecting", "streaming"]
    assert world.strap.commands == [START_ECG, START_ECG, STOP_ECG]


def test_refused_start_is_said_in_words(loop: BleLoop) -> None:
    world = World(loop, mtu=50)
    decoder = PolarH10Decoder()
    transport = world.transport(BleTarget(name="Polar*"))
    source = Source("ble://", transport, decoder, False, "strap", data_channels=(PMD_DATA,))
    reasons: queue.Queue[str] = queue.Queue()

    def take(event: LinkEvent) -> None:
        if isinstance(event, Packet):
            decoder.push(event)
        elif event.phase == "disconnected":
            reasons.put(event.reason)

    link = Link(source, take)
    link.start()
    assert "MTU is too small" in reasons.get(timeout=WAIT_S)
    assert link.stop(WAIT_S)


def test_strap_out_of_reach_is_transient(loop: BleLoop) -> None:
    transport = World(loop).transport(BleTarget(name="Another*"), scan_s=0.1)
    with pytest.raises(TransientSourceError, match=r"Another\*: not in reach"):
        transport.open()
    with pytest.raises(TransientSourceError, match="not connected"):
        transport.write(START_ECG)


def test_close_ends_a_scan_under_way(loop: BleLoop) -> None:
    transport = World(loop).transport(BleTarget(name="Another*"), scan_s=600)
    source = Source("ble://", transport, PolarH10Decoder(), False, "strap")
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(source, events)
    link.start()
    first = events.get(timeout=WAIT_S)
    assert isinstance(first, LinkState)
    assert first.phase == "connecting"
    assert link.stop(WAIT_S)


def test_device_without_the_data_characteristic_is_refused(loop: BleLoop) -> None:
    world = World(loop)
    gatt = ble.GattProfile(control=PolarH10Decoder.gatt.control, data=("0000fff1" + PMD_DATA[8:],))
    transport = BleTransport(
        BleTarget(name="Polar*"), gatt, loop=loop, backends=world.backends, scan_s=5
    )
    with pytest.raises(SourceError, match="no characteristic 0000fff1") as caught:
        transport.open()
    assert not isinstance(caught.value, TransientSourceError)


def test_notifications_that_nobody_reads_are_bounded_and_counted() -> None:
    inbox = ble._Inbox()
    for k in range(ble.INBOX_PACKETS + 5):
        inbox.put(PMD_DATA, bytes([k % 256]))
    inbox.hang_up()
    assert inbox.dropped == 5
    kept = [inbox.get(0) for _ in range(ble.INBOX_PACKETS)]
    assert [packet.data[0] for packet in kept if packet] == [
        k % 256 for k in range(ble.INBOX_PACKETS)
    ]
    assert inbox.get(0) is None


def test_machine_without_bluetooth_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoBus(air._Scanner):
        async def start(self) -> None:
            raise FileNotFoundError(2, "No such file or directory")

    class Off(air._Scanner):
        async def start(self) -> None:
            reason = BleakBluetoothNotAvailableReason.POWERED_OFF
            raise BleakBluetoothNotAvailableError("no powered adapter", reason)

    for scanner, words in ((NoBus, "no Bluetooth on this machine"), (Off, "no powered adapter")):
        transport = BleTransport(
            BleTarget(name="x"), PolarH10Decoder.gatt, backends=(air._Client, scanner)
        )
        with pytest.raises(SourceError, match=words) as caught:
            transport.open()
        assert not isinstance(caught.value, TransientSourceError)


def test_scan_lists_the_strap_with_its_decoder(
    loop: BleLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(loop)
    found = ble_scan.advertisers(1.5, loop=loop, scanner=world.backends[1])
    assert [(address, name) for address, name, _ in found] == [(air.STRAP_ADDRESS, air.STRAP_NAME)]
    monkeypatch.setattr(
        ble_scan, "advertisers", lambda _: [*found, ("AA:BB:CC:DD:EE:FF", "Lamp", -200)]
    )
    strap, lamp = scan_ble(1.0)
    assert strap.uri == f"ble://{air.STRAP_ADDRESS}?device=polar_h10"
    assert lamp.uri == "ble://AA:BB:CC:DD:EE:FF"
    assert open_source(strap.uri).transport.name == air.STRAP_ADDRESS


def test_uri_becomes_a_target() -> None:
    source = open_source("ble://?name=Polar*")
    assert source.description == "polar_h10 over Bluetooth LE: Polar*"
    assert source.data_channels == (PMD_DATA,)
    assert not source.finite
    by_address = open_source("ble://AA:BB:CC:DD:EE:FF?device=polar_h10")
    assert by_address.transport.name == "AA:BB:CC:DD:EE:FF"
    assert open_source("ble:?device=polar_h10").transport.name == "Polar H10*"


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
