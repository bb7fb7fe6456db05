"""Other networks in mid-stream: nothing is lost or told twice, and a bad bundle changes nothing."""

from __future__ import annotations

import logging
import threading
from functools import cache
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.bundles import NO_BUNDLE, Bundles
from edge.config import Config, Encoder, Patient
from edge.events import Beat, BeatLabel, Quality
from edge.pipeline import Pipeline
from edge.reload import Reloader
from edge.segment import SegmentSettings
from firmware_bridge.devices import make_decoder
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.stream import NS_PER_S, Packet, StreamFormat
from models.errors import BundleError
from tests.edge.fake_networks import fake_networks
from tests.edge.running import Recorder, runtime_of
from tests.models.rebundle import copy_to, edit_manifest
from tests.patience import WAIT_S

FORMAT = StreamFormat(250.0, ("lead1",))
SOURCES = {"detector": lambda: None, "encoder": fake_networks}
"""Who tells the beats."""


def packets(scenario="sinus", seconds=30):
    patch = VirtualPatch(PatchConfig(scenario=scenario, duration_s=float(seconds)))
    return [Packet(each.data, each.due_ns) for each in patch.frames()]


def pipeline(networks):
    return Pipeline(
        make_decoder("native"),
        AlarmMachine(AlarmLimits(), session="test"),
        SegmentSettings(),
        lambda _: networks(),
    )


def outcome(before, after=None, at=0, **patch):
    """Observations and alerts; the networks change before packet `at`, where there are others."""
    line, steps = pipeline(SOURCES[before]), []
    for number, packet in enumerate(packets(**patch)):
        if after and number == at:
            steps.append(line.renew(line.format, SOURCES[after]()))
        steps.append(line.push(packet))
    steps.append(line.finish())
    return (
        [each for step in steps for each in step.observations],
        [each for step in steps for each in step.alerts],
    )


def of(kind, observations):
    return [each for each in observations if isinstance(each, kind)]


@cache
def undisturbed(before):
    return outcome(before, seconds=15)[0]


@settings(max_examples=5, deadline=None)
@given(st.sampled_from(sorted(SOURCES)), st.sampled_from(sorted(SOURCES)), st.integers(35, 115))
@example("encoder", "encoder", 1)
def test_a_change_at_any_moment_loses_no_beat_and_brings_no_alarm(before, after, at):
    """A QRS detector tells no beat in its first three seconds, nor of the last half."""
    whole = undisturbed(before)
    observed, alerts = outcome(before, after, at, seconds=15)
    assert alerts == []
    assert of(Quality, observed) == of(Quality, whole)
    beats = [beat.time_ns for beat in of(Beat, observed)]
    assert all(later - earlier > 0.4 * NS_PER_S for earlier, later in pairwise(beats))
    # Networks and detectors that begin hear nothing yet: as after a gap.
    at_ns = round(at * 0.1 * NS_PER_S)
    expected = [b.time_ns for b in of(Beat, whole) if b.time_ns < 14 * NS_PER_S]
    lost = [t for t in expected if not any(abs(t - b) < 0.03 * NS_PER_S for b in beats)]
    assert all(at_ns - 0.6 * NS_PER_S <= each <= at_ns + 0.6 * NS_PER_S for each in lost)
    assert len(lost) <= 1


def test_a_qrs_detector_that_is_still_needed_does_not_begin_anew():
    assert outcome("detector", "detector", 75, seconds=15)[0] == undisturbed("detector")


def test_no_interval_joins_the_beats_of_former_and_later_networks():
    observed, _ = outcome("encoder", "encoder", 75, seconds=15)
    beats = of(Beat, observed)
    assert [beat.rr_ms for beat in beats].count(None) == 2
    labelled = {each.time_ns for each in of(BeatLabel, observed)}
    assert labelled == {beat.time_ns for beat in beats}


@pytest.mark.parametrize("after", sorted(SOURCES))
def test_an_alarm_that_is_on_stays_on(after):
    _, whole = outcome("encoder", scenario="asystole", seconds=32)
    _, alerts = outcome("encoder", after, 180, scenario="asystole", seconds=32)
    start, end = whole
    assert start.time_ns < 18 * NS_PER_S < end.time_ns
    assert [(a.id, a.phase) for a in alerts] == [(a.id, a.phase) for a in whole]
    assert alerts[1].time_ns == pytest.approx(end.time_ns, abs=NS_PER_S)


def test_networks_of_another_format_are_not_used():
    line, made = pipeline(lambda: made.append(fake_networks()) or made[-1]), []
    assert line.renew(None, None).observations == ()
    for packet in packets()[:20]:
        line.push(packet)
    other = fake_networks()
    line.renew(StreamFormat(500.0, ("a", "b")), other)
    assert line.segment.encoder is made[1].encoder
    line.renew(line.format, other)
    assert line.segment.encoder is other.encoder


def test_calls_are_made_in_the_engines_thread_and_in_turn():
    runtime, said = runtime_of(Recorder(), "sim:?speed=max&duration_s=5"), []
    for number in range(3):
        runtime.call(lambda number=number: said.append((number, threading.current_thread())))
    runtime.run(for_s=20)
    assert said == [(number, threading.current_thread()) for number in range(3)]


@pytest.fixture
def folder(tmp_path):
    return copy_to(tmp_path)


@pytest.fixture
def bundles(folder):
    bundles = Bundles("cpu")
    bundles.encoder_for(str(folder))
    return bundles


def renamed(folder, name="another"):
    edit_manifest(folder, lambda manifest: manifest.update(name=name))


def test_a_bundle_that_has_not_changed_is_left_alone(folder, bundles):
    assert bundles.replace(str(folder), [FORMAT]) is None


def test_new_networks_are_opened_for_the_streams_that_are_known(folder, bundles):
    encoder_for = bundles.encoder_for(str(folder))
    renamed(folder)
    opened, unknown = bundles.replace(str(folder), [FORMAT, None])
    assert (opened.encoder.manifest.name, unknown) == ("another", None)
    assert encoder_for(FORMAT).encoder.manifest.name == "another"
    assert opened.encoder is not encoder_for(FORMAT).encoder


def test_a_bundle_that_is_altered_is_refused(folder, bundles):
    old = bundles.in_use(str(folder))
    (folder / "model.onnx").write_bytes(b"evil")
    with pytest.raises(BundleError, match="truncated"):
        bundles.replace(str(folder), [FORMAT])
    assert bundles.in_use(str(folder)) is old


def test_a_bundle_that_does_not_fit_a_stream_is_refused_for_all(folder, bundles, monkeypatch):
    def unfit(*_, **__):
        raise ValueError("no such rate")

    old = bundles.in_use(str(folder))
    renamed(folder)
    monkeypatch.setattr("edge.bundles.EncoderStage", unfit)
    with pytest.raises(ValueError, match="no such rate"):
        bundles.replace(str(folder), [None, FORMAT])
    assert bundles.in_use(str(folder)) is old


def reloader(bundle, bundles):
    runtime = runtime_of(Recorder(), "sim:?speed=max&duration_s=5")
    patient = Patient(id="p0", source="sim:")
    config = Config(patient=(patient,), encoder=Encoder(bundle=bundle))
    return Reloader(runtime, bundles, config), runtime


def test_what_became_of_a_request_is_logged(folder, bundles, caplog):
    caplog.set_level(logging.INFO, "edge.reload")
    subject, _ = reloader(str(folder), bundles)
    old = bundles.in_use(str(folder)).sha256[:12]
    subject.reload()
    renamed(folder)
    (folder / "model.onnx").write_bytes(b"")
    subject.reload()
    told = [record.getMessage() for record in caplog.records]
    assert "has not changed" in told[0]
    assert "is refused" in told[1]
    assert "model.onnx" in told[1]
    assert all(old in each for each in told)


def test_what_a_foreign_runtime_raises_is_a_refusal(folder, bundles, caplog, monkeypatch):
    def broken(*_, **__):
        raise np.exceptions.AxisError("of theirs")

    subject, _ = reloader(str(folder), bundles)
    renamed(folder)
    monkeypatch.setattr("edge.bundles.open_encoder", broken)
    subject._runtime.monitors[0].pipeline.push(packets()[0])
    subject.reload()
    (record,) = caplog.records
    assert "is refused" in record.getMessage()
    assert "AxisError: of theirs" in record.getMessage()


def test_without_a_bundle_there_is_nothing_to_read_again(caplog):
    caplog.set_level(logging.INFO, "edge.reload")
    bundles = Bundles("cpu")
    bundles.encoder_for(NO_BUNDLE)
    reloader(NO_BUNDLE, bundles)[0].reload()
    assert "rules alone" in caplog.text


def test_requests_are_answered_in_a_thread_of_their_own(folder, bundles):
    subject, runtime = reloader(str(folder), bundles)
    renamed(folder)
    subject.start()
    subject.request()
    subject.close(60)
    assert bundles.in_use(str(folder)).manifest.name == "another"
    runtime.run(for_s=20)
    assert runtime.monitors[0].error is None


def test_a_reload_that_fails_is_over_all_the_same(monkeypatch, caplog):
    told, twice = [], threading.Event()

    def tell(under_way):
        told.append(under_way)
        if len(told) == 4:
            twice.set()

    def fail(_):
        raise RuntimeError("a defect")

    monkeypatch.setattr(Reloader, "reload", fail)
    reloader = Reloader(None, None, None, tell)
    reloader.start()
    reloader.request()
    reloader.request()
    assert twice.wait(WAIT_S)
    reloader.close(WAIT_S)
    assert told == [True, False] * 2
    assert "a defect" in caplog.text


def test_whoever_waits_for_an_encoder_hears_that_it_is_opened(monkeypatch):
    calls = []
    bundles = Bundles("cpu", lambda: calls.append("opening"))
    monkeypatch.setattr(bundles, "_networks", lambda *_: calls.append("open"))
    monkeypatch.setattr("edge.bundles.Activation", lambda *_: SimpleNamespace(bundle=None))
    bundles.encoder_for("any")(FORMAT)
    bundles.encoder_for(NO_BUNDLE)(FORMAT)
    assert calls == ["opening", "open"]
