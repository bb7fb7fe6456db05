"""A patient's monitor and the states of its link."""

from __future__ import annotations

import numpy as np
import pytest

from edge.actions import Acknowledge, PauseAudio
from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.alarm.patient import AlarmSetup, PatientAlarms
from edge.alert import Alert
from edge.config import Patient
from edge.monitor import Monitor
from edge.pipeline import Pipeline, Step
from edge.segment import SegmentSettings
from firmware_bridge.devices import make_decoder
from firmware_bridge.errors import SourceError
from firmware_bridge.link import LinkPhase, LinkState
from firmware_bridge.stream import NS_PER_S, Frame, Packet, StreamFormat

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
    assert monitor.delivered_ns == pytest.approx(4 * NS_PER_S, abs=NS_PER_S / 100)


def watched(clock: Clock, finite: bool = False) -> tuple[Monitor, list[Alert]]:
    """A monitor with alarms that people attend to, and the alerts that it will tell."""
    told: list[Alert] = []

    def stepped(_: Monitor, step: Step) -> None:
        told.extend(step.alerts)

    pipeline = Pipeline(
        make_decoder("ad8232", rate=200),
        PatientAlarms.begin(AlarmSetup(), "test"),
        SegmentSettings(),
    )
    patient = Patient(id="p1", source="sim:")
    monitor = Monitor(patient, "board", pipeline, clock, stepped, lambda *_: None, finite)
    monitor.resume()
    return monitor, told


def flat_second(counter: int, rate_hz: int = 200) -> Frame:
    """A second of a device that counts its samples."""
    samples_uv = np.zeros((rate_hz, 1), np.float32)
    form = StreamFormat(float(rate_hz), ("I",))
    return Frame(form, samples_uv, counter=counter, counter_modulus=1 << 32)


def test_time_goes_on_where_the_counter_of_a_device_stood_still_while_it_was_away() -> None:
    clock = Clock()
    monitor, told = watched(clock)
    pipeline = monitor.pipeline

    def second(counter: int) -> None:
        clock.now_ns += NS_PER_S
        monitor._take(lambda: pipeline.push_frames([flat_second(counter * 200)], clock.now_ns))

    for counter in range(10):
        second(counter)
    for _ in range(300):
        clock.now_ns += NS_PER_S
        monitor.tick()
    monitor.handle(LinkState("disconnected", clock.now_ns))
    monitor.handle(LinkState("connecting", clock.now_ns))
    told.clear()
    for counter in range(10, 30):
        second(counter)
    assert pipeline.counts[1].gap == 0
    assert monitor.now_ns == 30 * NS_PER_S
    assert pipeline.attended is not None
    assert pipeline.attended.now_ns == monitor.now_ns
    assert ("signal_lost", "end") in [(each.kind, each.phase.value) for each in told]
    assert all(10 * NS_PER_S < each.time_ns <= 30 * NS_PER_S for each in told)


@pytest.mark.parametrize(("finite", "expected"), [(False, ["signal_lost"]), (True, [])])
def test_a_link_that_fails_for_good_is_an_alarm_unless_it_is_a_recording(
    finite: bool, expected: list[str]
) -> None:
    monitor, told = watched(Clock(), finite)
    error = SourceError("no such port")
    monitor.handle(LinkState("failed", 0, "no such port", error))
    assert (monitor.finished, monitor.error) == (True, error)
    assert [each.kind for each in told] == expected


def test_the_alarms_of_a_watch_that_has_ended_can_be_acknowledged() -> None:
    monitor, told = watched(Clock())
    monitor.handle(LinkState("failed", 0, "no such port"))
    assert monitor.act(Acknowledge("p1", by="Jo")).done
    assert told[-1].acknowledged_by == "Jo"
    assert not monitor.act(PauseAudio("p1", 60.0)).done


def test_no_encoder_rests_once_the_watch_has_ended() -> None:
    monitor, _ = watched(Clock())
    monitor.pipeline.lease._is_shed = True
    assert monitor.encoder_shed
    monitor.close()
    assert not monitor.encoder_shed
