"""Faults of Bluetooth straps, seen by the supervisor: what is told, and that it streams again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("bumble", reason="bumble, the Bluetooth stack in memory, is not installed")

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.heart_rate import HeartRateDecoder
from firmware_bridge.devices.polar_h10 import PolarH10Decoder
from firmware_bridge.link import Link
from firmware_bridge.stream import NS_PER_S, Chunk, Gap
from firmware_bridge.timeline import Timeline
from firmware_bridge.transports.ble_loop import BleLoop
from firmware_bridge.transports.ble_scan import BleTarget
from tests.firmware_bridge.ble_world import Watched, World
from tests.firmware_bridge.specimens import specimens
from tests.firmware_bridge.virtual_straps import (
    START_ECG,
    STOP_ECG,
    VirtualBareStrap,
    VirtualH10,
    VirtualMovesense,
)
from tests.firmware_bridge.watched_for import PAUSE_MAX_S, CountedBackOff, await_looks, count_looks
from tests.patience import FULL, WAIT_S

STEP_NS = 561_538_461
SAMPLES = 73
RECONNECTS = 200 if FULL else 40


def frame(k: int) -> bytes:
    """The k-th frame of a strap that counts from its frame's number."""
    stamp = (599_622_173_000_000_000 + k * STEP_NS).to_bytes(8, "little")
    values = range(k * SAMPLES, (k + 1) * SAMPLES)
    return bytes([0]) + stamp + bytes([0]) + b"".join(v.to_bytes(3, "little") for v in values)


FRAMES = [frame(k) for k in range(4)]
POLAR = BleTarget(name="Polar*")


@pytest.fixture
def loop() -> Iterator[BleLoop]:
    loop = BleLoop()
    yield loop
    loop.stop()


def watch(world: World, **options: object) -> Watched:
    return Watched(world.source(PolarH10Decoder(), POLAR), **options)  # type: ignore[arg-type]


def test_stream_is_started_again_after_a_loss_and_stopped_at_the_end(loop: BleLoop) -> None:
    world = World(loop, (VirtualH10, FRAMES))
    watched = watch(world)
    watched.until_frames(len(FRAMES))
    world.run(world.strap.walk_away())
    watched.until_frames(2 * len(FRAMES))
    watched.stop()
    assert watched.phases == ["connecting", "streaming", "disconnected", "connecting", "streaming"]
    assert world.strap.commands == [START_ECG, START_ECG, STOP_ECG]


def test_strap_that_comes_back_streams_within_two_seconds(loop: BleLoop) -> None:
    """With the timing of the shipped link: no back-off counts while it is out of reach."""
    world = World(loop, (VirtualH10, FRAMES))
    source = world.source(PolarH10Decoder(), POLAR, scan_s=0.1)
    timing = CountedBackOff()
    watched = Watched(source, timing)
    watched.until_frames(len(FRAMES))
    world.run(world.strap.vanish())
    watched.until_phase("disconnected")
    watched.until_phase("disconnected", 2)
    assert "not in reach" in watched.reasons[-1]
    await_looks(count_looks(source), 4)
    world.run(world.strap.come_back())
    watched.until_phase("streaming", 2)
    assert max(timing.noted_s) <= PAUSE_MAX_S  # backing off would double it at each look
    watched.stop()
    assert watched.phases.count("disconnected") == 2  # said once, however long it was away


def test_refused_start_is_said_in_words_and_tried_again(loop: BleLoop) -> None:
    world = World(loop, (VirtualH10, FRAMES))
    world.strap.refusal = 13
    watched = watch(world)
    watched.until_phase("disconnected")
    assert "charger" in watched.reasons[-1]
    world.strap.refusal = 0
    watched.until_frames(len(FRAMES))
    watched.stop()


def test_small_mtu_is_said_in_words(loop: BleLoop) -> None:
    watched = watch(World(loop, (VirtualH10, FRAMES), mtu=50))
    watched.until_phase("disconnected")
    assert "MTU is too small" in watched.reasons[-1]
    watched.stop()


def test_silent_strap_is_told_to_start_again(loop: BleLoop) -> None:
    world = World(loop, (VirtualH10, FRAMES))
    now_ns = [0]
    watched = watch(world, clock_ns=lambda: now_ns[0])
    watched.until_frames(len(FRAMES))
    now_ns[0] += 6 * NS_PER_S
    watched.until_phase("stalled")
    watched.until_frames(2 * len(FRAMES))
    watched.stop()
    assert world.strap.commands == [START_ECG, START_ECG, STOP_ECG]


def test_strap_that_stays_silent_is_connected_to_anew(loop: BleLoop) -> None:
    world = World(loop, (VirtualH10, FRAMES))
    now_ns = [0]
    watched = watch(world, clock_ns=lambda: now_ns[0])
    watched.until_frames(len(FRAMES))
    world.strap.silent = True
    now_ns[0] += 6 * NS_PER_S
    watched.until_phase("stalled")
    now_ns[0] += 6 * NS_PER_S
    watched.until_phase("disconnected")
    world.strap.silent = False
    watched.until_frames(2 * len(FRAMES))
    watched.stop()


def test_battery_death_is_told_before_the_strap_is_gone(loop: BleLoop) -> None:
    world = World(loop, (VirtualH10, FRAMES))
    watched = Watched(world.source(PolarH10Decoder(), POLAR, scan_s=0.1))
    watched.until_frames(len(FRAMES))
    assert watched.frames[-1].battery_percent == 87
    world.run(world.strap.die())
    watched.until_phase("disconnected")
    assert watched.phases == ["connecting", "streaming", "disconnected"]
    (dying,) = [each for each in watched.packets if each.data == b"\x01"]
    assert dying.channel.startswith("00002a19")
    world.run(world.strap.come_back())
    watched.until_frames(2 * len(FRAMES))
    watched.stop()


def test_no_sample_is_delivered_twice_or_out_of_order(loop: BleLoop) -> None:
    """A strap that repeats frames and stamps, and is lost in mid-stream."""
    sent = [frame(0), frame(1), frame(1), frame(0), frame(2), frame(5), frame(4), frame(6)]
    world = World(loop, (VirtualH10, sent))
    watched = watch(world)
    watched.until_frames(len(sent))
    world.run(world.strap.walk_away())
    watched.until_frames(2 * len(sent))
    watched.stop()
    timeline = Timeline()
    events = [event for each in watched.frames for event in timeline.push(each, 0)]
    chunks = [event for event in events if isinstance(event, Chunk)]
    values = [int(value) for chunk in chunks for value in chunk.samples_uv[:, 0]]
    assert values == sorted(set(values))
    assert [gap.length for gap in events if isinstance(gap, Gap)] == [2 * SAMPLES]
    count = timeline.count
    assert count.received == count.delivered + count.duplicate + count.late + count.bad


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by /proc")
def test_reconnects_leak_no_task_handle_or_thread(loop: BleLoop) -> None:
    world = World(loop, (VirtualBareStrap, [b"\x00\x48"]))
    decoder = HeartRateDecoder()
    watched = Watched(world.source(decoder, BleTarget(name="HRM*")))
    counts: list[tuple[int, int, int]] = []
    for turn in range(1, RECONNECTS + 1):
        while decoder.count.frames < turn:
            watched.take()
        counts.append((world.tasks(), threading.active_count(), open_files()))
        world.run(world.strap.walk_away())
    watched.until_phase("connecting", RECONNECTS + 1)
    watched.stop()
    for kind in zip(*counts, strict=True):  # a leak adds up; what is being closed does not
        assert min(kind[-10:]) <= max(kind[:10])


def test_movesense_is_subscribed_to_streams_and_is_told_to_rest(loop: BleLoop) -> None:
    specimen = next(each for each in specimens() if each.device == "movesense")
    ecg = [packet.data for packet in specimen.packets if packet.data[:1] == b"\x02"]
    world = World(loop, (VirtualMovesense, [data[2:] for data in ecg]))
    decoder = make_decoder("movesense", **specimen.options)
    watched = Watched(world.source(decoder, BleTarget(name="Movesense*")))
    watched.until_frames(len(ecg))
    world.run(world.strap.walk_away())
    watched.until_frames(2 * len(ecg))
    watched.stop()
    for turn in (watched.frames[: len(ecg)], watched.frames[len(ecg) :]):
        samples = np.concatenate([frame.samples_uv for frame in turn])
        np.testing.assert_allclose(samples, specimen.samples_uv, atol=specimen.tolerance_uv)
    assert world.strap.commands[-len(decoder.stop_commands()) :] == list(decoder.stop_commands())


def test_stop_ends_a_scan_under_way(loop: BleLoop) -> None:
    world = World(loop)
    link = Link(world.source(PolarH10Decoder(), BleTarget(name="Another*"), 3600), lambda _: None)
    link.start()
    assert link.stop(WAIT_S)
