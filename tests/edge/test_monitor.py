"""A patient's monitor and the states of its link."""

from __future__ import annotations

import pytest

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.config import Patient
from edge.monitor import Monitor
from edge.pipeline import Pipeline
from edge.segment import SegmentSettings
from firmware_bridge.devices import make_decoder
from firmware_bridge.link import LinkPhase, LinkState
from firmware_bridge.stream import NS_PER_S, Packet

SECOND_OF_TEXT = b"512\r\n" * 200


class Clock:
    now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_ns(self) -> int:
        return self.now_ns


@pytest.mark.parametrize("phase", ["stalled", "disconnected"])
def test_a_hole_in_a_stream_without_counter_or_clock_has_its_true_length(phase: LinkPhase) -> None:
    clock = Clock()
    alarms = AlarmMachine(AlarmLimits(), session="test")
    pipeline = Pipeline(make_decoder("ad8232", rate=200), alarms, SegmentSettings())
    monitor = Monitor(
        Patient(id="p1", source="sim:"), "board", pipeline, clock, lambda *_: None, lambda *_: None
    )
    for second in (1, 2, 3):
        monitor.handle(Packet(SECOND_OF_TEXT, second * NS_PER_S))
    monitor.handle(LinkState(phase, 8 * NS_PER_S))
    monitor.handle(LinkState("streaming", 10 * NS_PER_S))
    monitor.handle(Packet(SECOND_OF_TEXT, 10 * NS_PER_S))
    monitor.close()
    assert pipeline.counts[1].gap == pytest.approx(6 * 200, abs=2)
