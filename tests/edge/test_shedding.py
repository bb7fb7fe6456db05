"""A gateway whose encoders become too slow: real pipelines, on a clock that only work moves."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest

from edge.alarm.history import RhythmHistory
from edge.alarm.limits import AlarmLimits
from edge.alert import Phase
from edge.assemble import alarms, encoder_factory, segment_settings
from edge.clock import rfc3339
from edge.config import Patient, Signal
from edge.console import status_line
from edge.events import Beat, Rhythm
from edge.feed import SHARE, Taken
from edge.health.message import EngineHealth
from edge.health.report import _patient, _troubles
from edge.health.watch import PatientFigures, ServiceWatch
from edge.load import CALM_NS, STEP_NS
from edge.messages import StateMessage
from edge.monitor import Monitor
from edge.networks import Networks
from edge.pipeline import Pipeline
from edge.report import AlertTally, final_report, report_lines
from edge.rounds import Rounds
from edge.runtime import Runtime
from edge.shedding import Shedding
from firmware_bridge.patch.virtual_patch import PatchConfig, VirtualPatch
from firmware_bridge.source import open_source
from firmware_bridge.stream import NS_PER_S, Packet
from tests.edge.running import Recorder
from tests.edge.test_runtime import ManualClock

TURN_NS = 1_000_000


@pytest.mark.parametrize(("away_s", "counted"), [(1, 6), (3, 6), (4, 3), (600, 3)])
def test_what_the_encoder_said_before_a_long_break_counts_no_more(away_s, counted):
    history = RhythmHistory()
    for second in (1, 2, 3, 3 + away_s, 4 + away_s, 5 + away_s):
        history.hear(Rhythm(second * NS_PER_S, {"af": 0.9}))
    assert len(history.recent(30, 0, (5 + away_s) * NS_PER_S)) == counted


class SlowEncoder:
    """An encoder that ships, whose steps take as long on the clock as the gateway says."""

    def __init__(self, encoder, gateway):
        self._encoder, self._gateway = encoder, gateway
        self.manifest, self.providers = encoder.manifest, encoder.providers
        self.reset = encoder.reset

    def step(self, samples, lead_weights=None):
        self._gateway.clock.now_ns += self._gateway.step_ns
        return self._encoder.step(samples, lead_weights)


class Gateway:
    """The engine's loop without threads: packets are offered when they are due."""

    def __init__(self, *scenarios, seconds, bundle="tcn-s", finite=False):
        self.clock = ManualClock()
        self.recorder = Recorder()
        self.watch = ServiceWatch(self.clock)
        self.runtime = Runtime(self.clock, [self.recorder, self.watch, self])
        self.step_ns = 0
        self.rhythms, self.delays_ns, self.beats = {}, {}, {}
        self._open = encoder_factory(bundle, "cpu")
        self._rounds = Rounds(len(scenarios), self.clock.now_ns)
        self._began_ns = self.clock.now_ns
        self._due = [self._watch(f"p{k}", s, seconds, finite) for k, s in enumerate(scenarios)]

    def _watch(self, name, scenario, seconds, finite):
        source = replace(open_source("sim:"), finite=finite)
        line = Pipeline(
            source.decoder, alarms(AlarmLimits()), segment_settings(Signal()), self._networks
        )
        hooks = (self.runtime.stepped, self.runtime.link_changed)
        patient = Patient(id=name, source="sim:")
        self.runtime.add(Monitor(patient, "sim", line, self.clock, *hooks), source)
        patch = VirtualPatch(PatchConfig(scenario=scenario, duration_s=float(seconds)))
        return [(self._began_ns + each.due_ns, each.data) for each in patch.frames()][::-1]

    def _networks(self, form):
        made = self._open(form)
        return Networks(SlowEncoder(made.encoder, self), made.beat_stage, made.bundle_sha256)

    def stepped(self, monitor, step):
        name = monitor.patient.id
        said = [each for each in step.observations if isinstance(each, Rhythm)]
        self.rhythms.setdefault(name, []).extend(each.time_ns for each in said)
        beats = [each.time_ns for each in step.observations if isinstance(each, Beat)]
        self.beats.setdefault(name, []).extend(beats)
        for alert in step.alerts:
            waited_ns = self.clock.now_ns - self._began_ns - alert.time_ns
            if alert.phase is Phase.START:
                self.delays_ns.setdefault((name, alert.kind), []).append(waited_ns)

    def link_changed(self, monitor, report):
        pass

    def ticked(self, monitor, state):
        pass

    def run(self, until_s):
        stop_ns = self._began_ns + until_s * NS_PER_S
        while self.clock.now_ns < stop_ns:
            self._offer()
            if not self.runtime._ready.empty():
                self.clock.now_ns += TURN_NS
                self.runtime._ready.get_nowait()()
            else:
                coming = [due[-1][0] for due in self._due if due]
                self.clock.now_ns = max(self.clock.now_ns + 1, min([*coming, self._rounds.due_ns]))
            self.runtime._go(self._rounds)

    def _offer(self):
        for feed, due in zip(self.runtime._feeds, self._due, strict=True):
            while due and due[-1][0] <= self.clock.now_ns and feed.waiting < SHARE:
                due_ns, data = due.pop()
                feed._offer(Packet(data, due_ns))

    @property
    def states(self):
        return {each.patient.id: each.state() for each in self.runtime.monitors}


def check_what_operators_are_told(watch):
    figures = list(watch.patients.values())
    patients = [_patient(each) for each in figures]
    shed = [each for each in patients if each.encoder_shed]
    assert all(each.late_hops > 0 for each in shed)
    engine = EngineHealth(late_ms=0.0, queued=0)
    assert list(_troubles(engine, None, None, {}, figures)) == [
        f"the engine is behind: rules alone for {len(shed)} of 3 patients"
    ]


STATE = StateMessage(
    patient="p0",
    device="sim",
    bundle="",
    time=rfc3339(0),
    link="streaming",
    encoder_shed=True,
    late_hops=7,
)


def test_the_report_at_the_end_tells_late_hops():
    lines = report_lines(final_report([STATE], AlertTally(), None))
    assert "  7 hops late: rules alone while the engine lagged" in lines


def test_prometheus_is_told():
    families = pytest.importorskip("edge.metrics.families")
    watched = {"p0": PatientFigures(STATE)}
    health = SimpleNamespace(patients=[_patient(each) for each in watched.values()])
    told = {
        sample.name: sample.value
        for family in families.patient_families(health, watched)
        for sample in family.samples
    }
    assert told["edge_encoder_shed"] == 1
    assert told["edge_encoder_late_hops_total"] == 7


def test_rules_go_on_and_no_sample_is_lost_while_the_encoders_are_too_slow(caplog):
    """Three patients, an encoder that takes 0.6 s of each second for each from 10 s to 30 s."""
    caplog.set_level(logging.INFO, logger="edge.shedding")
    seconds = 30 + (CALM_NS + 4 * STEP_NS) // NS_PER_S + 10
    gateway = Gateway("sinus", "sinus", "asystole", seconds=seconds)
    gateway.run(10)
    assert not any(state.encoder_shed for state in gateway.states.values())
    gateway.step_ns = 600_000_000
    gateway.run(30)
    during = gateway.states
    assert [during[name].encoder_shed for name in ("p0", "p1", "p2")].count(True) >= 2
    shed = next(state for state in during.values() if state.encoder_shed)
    assert shed.bundle == ""
    assert shed.late_hops > 5
    assert "rules alone" in status_line(shed).plain
    check_what_operators_are_told(gateway.watch)
    gateway.step_ns = 0
    gateway.run(seconds + 1)
    after = gateway.states
    assert not any(state.encoder_shed for state in after.values())
    assert all(state.bundle for state in after.values())
    assert {state.samples.received for state in after.values()} == {seconds * 250}
    assert all(s.samples.gap == s.samples.pending == 0 for s in after.values())
    at_first, while_shed, *_ = gateway.delays_ns["p2", "asystole"]
    assert at_first < 6 * NS_PER_S  # 1 s late, for 2 s, and the change itself
    assert while_shed < NS_PER_S // 10
    assert all(each.model_failures == 0 for each in gateway.watch.patients.values())
    told = [each.getMessage() for each in caplog.records if each.name == "edge.shedding"]
    assert [text.split(":")[0] for text in told] == [
        "the engine is behind",
        "the engine keeps up",
    ]
    for name, state in after.items():
        missed = seconds - len(gateway.rhythms[name])
        assert state.late_hops <= missed <= state.late_hops + 3  # whole ones; two changes
    sinus = gateway.beats["p0"]
    waits_ns = [after - before for before, after in pairwise(sinus)]
    longer_ns = [each for each in waits_ns if each >= 1.5 * NS_PER_S]
    assert len(longer_ns) <= 1  # the beat in which the encoder returned
    assert max(waits_ns) < 2 * NS_PER_S
    assert len(set(sinus)) == len(sinus)


def test_a_source_that_ends_by_itself_keeps_its_encoder_at_any_load():
    gateway = Gateway("sinus", seconds=12, finite=True)
    gateway.step_ns = 3 * NS_PER_S
    gateway.run(40)
    (state,) = gateway.states.values()
    assert (state.encoder_shed, state.late_hops) == (False, 0)
    assert len(gateway.rhythms["p0"]) == 12


class ToldFeed:
    """A feed as `Shedding` sees it."""

    def __init__(self, bundle):
        self.source = replace(open_source("sim:"), finite=False)
        self.monitor = SimpleNamespace(
            active=(),
            bundle=bundle,
            delivered_ns=0,
            finished=False,
            late_hops=0,
            now_ns=0,
            pipeline=SimpleNamespace(format="any"),
            shed=lambda is_shed: None,
        )


def test_a_stream_is_not_taken_for_a_flood_because_of_a_gap(caplog):
    """It is late without an encoder of its own: that of another rests for it."""
    clock = ManualClock()
    shedding = Shedding(clock)
    late, other = ToldFeed(""), ToldFeed("tcn-s")
    shedding.add(other)
    shedding.add(late)
    shedding.review()
    for _ in range(4):
        shedding.taken(late, Taken(Packet(b"", 0), clock.now_ns - 2 * NS_PER_S))
        clock.now_ns += NS_PER_S
        late.monitor.delivered_ns += NS_PER_S
        late.monitor.now_ns = 60 * NS_PER_S + late.monitor.delivered_ns
    shedding.review()
    assert "now of 1 of 2 patients" in caplog.text
    other.monitor.finished = True
    shedding.review()
    assert not shedding._load.shed


@pytest.mark.parametrize(
    ("uri", "real"),
    [("sim:", True), ("sim:?speed=1", True), ("sim:?speed=max", False), ("sim:?speed=4", False)],
)
def test_only_what_is_as_fast_as_time_is_in_real_time(uri, real):
    assert open_source(uri).real_time is real
