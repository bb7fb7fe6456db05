"""Timing from outside leaves what it times as it is."""

import pytest

from edge.bench.assembly import Assembly
from edge.bench.laps import Laps, Timed
from edge.bench.recording import record
from edge.bench.stages import StageRun
from edge.clock import SystemClock
from edge.networks import Networks
from tests.edge.fake_networks import fake_networks


class Adder:
    total = 0

    def add(self, number):
        self.total += number
        return self.total

    def fail(self):
        raise KeyError("no")


def test_a_stand_in_passes_everything_on():
    adder, laps = Adder(), Laps(SystemClock())
    timed = Timed(adder, laps, "sum", "add", "fail")
    assert [timed.add(2), timed.add(number=3)] == [2, 5]
    assert timed.total == 5
    with pytest.raises(KeyError, match="no"):
        timed.fail()
    with pytest.raises(AttributeError):
        timed.subtract(1)
    assert len(laps.us("sum")) == 3
    assert laps.sum_ns() == round(laps.us("sum").sum() * 1000)
    assert laps.sum_ns() == 0


def test_laps_of_the_warm_up_are_not_kept():
    laps = Laps(SystemClock())
    nothing = laps.timed("nothing", lambda: None)
    laps.keep = False
    nothing()
    laps.note("other", 5)
    laps.keep = True
    nothing()
    laps.note("other", 7000)
    assert len(laps.us("nothing")) == 1
    assert laps.us("other").tolist() == [7.0]
    assert laps.us("never").size == 0


@pytest.fixture(scope="module")
def recording():
    return record("sim:?scenario=asystole&seed=3", 25.0, SystemClock())


def encoder_for(_) -> Networks:
    return fake_networks()


def without_sessions(alerts):
    """Ids hold the session; everything else must agree."""
    return [(a.kind, a.phase, a.onset_ns, a.time_ns, a.evidence) for a in alerts]


def test_a_timed_pipeline_says_what_the_pipeline_says(recording):
    assembly = Assembly(recording, encoder_for)
    plain = assembly.pipeline(recording.source().decoder)
    timed = assembly.timed(Laps(SystemClock()))
    heard = []
    for packet in recording.packets():
        said, told = plain.push(packet), timed.push(packet)
        assert said.observations == told.observations
        assert without_sessions(said.alerts) == without_sessions(told.alerts)
        heard += said.alerts
    assert "asystole" in [alert.kind for alert in heard]
    assert plain.counts == timed.counts


def test_every_stage_is_timed_as_often_as_it_ran(recording):
    run = StageRun(Assembly(recording, encoder_for), SystemClock())
    run.run(0.0)
    counted = {stage.name: stage.time_us.n for stage in run.stages}
    packets = len(recording.items) - 20
    assert counted["decode"] == counted["timeline"] == counted["signal"] == packets
    assert counted["encoder"] == 23
    assert counted["beat stage"] > 5
    assert counted["alarm"] > 50
    assert sum(stage.share_percent for stage in run.stages) == pytest.approx(100, abs=0.5)
    assert run.delays.beat_ms.n >= counted["beat stage"]
    assert [each.kind for each in run.delays.alerts] == ["asystole"]
    assert 4.0 <= run.delays.alerts[0].median_s < 7.0
