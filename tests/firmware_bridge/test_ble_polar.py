"""Polar's sensors that must be talked to, on a Bluetooth stack in memory, to their readings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

pytest.importorskip("bumble", reason="bumble, the Bluetooth stack in memory, is not installed")

from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.devices.polar_optical import PolarVerityDecoder
from firmware_bridge.protocols import GattDevice, Telling
from firmware_bridge.stream import HeartRate, Reading, Waveform
from firmware_bridge.transports.ble_loop import BleLoop
from firmware_bridge.transports.ble_scan import BleTarget
from tests.firmware_bridge.ble_world import Watched, World
from tests.firmware_bridge.devices.heart_rate_wire import measurement
from tests.firmware_bridge.devices.pmd_encoder import acc_frame, ecg_frame, ppg_frame, ppi_frame
from tests.firmware_bridge.devices.polar_optical_wire import (
    ACC_BLOCKS,
    ACC_ROWS,
    FEATURES,
    PLAIN_ROWS,
    PPG_BLOCKS,
    PPG_ROWS,
    answer,
)
from tests.firmware_bridge.virtual_straps import (
    FLAGS,
    HEART_RATE,
    NOTHING,
    PMD,
    PMD_CONTROL,
    PMD_DATA,
    READ,
    WRITE,
    VirtualH10,
    VirtualStrap,
)

START, ACC = 2, 2
LIGHT = PPG_ROWS[:PLAIN_ROWS]


class VirtualVeritySense(VirtualStrap):
    """Polar Verity Sense: tells its settings, takes one command at a time, and sends what was
    started: of each measurement the payloads that begin with its number.

    busy: commands that came before the reply to the one before was confirmed.
    """

    name = "Polar Sense B1A2C3D4"
    advertised = ("180d", "feee")

    def __init__(self, device: Device, payloads: Sequence[bytes]) -> None:
        self.busy = 0
        self._replying = False
        self._control = Characteristic(
            UUID(PMD_CONTROL),
            FLAGS.READ | FLAGS.WRITE | FLAGS.INDICATE,
            READ | WRITE,
            CharacteristicValue(read=lambda _: FEATURES, write=self._commanded),
        )
        self._data = Characteristic(UUID(PMD_DATA), FLAGS.NOTIFY, NOTHING, b"")
        self._rate = Characteristic(UUID(HEART_RATE), FLAGS.NOTIFY, NOTHING, b"")
        super().__init__(device, payloads)

    def services(self) -> list[Service]:
        return [
            Service(UUID(0x180D), [self._rate]),
            Service(UUID(PMD), [self._control, self._data]),
        ]

    def _commanded(self, _: Connection, command: bytes) -> None:
        self.busy += self._replying
        self._replying = True
        self.commands.append(bytes(command))
        self.soon(self._answer(bytes(command)))

    async def _answer(self, command: bytes) -> None:
        for packet in answer(command):
            await self._device.indicate_subscribers(self._control, packet.data)
        self._replying = False
        if command[0] == START:
            await self._device.notify_subscribers(self._rate, measurement(62))
            for payload in self._payloads:
                if payload[0] == command[1]:
                    await self._device.notify_subscribers(self._data, payload)


class VirtualMovingH10(VirtualH10):
    """Polar H10 that streams its payloads once its movement sensor is started too."""

    def _reply(self, connection: Connection, command: bytes) -> bytes:
        if command[:2] == bytes([START, ACC]):
            self.soon(self.send())
        return bytes([0xF0, *command[:2], 0, 0, 0])


@pytest.fixture
def loop() -> Iterator[BleLoop]:
    loop = BleLoop()
    yield loop
    loop.stop()


def readings_of(watched: Watched, kinds: set[str]) -> list[Reading]:
    """Take events until a reading of each of these kinds has been told."""
    decoder, told = watched.decoder, []
    assert isinstance(decoder, Telling)
    while not kinds <= {_kind(each) for each in told}:
        watched.take()
        told += decoder.readings()
        assert "stalled" not in watched.phases, f"only {told} came"
    return told


def _kind(reading: Reading) -> str:
    if isinstance(reading, Waveform):
        return reading.kind
    return "rr" if reading.rr_ms else "rate"


def watch(world: World, decoder: PolarH10Decoder | PolarVerityDecoder) -> Watched:
    assert isinstance(decoder, GattDevice)
    return Watched(world.source(decoder, BleTarget(name=decoder.gatt.name)))


def test_armband_is_asked_step_by_step_and_tells_light_movement_and_intervals(
    loop: BleLoop,
) -> None:
    payloads = [
        ppg_frame(PPG_ROWS, 10**9, PPG_BLOCKS),
        acc_frame(ACC_ROWS, 10**9, ACC_BLOCKS),
        ppi_frame([(62, 968, 10, 0)]),
    ]
    world = World(loop, (VirtualVeritySense, payloads))
    watched = watch(world, PolarVerityDecoder(acc=52, ppi=True))
    told = readings_of(watched, {"ppg", "acc", "rr", "rate"})
    watched.stop()
    waves = [each for each in told if isinstance(each, Waveform)]
    assert [each.samples.tolist() for each in waves] == [
        [list(row) for row in rows] for rows in (PPG_ROWS, ACC_ROWS)
    ]
    assert [each.rate_hz for each in waves] == [55.0, 52.0]
    assert HeartRate(62, (968,), None, 87) in told
    heads = [bytes(command[:2]) for command in world.strap.commands]
    assert heads == [b"\1\1", b"\2\1", b"\1\2", b"\2\2", b"\2\3", b"\3\3", b"\3\2", b"\3\1"]
    assert world.strap.busy == 0


def test_armband_is_asked_anew_after_it_was_away(loop: BleLoop) -> None:
    world = World(loop, (VirtualVeritySense, [ppg_frame(LIGHT, 10**9)]))
    watched = watch(world, PolarVerityDecoder())
    readings_of(watched, {"ppg"})
    world.run(world.strap.walk_away())
    readings_of(watched, {"ppg"})
    watched.stop()
    assert watched.phases.count("streaming") == 2


def test_h10_streams_ecg_and_movement(loop: BleLoop) -> None:
    payloads = [ecg_frame(range(-36, 37), 10**9), acc_frame(ACC_ROWS, 10**9)]
    world = World(loop, (VirtualMovingH10, payloads))
    watched = watch(world, PolarH10Decoder(acc=200))
    told = readings_of(watched, {"acc", "rr"})
    watched.stop()
    assert watched.frames[0].samples_uv[:, 0].tolist() == list(range(-36, 37))
    assert [each.samples.tolist() for each in told if isinstance(each, Waveform)] == [
        [list(row) for row in ACC_ROWS]
    ]
    assert world.strap.commands[-2:] == [b"\3\0", b"\3\2"]
