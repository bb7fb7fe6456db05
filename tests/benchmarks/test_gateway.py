"""Many patients on one gateway: what is fed, what is awaited, and a short run."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_gateway, bench_gateway_load
from benchmarks.bench_gateway_feeder import Patch, begins_ns, feed
from benchmarks.bench_gateway_load import Load, configured
from benchmarks.bench_gateway_process import read
from benchmarks.bench_gateway_signal import (
    FRAME_NS,
    JUDGED_FROM,
    RATE_HZ,
    SAMPLES,
    expected_alarms,
    frames,
    patient,
)
from edge.config import Config, Encoder, load
from firmware_bridge.native import NativeDecoder
from firmware_bridge.stream import NS_PER_S, Packet
from tests.mosquitto import needs_mosquitto
from tests.patience import WAIT_S

ATTEMPTS = 5
"""A feeder that a busy machine holds up while it is measured sends nothing that brings an alert."""
RULES_ALONE = Config(patient=(patient("p0", "sim:?fs=250&leads=1"),), encoder=Encoder("none"))


def test_frames_are_one_stream() -> None:
    decoder = NativeDecoder()
    got = [decoded for data in frames(60, 1, True) for decoded in decoder.push(Packet(data, 0))]
    assert [frame.counter for frame in got] == [k * SAMPLES for k in range(60)]
    assert [frame.device_time_ns for frame in got] == [k * FRAME_NS for k in range(60)]
    assert [frame.lead_off for frame in got] == [0] * 20 + [1] * 20 + [0] * 20
    assert {frame.format.rate_hz for frame in got} == {RATE_HZ}


def test_each_alarm_is_known_by_the_frame_that_brings_it() -> None:
    expected = expected_alarms(frames(300, 1, toggling=True), RULES_ALONE)
    steps = [(kind, phase) for kind, phase, _ in expected if kind == "lead_off"]
    assert {("lead_off", "start"), ("lead_off", "end")} == set(steps)
    assert len(steps) >= 8
    for (_, phase, onset_ns), frame in expected.items():
        assert onset_ns is not None
        assert frame >= JUDGED_FROM
        if phase == "start":  # a second of lost contact, told with the second that holds it
            assert NS_PER_S - 1 <= (frame + 1) * FRAME_NS - onset_ns <= 2 * NS_PER_S


def test_a_calm_patch_raises_no_alarm() -> None:
    assert expected_alarms(frames(300, 2, toggling=False), RULES_ALONE) == {}


class TestFeed:
    @pytest.fixture
    def pairs(self) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
        pairs = [socket.socketpair() for _ in range(3)]
        yield pairs
        for near, far in pairs:
            near.close()
            far.close()

    def test_every_frame_is_written_in_order_and_none_early(
        self, pairs: list[tuple[socket.socket, socket.socket]]
    ) -> None:
        sent = [b"%d," % k for k in range(20)]
        begins = [2_500_000, 0, 7_100_000]
        patches = [Patch(near, sent, begin) for (near, _), begin in zip(pairs, begins, strict=True)]
        written_ns = np.zeros((3, len(sent)), np.int64)
        start_ns, period_ns = time.monotonic_ns(), 1_000_000
        feed(patches, period_ns, start_ns, written_ns, threading.Event())
        for (_, far), begin, times_ns in zip(pairs, begins, written_ns, strict=True):
            assert far.recv(4096) == b"".join(sent)
            due_ns = start_ns + begin + np.arange(len(sent)) * period_ns
            assert (times_ns >= due_ns).all()

    def test_a_gateway_that_has_ended_ends_it(
        self, pairs: list[tuple[socket.socket, socket.socket]]
    ) -> None:
        near, far = pairs[0]
        far.close()
        written_ns = np.zeros((1, 50), np.int64)
        feed([Patch(near, [b"x"] * 50, 0)], 1_000_000, 0, written_ns, threading.Event())
        assert not written_ns[0, -1]

    def test_a_frame_that_finds_no_room_is_no_silent_loss(
        self, pairs: list[tuple[socket.socket, socket.socket]]
    ) -> None:
        near, far = pairs[0]
        near.setblocking(False)
        larger = bytes(8 * near.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
        written_ns = np.zeros((1, 1), np.int64)
        with pytest.raises(BlockingIOError, match="too late"):
            feed([Patch(near, [larger], 0)], 1_000_000, 0, written_ns, threading.Event())
        assert len(far.recv(4096)) > 0  # part of it

    def test_patches_begin_at_any_time_within_the_ramp(self) -> None:
        begins = begins_ns(200, 4.0)
        assert begins == begins_ns(200, 4.0)
        assert 0 <= min(begins) < NS_PER_S < 3 * NS_PER_S < max(begins) < 4 * NS_PER_S


def test_the_gateway_gets_the_configuration_that_is_judged(tmp_path: Path) -> None:
    config = configured(tmp_path, Load(3, 1.0, 1.0), 4711, "mqtt://127.0.0.1:1")
    read_back = load(tmp_path / bench_gateway_load.CONFIG, environment={"XDG_CONFIG_HOME": "/-"})
    assert read_back.patient == config.patient
    assert read_back.mqtt is not None
    assert read_back.mqtt.url == "mqtt://127.0.0.1:1"


def test_a_process_is_read_as_the_kernel_counts_it() -> None:
    before, own_s = read(os.getpid()), time.process_time()
    while time.process_time() - own_s < 0.05:
        pass
    after = read(os.getpid())
    assert 0.05 <= after.cpu_s - before.cpu_s <= time.process_time() - own_s + 0.05
    assert after.threads >= threading.active_count()
    assert after.memory_mb > 10


def test_rows_are_compared_with_the_first() -> None:
    rows = [
        {"streams": 1, "cpu_ms_a_stream_s": 2.0, "memory_mb": 100.0},
        {"streams": 101, "cpu_ms_a_stream_s": 1.0, "memory_mb": 120.0},
    ]
    first, second = bench_gateway.compared(rows)
    assert (first["cpu_ratio"], first["mb_a_further_stream"]) == (1.0, None)
    assert (second["cpu_ratio"], second["mb_a_further_stream"]) == (0.5, 0.2)


@needs_mosquitto
def test_alerts_of_a_real_run_are_all_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_gateway_load, "OPEN_S", 0.2)
    monkeypatch.setattr(bench_gateway, "SETTLE_S", 1.1)  # at ten times life
    monkeypatch.setattr(bench_gateway, "LATE_S", WAIT_S)
    load = Load(1, 1.5, 10.0)
    measured = (bench_gateway.measure(load, str(tmp_path)) for _ in range(ATTEMPTS))
    row = next(row for row in measured if row["alerts"])
    assert row["missing"] == 0
    assert row["max_ms"] > 0
    assert row["cpu_ms_a_stream_s"] > 0
    assert row["streams_a_core"] >= 1
