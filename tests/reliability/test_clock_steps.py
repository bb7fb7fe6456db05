"""The wall clock steps while alarms are on: none is lost, invented, delayed or re-ordered."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.announce import Announcer
from edge.config import Patient
from edge.messages import AlertMessage, Topics
from edge.monitor import Monitor
from edge.outbox import Outbox, OutboxLimits
from edge.pipeline import Pipeline
from edge.runtime import Runtime
from edge.segment import SegmentSettings
from edge.sink import outbound
from firmware_bridge.link import LinkState
from firmware_bridge.source import open_source
from firmware_bridge.stream import Packet
from tests.reliability.strace import FULL, environment

S = 10**9
HOUR_S, YEAR_S = 3600, 31_557_600
NOW_S = 1_795_000_000
STEPS_S = [0, HOUR_S, -HOUR_S, 10 * YEAR_S, -10 * YEAR_S, -NOW_S, 1]
"""By how much the clock steps: among them to 1970, and a leap second."""
TICK_S = 0.25


class SteppingClock:
    """Monotonic time as the packets go; the wall clock steps at its moments.

    steps: seconds since the start to seconds by which the wall clock then jumps.
    """

    def __init__(self, steps: dict[float, float]) -> None:
        self.now_ns = 1000 * S
        self._began_ns = self.now_ns
        self._steps = sorted(steps.items())

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_ns(self) -> int:
        elapsed_s = (self.now_ns - self._began_ns) / S
        stepped_s = sum(by for at, by in self._steps if elapsed_s >= at)
        return int((NOW_S + elapsed_s + stepped_s) * S)


class Collected:
    """A sink that stores alerts as the real one does, and keeps what it was told."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.alerts: list[AlertMessage] = []

    def alert(self, message: AlertMessage, _snapshot: bytes | None = None) -> None:
        self.alerts.append(message)
        self._outbox.put(outbound(message, Topics()))

    def nothing(self, *_: object) -> None:
        pass

    active = state = availability = nothing

    def close(self) -> None:
        pass


def packets(uri: str) -> Iterator[Packet]:
    """All that a source sends, with the times at which it would arrive."""
    transport = open_source(uri).transport
    transport.open()
    try:
        while (packet := transport.read(1.0)) is not None:
            yield packet
    except EOFError:
        return
    finally:
        transport.close()


@pytest.fixture(scope="module")
def heard() -> list[Packet]:
    """A heart that stops and goes on, for 40 s, in real spacing."""
    source = list(packets("sim:?scenario=asystole&speed=max&duration_s=40"))
    return [
        Packet(each.data, 1000 * S + k * S // 10, each.channel) for k, each in enumerate(source)
    ]


def watched(heard: list[Packet], folder: Path, steps: dict[float, float]) -> tuple[list, list]:
    """Alerts as announced and as they wait in the outbox, under a clock that steps so.

    In the middle the device is silent for 8 s, which is judged by the host's clock.
    """
    clock = SteppingClock(steps)
    limits = OutboxLimits(file_bytes=1 << 20)
    with closing(Outbox(folder / "outbox.sqlite", limits, clock)) as outbox:
        sink = Collected(outbox)
        numbers = itertools.count(1)
        announcer = Announcer([sink], lambda _: next(numbers), clock)
        runtime = Runtime(clock, [announcer])
        monitor = _monitor(clock, runtime)
        runtime._monitors.append(monitor)
        announcer.start([monitor])
        _play(heard, clock, monitor)
        announcer.close(30.0)
        told = [(a.id, a.seq, a.phase, a.kind, a.device_time_ns, a.evidence) for a in sink.alerts]
        return told, [each.message.key for each in outbox.pending(1000)]


def _monitor(clock: SteppingClock, runtime: Runtime) -> Monitor:
    source = open_source("sim:")
    machine = AlarmMachine(AlarmLimits(), session="clock")
    pipeline = Pipeline(source.decoder, machine, SegmentSettings())
    patient = Patient(id="p1", source="sim:")
    return Monitor(patient, "d", pipeline, clock, runtime.stepped, runtime.link_changed)


def _play(heard: list[Packet], clock: SteppingClock, monitor: Monitor) -> None:
    half = len(heard) // 2
    monitor.handle(LinkState("connecting", clock.now_ns))
    for part, first in enumerate((heard[:half], heard[half:])):
        for packet in first:
            late_ns = part * 8 * S
            clock.now_ns = packet.host_time_ns + late_ns
            monitor.handle(Packet(packet.data, clock.now_ns, packet.channel))
            monitor.tick()
        for _ in range(int(8 / TICK_S) if part == 0 else 0):
            clock.now_ns += int(TICK_S * S)
            monitor.tick()
    monitor.close()


@pytest.fixture(scope="module")
def undisturbed(heard: list[Packet], tmp_path_factory: pytest.TempPathFactory) -> tuple[list, list]:
    return watched(heard, tmp_path_factory.mktemp("undisturbed"), {})


def test_the_undisturbed_run_has_alarms_of_both_kinds(undisturbed: tuple[list, list]) -> None:
    kinds = {kind for _, _, _, kind, _, _ in undisturbed[0]}
    assert {"asystole", "signal_lost"} <= kinds
    assert len(undisturbed[1]) == len(undisturbed[0])


@pytest.mark.parametrize("by_s", STEPS_S)
@pytest.mark.parametrize("at_s", [0.0, 17.0, 25.0])
def test_a_step_changes_no_alarm(
    heard: list[Packet], undisturbed: tuple[list, list], tmp_path: Path, at_s: float, by_s: float
) -> None:
    assert watched(heard, tmp_path, {at_s: by_s}) == undisturbed


@settings(max_examples=5, deadline=None)
@given(steps=st.dictionaries(st.floats(0.0, 45.0), st.sampled_from(STEPS_S), max_size=8))
def test_many_steps_change_no_alarm(
    heard: list[Packet],
    undisturbed: tuple[list, list],
    tmp_path_factory: pytest.TempPathFactory,
    steps: dict[float, float],
) -> None:
    assert watched(heard, tmp_path_factory.mktemp("steps"), steps) == undisturbed


@pytest.mark.skipif(not FULL, reason="EDGE_RELIABILITY=full runs it")
def test_a_machine_that_has_run_for_years_is_no_different() -> None:
    """Ten years of uptime on the monotonic clock, by a time namespace."""
    years = ["unshare", "-T", "--monotonic", str(10 * YEAR_S)]
    if shutil.which("unshare") is None or subprocess.run([*years, "true"], check=False).returncode:
        pytest.skip("needs unshare and the right to make a time namespace")
    run = ["edge", "run", "--source", "sim:?scenario=asystole&speed=20&duration_s=40", "--json"]
    done = subprocess.run(
        [*years, sys.executable, "-m", *run, "--bundle", "none"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    begun = {each["kind"] for each in events if each["event"] == "alert"}
    assert (done.returncode, begun) == (0, {"asystole"}), done.stderr
