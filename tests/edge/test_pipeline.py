"""The whole path in one piece: what comes out does not depend on how the bytes came in."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.alert import Phase
from edge.api import Session
from edge.assemble import encoder_factory
from edge.events import Beat, BeatLabel, BeatsKnown, Quality, Rhythm, Silence
from edge.pipeline import Pipeline
from edge.segment import SegmentSettings
from firmware_bridge.devices import make_decoder
from firmware_bridge.native import encode_frame
from firmware_bridge.patch.faults import Faults
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.stream import NS_PER_S, Chunk, FormatChange, Gap, Packet
from tests.edge.fake_networks import fake_networks
from tests.edge.synthetic_ecg import ecg

SECONDS = 40
FAKE = "fake"
"""The bundle name for the fake networks, whose encoder hears the beats."""


def wire(scenario="tour", leads=1, rate_hz=250, faults=None, seconds=SECONDS):
    config = PatchConfig(
        scenario=scenario,
        leads=leads,
        rate_hz=rate_hz,
        duration_s=float(seconds),
        faults=faults or Faults(),
    )
    return [(each.data, each.due_ns) for each in VirtualPatch(config).frames()]


def pipeline(bundle="tcn-s", **settings):
    return Pipeline(
        make_decoder("native"),
        AlarmMachine(AlarmLimits(), session="test"),
        SegmentSettings(**settings),
        (lambda _: fake_networks()) if bundle == FAKE else encoder_factory(bundle, "auto"),
    )


def outcome(packets, **settings):
    """Observations and alerts, in order."""
    line = pipeline(**settings)
    steps = [line.push(Packet(data, at_ns)) for data, at_ns in packets]
    steps.append(line.finish())
    observed = [each for step in steps for each in step.observations]
    alerts = [each for step in steps for each in step.alerts]
    return observed, alerts, line


@pytest.fixture(scope="module", params=["tcn-s", FAKE])
def tour(request):
    packets = wire(faults=Faults(drop=0.01, reorder=0.05))
    return packets, outcome(packets, bundle=request.param), request.param


def chopped(packets, sizes):
    """The same bytes in other pieces; a piece arrives when its last byte does."""
    data = b"".join(part for part, _ in packets)
    ends = np.cumsum([len(part) for part, _ in packets])
    pieces, position = [], 0
    while position < len(data):
        size = sizes[len(pieces) % len(sizes)]
        stop = min(position + size, len(data))
        at = packets[int(np.searchsorted(ends, stop))][1]
        pieces.append((data[position:stop], at))
        position = stop
    return pieces


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8))
def test_any_chunking_of_the_bytes_gives_the_same_observations_and_alerts(tour, sizes):
    packets, (observed, alerts, _), bundle = tour
    again, alerts_again, _ = outcome(chopped(packets, sizes), bundle=bundle)
    assert again == observed
    assert alerts_again == alerts


@cache
def in_frames(samples, bundle):
    """Observations and alerts of the first 26 of 30 seconds that come in frames of one size."""
    config = PatchConfig(scenario="tour", duration_s=30.0, frame_samples=samples)
    packets = [(each.data, each.due_ns) for each in VirtualPatch(config).frames()]
    observed, alerts, _ = outcome(packets, bundle=bundle)
    return [[each for each in said if each.time_ns < 26 * NS_PER_S] for said in (observed, alerts)]


@pytest.mark.parametrize("bundle", ["tcn-s", FAKE])
@settings(max_examples=3, deadline=None)
@given(st.integers(1, 255))
def test_any_frame_size_gives_the_same_observations(bundle, samples):
    """Frames of one size or another carry the same samples."""
    assert in_frames(samples, bundle) == in_frames(25, bundle)


def test_observations_come_in_the_order_in_which_they_became_known(tour):
    _, (observed, _, _), _ = tour

    def known_ns(each):
        return getattr(each, "known_ns", getattr(each, "detected_ns", each.time_ns))

    times = [known_ns(each) for each in observed]
    assert times == sorted(times)
    assert {type(each) for each in observed} == {Beat, BeatLabel, BeatsKnown, Quality, Rhythm}


def test_quality_comes_once_a_second_whatever_the_format():
    for rate_hz, leads in ((130, 1), (257, 2), (500, 3)):
        observed, _, _ = outcome(wire("sinus", leads, rate_hz, seconds=10), bundle="none")
        seconds = [each for each in observed if isinstance(each, Quality)]
        assert len(seconds) >= 9
        assert [each.time_ns for each in seconds] == [
            (k + 1) * NS_PER_S for k in range(len(seconds))
        ]
        assert all(len(each.leads) == leads for each in seconds)


def test_most_beats_of_a_sinus_rhythm_are_labelled_normal():
    observed, alerts, _ = outcome(wire("sinus", seconds=60))
    labels = [each.label for each in observed if isinstance(each, BeatLabel)]
    assert len(labels) > 50
    assert labels.count("N") / len(labels) > 0.95
    assert alerts == []


@pytest.mark.parametrize("leads_rate", [(1, 250), (2, 130), (3, 500)])
def test_beats_of_the_encoder_are_labelled_and_make_no_alarm(leads_rate):
    leads, rate_hz = leads_rate
    observed, alerts, _ = outcome(wire("sinus", leads, rate_hz, seconds=40), bundle=FAKE)
    beats = [each.time_ns for each in observed if isinstance(each, Beat)]
    assert len(beats) > 35
    assert beats == [each.time_ns for each in observed if isinstance(each, BeatLabel)]
    assert alerts == []


def test_lost_frames_are_gaps_of_their_true_length_and_counts_are_conserved():
    faults = Faults(drop=0.05, duplicate=0.05, reorder=0.05, corrupt=0.05)
    _, _, line = outcome(wire("sinus", faults=faults, seconds=60), bundle="none")
    decoded, count = line.counts
    assert count.received == count.delivered + count.duplicate + count.late + count.bad
    assert count.span == count.delivered + count.gap
    assert count.pending == 0
    assert count.gap > 0
    assert count.span == pytest.approx(60 * 250, abs=50)
    assert decoded.bad_frames > 0


def frames(parts, rate_hz=250):
    """Packets of native frames: parts are (first sample, samples)."""
    packets = []
    for first, samples in parts:
        digital = np.round(samples).astype(np.int64)[:, None]
        data = encode_frame(
            digital,
            rate_hz=rate_hz,
            scale_nv=1000,
            sequence=first,
            device_time_us=round(first / rate_hz * 1e6),
        )
        packets.append((data, round((first + len(samples)) / rate_hz * NS_PER_S)))
    return packets


def test_a_short_gap_is_bridged_and_no_rr_interval_spans_it():
    patch = VirtualPatch(PatchConfig(scenario="sinus", duration_s=20.0))
    packets = [(each.data, each.due_ns) for each in patch.frames()]
    whole, _, _ = outcome(packets, bundle="none")
    holed = packets[:80] + packets[82:]
    bridged, _, line = outcome(holed, bundle="none")
    assert line.counts[1].gap == 50
    lost_ns = 80 * 25 / 250 * NS_PER_S
    following = next(b for b in bridged if isinstance(b, Beat) and b.time_ns > lost_ns)
    assert following.rr_ms is None
    missing = [each.missing for each in bridged if isinstance(each, Quality)]
    assert sum(missing) == pytest.approx(0.2)
    assert len(missing) == len([each for each in whole if isinstance(each, Quality)])
    late = lost_ns + 4 * NS_PER_S
    assert [b.time_ns for b in bridged if isinstance(b, Beat) and b.time_ns > late] == [
        b.time_ns for b in whole if isinstance(b, Beat) and b.time_ns > late
    ]


def test_an_interval_that_ends_before_a_bridge_stays_known_however_late_the_beat_is():
    packets = wire("sinus", seconds=20)
    whole, _, _ = outcome(packets, bundle=FAKE)
    bridged, _, line = outcome(packets[:85] + packets[87:], bundle=FAKE)
    assert line.counts[1].gap == 50
    lost_ns = round(8.5 * NS_PER_S)
    unknown = [b for b in bridged if isinstance(b, Beat) and b.rr_ms is None]
    assert len(unknown) == 2
    assert unknown[1].time_ns > lost_ns
    before = [b for b in whole if isinstance(b, Beat) and b.time_ns < lost_ns]
    assert [b for b in bridged if isinstance(b, Beat) and b.time_ns < lost_ns] == before


def test_beats_before_a_long_gap_and_at_the_end_are_known():
    packets = wire("sinus", seconds=20)
    whole, _, _ = outcome(packets, bundle=FAKE)
    holed, _, _ = outcome(packets[:93] + packets[113:], bundle=FAKE)
    lost_ns, back_ns, end_ns = (round(s * NS_PER_S) for s in (9.3, 11.3, 20.0))
    for start_ns, stop_ns in ((0, lost_ns), (back_ns + NS_PER_S, end_ns)):
        expected, found = (
            [b.index for b in said if isinstance(b, Beat) and start_ns <= b.time_ns < stop_ns]
            for said in (whole, holed)
        )
        assert found == pytest.approx(expected, abs=2)
    before = [b for b in holed if isinstance(b, Beat) and b.time_ns < lost_ns]
    assert all(b.detected_ns <= lost_ns for b in before)
    labelled = {each.time_ns for each in holed if isinstance(each, BeatLabel)}
    assert labelled == {each.time_ns for each in holed if isinstance(each, Beat)}
    first_after = next(b for b in holed if isinstance(b, Beat) and b.time_ns >= back_ns)
    assert first_after.rr_ms is None
    until = [each for each in holed if isinstance(each, BeatsKnown) and each.time_ns == back_ns]
    assert [each.until_ns for each in until] == [back_ns]


@pytest.mark.parametrize("bundle", ["none", FAKE])
@pytest.mark.parametrize("lost", [(), (31,), (40, 41, 42, 43, 44, 45, 46)])
def test_asystole_is_told_within_six_seconds_and_nothing_before_it(bundle, lost):
    """Lost frames move the hops against the seconds."""
    packets = wire("asystole", seconds=60)
    whole = [packet for k, packet in enumerate(packets) if k not in lost]
    observed, alerts, _ = outcome(whole, bundle=bundle)
    start = next(a for a in alerts if a.phase is Phase.START)
    assert start.kind == "asystole"
    last_ns = max(
        b.time_ns for b in observed if isinstance(b, Beat) and b.time_ns < start.onset_ns + 1
    )
    assert start.onset_ns == last_ns
    assert 4.4 * NS_PER_S <= start.time_ns - last_ns <= 6 * NS_PER_S


@pytest.mark.parametrize("bundle", ["none", FAKE])
def test_a_line_flat_to_the_last_bit_is_an_asystole_by_either_source(bundle):
    heart = ecg(np.arange(0.5, 12, 0.8), 12, 250)[:, 0]
    samples = np.concatenate([heart, np.full(2500, heart[-1])])
    parts = [(k, samples[k : k + 25]) for k in range(0, len(samples), 25)]
    _, alerts, _ = outcome(frames(parts), bundle=bundle)
    (start,) = [alert for alert in alerts if alert.phase is Phase.START]
    assert start.kind == "asystole"
    assert start.onset_ns == pytest.approx(11.7 * NS_PER_S, abs=NS_PER_S / 50)
    assert start.time_ns - start.onset_ns <= 6 * NS_PER_S


@pytest.mark.parametrize("rate_hz", [100, 125, 130, 250, 360])
def test_alarms_go_on_when_the_encoder_fails(rate_hz):
    line = Pipeline(
        make_decoder("native"),
        AlarmMachine(AlarmLimits(), session="test"),
        SegmentSettings(),
        lambda _: fake_networks(fails_at=5),
    )
    steps = [
        line.push(Packet(data, at)) for data, at in wire("asystole", rate_hz=rate_hz, seconds=30)
    ]
    alerts = [alert for step in steps for alert in step.alerts]
    assert line.segment.encoder is None
    limited, asystole, *_ = alerts
    assert (asystole.kind, asystole.phase) == ("asystole", "start")
    assert 12 * NS_PER_S < asystole.onset_ns + NS_PER_S < asystole.time_ns <= 18 * NS_PER_S
    assert (limited.kind, limited.phase) == ("analysis_limited", "start")
    assert 10 * NS_PER_S <= limited.time_ns - limited.onset_ns <= 11 * NS_PER_S


def test_a_session_tells_its_last_beats_when_it_is_finished(monkeypatch):
    monkeypatch.setattr("edge.api.encoder_factory", lambda *_: lambda _: fake_networks())
    session = Session(250.0)
    said = session.push(ecg(np.arange(1.0, 10.0, 0.8), 10, 250))
    assert max(each.time_ns for each in said if isinstance(each, Beat)) < 9.1 * NS_PER_S
    told = [each for each in session.finish() if isinstance(each, Beat)]
    assert [round(each.time_ns / NS_PER_S, 1) for each in told] == [9.8]
    assert session.finish() == []


def test_a_change_of_rate_loses_no_beat_before_it():
    slow = wire("sinus", rate_hz=250, seconds=12)
    fast = wire("sinus", rate_hz=500, seconds=12)
    whole, _, _ = outcome(slow, bundle=FAKE)
    line = pipeline(FAKE)
    steps = [line.push(Packet(data, at)) for data, at in slow + fast]
    observed = [each for step in steps for each in step.observations]
    before = [b for b in whole if isinstance(b, Beat)]
    assert [b for b in observed if isinstance(b, Beat)][: len(before)] == before


def test_after_a_long_gap_everything_begins_anew():
    silence = np.zeros(25)
    steps = [(k * 25, silence) for k in range(40)] + [(5000 + k * 25, silence) for k in range(40)]
    observed, _, line = outcome(frames(steps), bundle="none")
    seconds = [each for each in observed if isinstance(each, Quality)]
    assert line.counts[1].gap == 4000
    assert [each.missing for each in seconds if 4 < each.time_ns / NS_PER_S < 20] == [1.0] * 15


def test_a_change_of_rate_is_survived_and_time_goes_on():
    noise = np.random.default_rng(1).normal(0, 20, 25)
    slow = frames([(k * 25, noise) for k in range(100)], 250)
    fast = frames([(k * 25, noise) for k in range(200)], 500)
    line = pipeline("none")
    steps = [line.push(Packet(data, at)) for data, at in slow + fast]
    events = [type(event) for step in steps for event in step.events]
    assert FormatChange in events
    assert line.format.rate_hz == 500
    assert line.now_ns >= 19 * NS_PER_S
    times = [q.time_ns for s in steps for q in s.observations if isinstance(q, Quality)]
    assert times == sorted(times)


def test_silence_raises_signal_lost_and_data_end_it():
    packets = wire("sinus", seconds=30)
    line = pipeline("none")
    for data, at in packets[:150]:
        line.push(Packet(data, at))
    alerts = [a for k in range(1, 9) for a in line.silence(k * NS_PER_S).alerts]
    assert [(a.kind, a.phase) for a in alerts] == [("signal_lost", "start")]
    later = [a for data, at in packets[150:] for a in line.push(Packet(data, at)).alerts]
    assert ("signal_lost", "end") in [(a.kind, a.phase) for a in later]


def test_garbage_on_the_wire_brings_nothing_forth_and_breaks_nothing():
    rng = np.random.default_rng(3)
    line = pipeline("none")
    for _ in range(200):
        step = line.push(Packet(rng.bytes(500), 0))
        assert step.events == ()
    assert line.counts[0].frames == 0
    packets = wire("sinus", seconds=5)
    events = [e for data, at in packets for e in line.push(Packet(data, at)).events]
    assert sum(len(e.samples_uv) for e in events if isinstance(e, Chunk)) >= 5 * 250 - 25
    assert not any(isinstance(e, Gap) for e in events)


def test_silence_is_an_observation_too():
    step = pipeline("none").silence(2 * NS_PER_S, "cable")
    assert step.observations == (Silence(2 * NS_PER_S, 2 * NS_PER_S, "cable"),)


def test_anchor_maps_stream_time_to_host_and_device():
    _, _, line = outcome(wire("sinus", seconds=5), bundle="none")
    anchor = line.anchor
    assert anchor.device_time_ns(anchor.stream_ns) == anchor.device_ns
    assert anchor.host_time_ns(anchor.stream_ns + 7) == anchor.host_ns + 7
    assert replace(anchor, device_ns=None).device_time_ns(5) is None


@pytest.mark.parametrize("rate_hz", [0.001, 49.0, 10_001.0, 100_000.0])
def test_frames_of_a_rate_that_no_ecg_has_are_counted_and_said_once(rate_hz, caplog):
    subject = pipeline("none")
    for number in range(4):
        wire_bytes = encode_frame(
            np.zeros((25, 1), np.int32),
            rate_hz=rate_hz if number % 2 else 250.0,
            scale_nv=1000.0,
            sequence=25 * number,
            device_time_us=100_000 * number,
        )
        subject.push(Packet(wire_bytes, number))
    subject.finish()
    decoded, samples = subject.counts
    assert (decoded.frames, decoded.bad_frames) == (2, 2)
    assert (samples.delivered, samples.gap) == (50, 25)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
