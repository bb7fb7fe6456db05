"""From a strap on a Bluetooth stack in memory to its alerts on a real broker, by `edge run`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("bumble", reason="bumble, the Bluetooth stack in memory, is not installed")

from edge.config import Config
from edge.run import RunOptions
from edge.run import run as run_configured
from edge.runtime import Runtime
from firmware_bridge.native import NativeDecoder
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.source import Source, open_source
from firmware_bridge.stream import NS_PER_S, Packet
from firmware_bridge.transports.ble import BleTransport
from firmware_bridge.transports.ble_loop import BleLoop
from firmware_bridge.transports.ble_scan import BleTarget
from tests.firmware_bridge.ble_world import World
from tests.firmware_bridge.devices.pmd_encoder import ecg_frame
from tests.firmware_bridge.virtual_straps import START_ECG, STOP_ECG, VirtualH10
from tests.mosquitto import Mosquitto, Received, needs_mosquitto
from tests.patience import WAIT_S

pytestmark = [pytest.mark.broker, needs_mosquitto]

RATE_HZ = 130.0
SAMPLES = 73
DURATION_S = 60.0
LOST_AFTER_S = 4.0


def notifications() -> list[bytes]:
    """A minute of the virtual patient whose heart stops, as a strap frames it."""
    patch = VirtualPatch(PatchConfig("asystole", rate_hz=RATE_HZ, duration_s=DURATION_S))
    decoder = NativeDecoder()
    frames = [frame for item in patch.frames() for frame in decoder.push(Packet(item.data, 0))]
    ecg_uv = np.concatenate([frame.samples_uv[:, 0] for frame in frames]).round().astype(int)
    stamps = range(SAMPLES, len(ecg_uv), SAMPLES)
    return [
        ecg_frame(ecg_uv[stop - SAMPLES : stop].tolist(), round((stop - 1) / RATE_HZ * NS_PER_S))
        for stop in stamps
    ]


@pytest.fixture
def loop() -> Iterator[BleLoop]:
    loop = BleLoop()
    yield loop
    loop.stop()


def kinds(messages: list[Received]) -> set[tuple[str, str]]:
    return {(message.json["kind"], message.json["phase"]) for message in messages}


@pytest.mark.parametrize("fault", ["silent", "lost"])
def test_strap_raises_its_alerts_on_the_broker(loop: BleLoop, tmp_path: Path, fault: str) -> None:
    """The heart stops; then the strap falls silent or is lost; at the end it is told to rest."""
    world = World(loop, (VirtualH10, notifications()))

    def opened(uri: str) -> Source:
        source = open_source(uri)
        assert isinstance(source.transport, BleTransport)
        transport = BleTransport(
            BleTarget(name="Polar*"), source.decoder.gatt, loop=loop, scan_s=0.2
        )
        return replace(source, transport=transport)

    with Mosquitto() as broker, broker.subscribe("edge/strap/alert") as alerts:
        config = msgspec.convert(
            {
                "patient": [{"id": "strap", "source": "ble://?name=Polar*", "bundle": "none"}],
                "mqtt": {"url": broker.url},
                "storage": {"directory": str(tmp_path)},
            },
            Config,
        )

        def watch(runtime: Runtime) -> None:
            try:
                alerts.wait_for(lambda got: ("asystole", "start") in kinds(got))
                if fault == "lost":
                    world.run(world.strap.vanish())
                alerts.wait_for(lambda got: ("signal_lost", "start") in kinds(got))
                world.run(world.strap.come_back())
                alerts.wait_for(lambda got: ("signal_lost", "end") in kinds(got))
            finally:
                runtime.stop()

        watching: list[threading.Thread] = []

        def ready(runtime: Runtime) -> None:
            watching.append(threading.Thread(target=watch, args=(runtime,), daemon=True))
            watching[0].start()

        assert run_configured(config, RunOptions(json=True), opened, ready) == 0
        watching[0].join(WAIT_S)
        messages = {(m.json["kind"], m.json["phase"]): m.json for m in alerts.received}
    assert messages["asystole", "start"]["priority"] == "high"
    assert messages["asystole", "start"]["device"]
    assert messages["signal_lost", "start"]["evidence"]["silent_s"] >= LOST_AFTER_S
    assert ("signal_lost", "end") in messages
    assert world.strap.commands == [START_ECG, START_ECG, STOP_ECG]
