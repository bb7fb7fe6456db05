"""Devices that tell heart rates, through a patient's monitor: state, alarms, and beside an ECG."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.alert import Phase
from edge.announce import Announcer
from edge.config import Patient
from edge.events import Beat, Quality, ToldRate
from edge.messages import AvailabilityMessage
from edge.monitor import Monitor
from edge.pipeline import Pipeline
from edge.segment import SegmentSettings
from firmware_bridge.capture import CaptureHeader, CaptureWriter
from firmware_bridge.link import LinkState
from firmware_bridge.stream import NS_PER_S, HeartRate, Packet
from tests.edge.running import Recorder, runtime_of
from tests.edge.synthetic_ecg import ecg
from tests.edge.telling import HOST_NS, TellingDecoder, Told, ecg_bytes, rate_bytes, readings_of
from tests.edge.test_announce import QueueSink
from tests.firmware_bridge.devices.heart_rate_wire import BATTERY_LEVEL, HEART_RATE, measurement
from tests.patience import WAIT_S


class Strap:
    """A monitor of a telling device, on a clock that the test moves."""

    def __init__(self, limits=None):
        self.now_ns = HOST_NS
        self.steps = []
        self.monitor = Monitor(
            Patient(id="p1", source="sim:"),
            "strap",
            Pipeline(
                TellingDecoder(),
                AlarmMachine(limits or AlarmLimits(), session="test"),
                SegmentSettings(),
            ),
            self,
            lambda _, step: self.steps.append(step),
            lambda *_: None,
        )
        self.monitor.handle(LinkState("streaming", self.now_ns))

    def monotonic_ns(self):
        return self.now_ns

    def utc_ns(self):
        return 1_700_000_000 * NS_PER_S + self.now_ns

    def until(self, host_ns):
        """The clock goes on, with a tick each second."""
        while self.now_ns < host_ns:
            self.now_ns = min(self.now_ns + NS_PER_S, host_ns)
            self.monitor.tick()

    def hear(self, told):
        for each in told:
            self.until(each.host_ns)
            self.monitor.handle(Packet(rate_bytes(each.reading), each.host_ns))
        return self

    @property
    def alerts(self):
        return [alert for step in self.steps for alert in step.alerts]

    def told(self, phase=Phase.START):
        return [alert.kind.value for alert in self.alerts if alert.phase is phase]

    @property
    def observations(self):
        return [each for step in self.steps for each in step.observations]


def from_(told, start_s):
    """The readings, begun later."""
    return [Told(each.reading, each.host_ns + round(start_s * NS_PER_S)) for each in told]


def steady(bpm, beats):
    return [60_000 / bpm] * beats


def test_the_state_of_a_strap():
    strap = Strap().hear(readings_of(steady(75, 60), battery_percent=64))
    state = strap.monitor.state()
    assert strap.monitor.error is None
    assert (state.link, state.heart_rate_bpm, state.rmssd_ms) == ("streaming", 75.0, 0.0)
    assert (state.battery_percent, state.lead_off, state.active) == (64, False, [])
    assert (state.leads, state.quality, state.rhythm, state.bundle) == ([], None, None, "")
    assert state.samples.frames == 49
    assert strap.alerts == []
    assert strap.monitor.vitals.beats == 61


def test_the_state_of_a_device_that_tells_a_rate_only():
    rates = [Told(HeartRate(66.0), HOST_NS + k * NS_PER_S) for k in range(60)]
    strap = Strap().hear(rates)
    assert strap.monitor.state().heart_rate_bpm == 66.0
    assert strap.monitor.state().rmssd_ms is None
    assert strap.alerts == []
    zeros = [Told(HeartRate(0.0), HOST_NS + (60 + k) * NS_PER_S) for k in range(20)]
    strap.hear(zeros)
    assert strap.monitor.state().heart_rate_bpm is None
    assert strap.told() == ["poor_signal"]


@pytest.mark.parametrize(
    ("bpm", "kind"),
    [(35, "extreme_brady"), (45, "brady"), (130, "tachy"), (160, "extreme_tachy")],
)
def test_a_rate_outside_its_limits_is_told(bpm, kind):
    strap = Strap().hear(readings_of([*steady(75, 30), *steady(bpm, 40)]))
    assert kind in strap.told()
    assert set(strap.told()) <= {kind, "brady", "tachy"}
    (start,) = [alert for alert in strap.alerts if alert.kind == kind]
    assert 23 * NS_PER_S < start.onset_ns <= 24 * NS_PER_S


@pytest.mark.parametrize("rr_ms", [3200.0, 5000.0, 8000.0])
def test_a_pause_is_told_when_its_interval_is(rr_ms):
    strap = Strap().hear(readings_of([*steady(75, 30), rr_ms, *steady(75, 30)]))
    assert strap.told() == ["pause"]
    (start,) = [alert for alert in strap.alerts if alert.phase is Phase.START]
    assert start.onset_ns == pytest.approx(24 * NS_PER_S, abs=1)
    assert start.evidence["rr_ms"] == rr_ms
    assert 0 <= start.time_ns - start.onset_ns - rr_ms * 1e6 <= NS_PER_S


def test_irregular_intervals_are_judged_by_the_rule_that_there_is():
    intervals_ms = np.random.default_rng(4).uniform(450, 1150, 400).tolist()
    assert Strap().hear(readings_of(intervals_ms)).told()[0] == "af"


def test_a_strap_that_tells_no_more_beats_is_a_poor_signal_and_no_asystole():
    lost = [Told(HeartRate(75.0, (), True), HOST_NS + (9 + k) * NS_PER_S) for k in range(60)]
    strap = Strap().hear([*readings_of(steady(75, 10)), *lost])
    assert strap.told() == ["poor_signal"]
    assert strap.monitor.state().heart_rate_bpm is None
    (start,) = strap.alerts[:1]
    assert start.time_ns == pytest.approx(8 * NS_PER_S + 18 * NS_PER_S, abs=NS_PER_S)


def test_a_strap_that_falls_silent_is_a_lost_signal_until_it_speaks():
    told = readings_of(steady(75, 30))
    strap = Strap().hear(told)
    strap.until(told[-1].host_ns + 20 * NS_PER_S)
    (start,) = strap.alerts
    assert (start.kind, start.phase) == ("signal_lost", "start")
    silent_s = (start.time_ns - strap.monitor.pipeline.now_ns) / NS_PER_S
    assert 0 <= silent_s - AlarmLimits().signal_lost_s <= 1
    assert strap.monitor.state().heart_rate_bpm is None
    strap.hear(from_(readings_of(steady(75, 30)), 45))
    assert [(each.kind, each.phase) for each in strap.alerts] == [
        ("signal_lost", "start"),
        ("signal_lost", "end"),
    ]
    assert strap.monitor.state().heart_rate_bpm == pytest.approx(75.0)


def test_a_strap_that_speaks_is_announced_as_online():
    strap, sink = Strap(), QueueSink()
    announcer = Announcer([sink], lambda _: 1, strap)
    announcer.start([strap.monitor])
    strap.hear(readings_of(steady(75, 5)))
    for step in strap.steps:
        announcer.stepped(strap.monitor, step)
    announcer.close(WAIT_S)
    states = [each.state for each in sink.messages if isinstance(each, AvailabilityMessage)]
    assert states == ["offline", "online", "offline"]


def test_a_strap_that_is_taken_off_is_lead_off():
    on, off = readings_of(steady(75, 60)), readings_of(steady(75, 60), contact=False)
    strap = Strap().hear([*on[:20], *off[20:40]])
    assert strap.told() == ["lead_off"]
    start = strap.alerts[0]
    assert start.time_ns - start.onset_ns == pytest.approx(3 * NS_PER_S, abs=NS_PER_S)
    assert strap.monitor.state().lead_off
    strap.hear(on[40:])
    assert strap.told(Phase.END) == ["lead_off"]
    assert not strap.monitor.state().lead_off


def test_a_link_that_breaks_joins_no_interval_across():
    told = readings_of(steady(75, 60))
    strap = Strap().hear(told[:20])
    strap.monitor.handle(LinkState("disconnected", told[20].host_ns))
    strap.monitor.handle(LinkState("connecting", told[20].host_ns))
    strap.hear(told[22:])
    unknown = [b for b in strap.observations if isinstance(b, Beat) and b.rr_ms is None]
    assert len(unknown) == 2
    assert strap.alerts == []


def test_messages_place_a_beat_at_its_time_of_day():
    strap = Strap().hear(readings_of(steady(60, 30)))
    context = strap.monitor.context()
    now_ns = strap.monitor.now_ns
    assert context.utc_ns(now_ns) == strap.utc_ns()
    assert context.device_time_ns(now_ns) is None


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 16), min_size=1, max_size=8))
def test_any_chunking_of_the_bytes_gives_the_same_beats_and_alarms(sizes):
    """Pieces arrive when their last byte does: up to two seconds late."""
    told = readings_of([*steady(75, 30), 5000.0, *steady(130, 40), *steady(35, 12)])
    whole = Strap().hear(told)
    data = b"".join(rate_bytes(each.reading) for each in told)
    ends = np.cumsum([len(rate_bytes(each.reading)) for each in told])
    strap, position = Strap(), 0
    for size in itertools.cycle(sizes):
        stop = min(position + size, len(data))
        at_ns = told[int(np.searchsorted(ends, stop))].host_ns
        strap.monitor.handle(Packet(data[position:stop], at_ns))
        position = stop
        if position == len(data):
            break
    assert strap.told() == whole.told()
    pair = [
        [(b.time_ns, b.rr_ms) for b in each.observations if isinstance(b, Beat)]
        for each in (strap, whole)
    ]
    assert pair[0] == pair[1]


def of_the_service(told):
    """The packets of the Heart Rate and Battery services that carry these readings."""
    yield Packet(b"\x4d", told[0].host_ns, BATTERY_LEVEL)
    for each in told:
        ticks = [round(rr * 1.024) for rr in each.reading.rr_ms]
        data = measurement(round(each.reading.bpm), ticks, each.reading.contact)
        yield Packet(data, each.host_ns, HEART_RATE)


def test_a_capture_of_a_strap_plays_back_to_the_same_alarms(tmp_path):
    path = tmp_path / "strap.cap"
    capture = CaptureWriter(path, CaptureHeader("heart_rate"))
    for packet in of_the_service(readings_of([*steady(75, 30), 4500.0, *steady(38, 30)])):
        capture.write(packet)
    capture.close()
    alerts = []
    for _ in range(2):
        recorder = Recorder()
        runtime = runtime_of(recorder, f"replay:{path}?speed=max")
        runtime.run(for_s=30)
        alerts.append([alert for _, alert in recorder.alerts])
    (watched,) = runtime.monitors
    state = watched.state()
    assert [(alert.kind, alert.phase) for alert in alerts[0]] == [
        ("pause", "start"),
        ("extreme_brady", "start"),
        ("pause", "end"),
        ("extreme_brady", "update"),
    ]
    assert alerts[0] == alerts[1]
    assert (state.battery_percent, state.samples.bad_frames) == (77, 0)
    assert state.heart_rate_bpm == pytest.approx(38, abs=0.1)
    assert "streaming" in [word for _, word, _ in recorder.links]


SAMPLES_UV = ecg(np.arange(0.5, 39.5, 0.8), 40, 250)[:, 0]


def ecg_packets(lead_in_s=0.0):
    """The ECG of 40 s, in packets of half a second."""
    for start in range(0, len(SAMPLES_UV), 125):
        samples = SAMPLES_UV[start : start + 125]
        at_ns = HOST_NS + round((lead_in_s + start / 250 + 0.5) * NS_PER_S)
        yield ecg_bytes(samples, start), at_ns


def heard(packets):
    strap = Strap()
    for data, at_ns in packets:
        strap.now_ns = at_ns
        strap.monitor.handle(Packet(data, at_ns))
    return strap


def with_rates(told, lead_in_s=0.0):
    rates = [(rate_bytes(each.reading), each.host_ns) for each in told]
    return sorted([*ecg_packets(lead_in_s), *rates], key=lambda each: each[1])


def test_rates_told_beside_an_ecg_change_nothing_but_the_charge():
    plain = heard(ecg_packets())
    told = readings_of(steady(180, 100), battery_percent=31)
    both = heard(with_rates(told[1:]))
    assert both.observations == plain.observations
    assert both.alerts == plain.alerts == []
    assert both.monitor.state().battery_percent == 31
    assert both.monitor.state().heart_rate_bpm == plain.monitor.state().heart_rate_bpm


def test_silence_of_the_ecg_is_told_though_rates_go_on():
    strap = heard(ecg_packets())
    assert strap.monitor.state().heart_rate_bpm == pytest.approx(75, abs=1)
    strap.hear(from_(readings_of(steady(75, 20)), 40))
    assert strap.told() == ["signal_lost"]
    assert strap.monitor.state().heart_rate_bpm is None


def test_contact_told_beside_an_ecg_is_lead_off():
    off = readings_of(steady(75, 30), contact=False)[10:20]
    strap = heard(with_rates([*readings_of(steady(75, 30))[:10], *off]))
    assert strap.told() == ["lead_off"]
    assert strap.told(Phase.END) == ["lead_off"]


def test_an_ecg_that_begins_after_the_rates_goes_on_with_their_time():
    told = readings_of(steady(75, 12))
    strap = heard(with_rates(told, lead_in_s=10.0))
    observed = strap.observations
    switch = next(k for k, e in enumerate(observed) if isinstance(e, Quality) and e.missing == 1.0)
    ahead = [e for e in observed[:switch] if isinstance(e, Beat)]
    after = [e for e in observed[switch:] if isinstance(e, Beat)]
    assert len(ahead) == 13
    assert len(after) > 40
    assert all(beat.amplitude_uv for beat in after)
    assert after[0].rr_ms is None
    assert after[0].time_ns > observed[switch].time_ns > ahead[-1].time_ns
    seconds = [e.time_ns for e in observed if isinstance(e, Quality)]
    assert seconds == sorted(set(seconds))
    assert strap.alerts == []
    assert not [e for e in observed if isinstance(e, ToldRate)]
