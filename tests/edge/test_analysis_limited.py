"""Whoever is watched without the encoder that was asked for has an alarm of it, with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alarm.limits import AlarmLimits
from edge.alarm.patient import AlarmSetup, PatientAlarms
from edge.alert import AlarmKind, Phase
from edge.assemble import alarms
from edge.config import check
from edge.encoder_lease import BEHIND
from edge.errors import Exit
from edge.events import AnalysisLimited
from edge.networks import Networks
from edge.pipeline import Pipeline
from edge.run import RunOptions, run
from edge.segment import SegmentSettings
from firmware_bridge.devices import make_decoder
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.stream import NS_PER_S, Packet, StreamFormat
from models.errors import BundleError
from models.registry import open_encoder
from tests.edge.fake_networks import FakeEncoder, fake_networks
from tests.edge.service.test_parts_fail import Silent
from tests.edge.test_shedding import Gateway

K = AlarmKind.ANALYSIS_LIMITED
FAILED = "encoder fake failed: the fake fails"
FOREVER = "sim:?speed=max"


def wire(seconds, rate_hz=250, samples=25):
    """Packets of a patch that beats."""
    config = PatchConfig(
        scenario="sinus", rate_hz=rate_hz, duration_s=float(seconds), frame_samples=samples
    )
    return [Packet(each.data, each.due_ns) for each in VirtualPatch(config).frames()]


def line(encoder_for, is_optional=False):
    conditions = alarms(AlarmLimits())
    settings = SegmentSettings()
    return Pipeline(
        make_decoder("native"), conditions, settings, encoder_for, encoder_is_optional=is_optional
    )


def attended(alarms, encoder_for):
    """The stream of a patient whose alarms outlive the process."""
    return Pipeline(
        make_decoder("native"), alarms, SegmentSettings(), encoder_for, encoder_is_optional=True
    )


def said(steps):
    """What the stream says of its encoder: seconds and reason."""
    observed = [each for step in steps for each in step.observations]
    limited = [each for each in observed if isinstance(each, AnalysisLimited)]
    return [(each.time_ns / NS_PER_S, each.reason) for each in limited]


def told(alerts):
    return [(each.phase, each.evidence["reason"]) for each in alerts if each.kind == K]


def alerts_of(steps):
    return [alert for step in steps for alert in step.alerts]


def by_turns(*networks):
    """Gives these, one at each opening; raises what is an error."""
    left = list(networks)

    def make(_):
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    return make


def test_a_stream_that_has_its_encoder_or_asks_for_none_says_nothing():
    for factory in (lambda _: fake_networks(), lambda _: None):
        stream = line(factory)
        steps = [*map(stream.push, [*wire(20), *wire(20, 500)]), stream.finish()]
        assert said(steps) == []


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 255))
def test_a_failure_is_said_in_its_own_second_in_any_frames(samples):
    stream = line(lambda _: fake_networks(fails_at=5))
    ((at_s, reason),) = said(map(stream.push, wire(8, samples=samples)))
    assert (round(at_s), reason) == (5, FAILED)
    again = line(lambda _: fake_networks(fails_at=5))
    assert said(map(again.push, wire(8))) == [(at_s, reason)]


def test_a_failure_in_the_last_hop_before_a_gap_is_said_after_it():
    stream = line(lambda _: fake_networks(fails_at=8))
    packets = wire(40)
    steps = [stream.push(each) for each in packets[:78]]
    assert said(steps) == []
    steps = [stream.push(each) for each in packets[150:]]
    assert said(steps) == [(15.0, FAILED)]
    assert told(alerts_of(steps)) == [(Phase.START, FAILED)]


def test_a_new_format_brings_the_encoder_back():
    stream = line(by_turns(fake_networks(fails_at=5), fake_networks()))
    steps = [stream.push(each) for each in [*wire(30), *wire(20, 500)]]
    assert [reason for _, reason in said(steps)] == [FAILED, ""]
    assert told(alerts_of(steps)) == [(Phase.START, FAILED), (Phase.END, "resolved")]


@pytest.mark.parametrize("form", [StreamFormat(250.0, ("lead1",)), None])
def test_another_bundle_brings_the_encoder_back(form):
    fresh = fake_networks()
    stream = line(by_turns(fake_networks(fails_at=5), fresh))
    packets = wire(60)
    steps = [stream.push(each) for each in packets[:300]]
    assert stream.format == StreamFormat(250.0, ("lead1",))
    steps += [stream.renew(form, fresh)]
    steps += [stream.push(each) for each in packets[300:]]
    assert said(steps)[1:] == [(30.0, "")]
    assert told(alerts_of(steps)) == [(Phase.START, FAILED), (Phase.END, "resolved")]


def test_a_reload_of_a_stream_that_has_its_encoder_says_nothing():
    stream = line(lambda _: fake_networks())
    packets = wire(40)
    steps = [stream.push(each) for each in packets[:200]]
    steps += [stream.renew(stream.format, fake_networks())]
    assert said([*steps, *map(stream.push, packets[200:])]) == []


def test_an_encoder_that_is_shed_is_said_when_it_goes_and_when_it_comes():
    stream = line(lambda _: fake_networks())
    packets = wire(60)
    steps = [stream.push(each) for each in packets[:100]]
    steps += [stream.shed(True), stream.shed(True)]
    steps += [stream.push(each) for each in packets[100:400]]
    steps += [stream.renew(stream.format, fake_networks()), stream.shed(False)]
    steps += [stream.push(each) for each in packets[400:]]
    assert said(steps) == [(10.0, BEHIND), (40.0, "")]
    assert told(alerts_of(steps)) == [(Phase.START, BEHIND), (Phase.END, "resolved")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BundleError("/srv/bundles/big takes 12 leads"), "big takes 12 leads"),
        (RuntimeError("no such chip"), "RuntimeError: no such chip"),
    ],
)
def test_an_encoder_that_cannot_be_opened_leaves_the_rules_where_it_may(error, words, caplog):
    stream = line(by_turns(error, fake_networks()), is_optional=True)
    steps = [stream.push(each) for each in [*wire(30), *wire(20, 500)]]
    reason = f"the encoder cannot be opened: {words}"
    assert said(steps)[0] == (0.0, reason)
    assert told(alerts_of(steps)) == [(Phase.START, reason), (Phase.END, "resolved")]
    assert str(error) in caplog.text
    with pytest.raises(type(error)):
        line(by_turns(error)).push(wire(1)[0])


@pytest.mark.parametrize(
    ("opened", "phases"),
    [
        (fake_networks(), [Phase.UPDATE, Phase.END]),
        (BundleError("no such chip"), [Phase.UPDATE, Phase.UPDATE]),
    ],
)
def test_over_a_restart_the_alarm_keeps_its_id(opened, phases):
    setup, utc_ns = AlarmSetup(), 1_790_000_000 * NS_PER_S
    before = attended(PatientAlarms.begin(setup, "s"), lambda _: fake_networks(fails_at=5))
    (began,) = [each for each in alerts_of(map(before.push, wire(30))) if each.kind == K]
    kept = before.alarm.snapshot(utc_ns)
    after = attended(PatientAlarms.restore(kept, setup), by_turns(opened))
    steps = [after.resume(utc_ns + 5 * NS_PER_S), *map(after.push, wire(40))]
    alerts = [each for each in alerts_of(steps) if each.kind == K]
    assert {each.id for each in alerts} == {began.id}
    assert [alerts[0].phase, alerts[-1].phase] == phases


def test_streams_that_lose_their_encoder_to_the_load_have_the_alarm_until_it_is_back():
    """Two patients, an encoder that takes 0.8 s of each second for each from 10 s to 30 s."""
    gateway = Gateway("sinus", "sinus", seconds=90)
    gateway.run(10)
    gateway.step_ns = 800_000_000
    gateway.run(32)
    shed = {name for name, state in gateway.states.items() if state.encoder_shed}
    assert shed
    assert {who for who, alert in gateway.recorder.alerts if alert.kind == K} == shed
    gateway.step_ns = 0
    gateway.run(91)
    for name in shed:
        alerts = [alert for who, alert in gateway.recorder.alerts if who == name]
        assert told(alerts) == [(Phase.START, BEHIND), (Phase.END, "resolved")]
    assert not any(state.active for state in gateway.states.values())


def test_a_recording_that_outruns_its_encoder_has_no_such_alarm():
    gateway = Gateway("sinus", seconds=20, finite=True)
    gateway.step_ns = 3 * NS_PER_S
    gateway.run(65)
    assert told([alert for _, alert in gateway.recorder.alerts]) == []


class Failing(FakeEncoder):
    """The encoder that ships, until its fifth step."""

    def __init__(self, whole):
        super().__init__()
        self._whole, self.manifest = whole, whole.manifest

    def step(self, samples, lead_weights=None):
        self.steps += 1
        if self.steps == 5:
            raise RuntimeError("the chip is gone")
        return self._whole.step(samples, lead_weights)


class Display(Silent):
    """Ends the run once the alarm has come, and knows how the patient was then."""

    def __init__(self):
        super().__init__()
        self.runtime = None

    def begun(self, runtime):
        self.runtime = runtime

    def alert(self, message):
        super().alert(message)
        if message.kind == K:
            self.runtime.stop()


def watched(display, source, bundle="tcn-s"):
    tree = {"patient": [{"id": "p1", "source": source, "bundle": bundle}]}
    return run(check(tree), RunOptions(for_s=60.0), on_ready=display.begun, display=display)


@pytest.mark.parametrize("source", [FOREVER, f"{FOREVER}&duration_s=40"])
def test_a_run_whose_encoder_fails_tells_the_reason(source, monkeypatch):
    opened = Networks

    def networks(self, bundle, form):
        return opened(Failing(open_encoder(bundle, len(form.leads), "cpu")))

    monkeypatch.setattr("edge.bundles.Bundles._networks", networks)
    display = Display()
    assert watched(display, source) == Exit.OK
    (message,) = [each for each in display.alerts if each.kind == K][:1]
    assert (message.type, message.priority, message.phase) == ("technical", "low", "start")
    assert message.codes == {}
    assert message.bundle == ""
    assert message.evidence["reason"].endswith("failed: RuntimeError: the chip is gone")


def refuse(*_):
    raise BundleError("bundle 'big' takes 12 leads")


def test_a_patient_whose_encoder_cannot_be_opened_stays_watched(monkeypatch):
    monkeypatch.setattr("edge.bundles.open_encoder", refuse)
    display = Display()
    assert watched(display, f"{FOREVER}&scenario=asystole") == Exit.OK
    limited = next(each for each in display.alerts if each.kind == K)
    assert limited.evidence == {
        "reason": "the encoder cannot be opened: bundle 'big' takes 12 leads"
    }
    (monitor,) = display.runtime.monitors
    assert (monitor.error, monitor.bundle) == (None, "")


def test_a_recording_whose_encoder_cannot_be_opened_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr("edge.bundles.open_encoder", refuse)
    display = Display()
    assert watched(display, f"{FOREVER}&duration_s=20") == Exit.FAILURE
    assert "takes 12 leads" in capsys.readouterr().err
    assert K not in {each.kind for each in display.alerts}
