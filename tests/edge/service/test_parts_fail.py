"""Each part of a run made to die, and to hang."""

from __future__ import annotations

import threading

import pytest

from edge.alert import Phase
from edge.config import check
from edge.monitor import Monitor
from edge.publish import Publisher
from edge.record.recorder import Recorder
from edge.run import RunOptions, run
from firmware_bridge.link import Link
from tests.patience import WAIT_S

PATIENCE_S = 0.2
"""With the part that is made to hang, and no other: a busy machine may well hold those up."""
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Silent:
    """A display that shows nothing and counts alarms."""

    def __init__(self):
        self.alerts = []
        self.states = 0
        self.report = {}

    def alert(self, message):
        self.alerts.append(message)

    def state(self, message):
        self.states += 1

    def ended(self, report):
        self.report = report

    def nothing(self, *_):
        pass

    started = active = availability = close = stepped = link_changed = ticked = nothing


class Fault:
    """What a patched method does: dies or hangs at its n-th call, else what it always did."""

    def __init__(self, how, whole, after=1):
        self.how = how
        self.whole = whole
        self.left = after
        self.released = threading.Event()
        self.struck = threading.Event()
        self._mutex = threading.Lock()

    def strike(self, part, *arguments):
        with self._mutex:
            self.left -= 1
            mine = self.left == 0
        if mine:
            self.struck.set()
            if self.how == "dies":
                raise SystemExit  # ends a thread without a word
            part.pulse.beat(PATIENCE_S)
            self.released.wait(WAIT_S)
        return self.whole(part, *arguments)


@pytest.fixture
def faults(monkeypatch):
    """Puts a fault into a class's method: `faults(Link, "_hand_on", "dies")`."""
    monkeypatch.setattr("edge.service.upkeep.CHECK_S", 0.05)
    monkeypatch.setattr("edge.supervision.CHECK_S", 0.05)
    made = []

    def put(owner, method, how, after=1):
        fault = Fault(how, getattr(owner, method), after)
        monkeypatch.setattr(owner, method, lambda part, *rest: fault.strike(part, *rest))
        made.append(fault)
        return fault

    yield put
    for fault in made:
        fault.released.set()


class Outcome:
    def __init__(self):
        self.reasons = []
        self.display = Silent()
        self.code = None


def outcome_of(tmp_path, monkeypatch, fault, done, mqtt=False, record=False):
    """Run until `done(display)` or until the supervisor gives up."""
    outcome, runtimes = Outcome(), []

    def give_up(reason, _drained):
        outcome.reasons.append(reason)
        fault.released.set()
        runtimes[0].stop()

    monkeypatch.setattr("edge.service.upkeep.end_process", give_up)
    tree = {
        "patient": [{"id": "p1", "source": "sim:?scenario=asystole&speed=20", "bundle": "none"}],
        "storage": {"directory": str(tmp_path)},
    }
    if mqtt:
        tree["mqtt"] = {"url": "mqtt://127.0.0.1:9"}
    if record:
        tree["record"] = {"directory": str(tmp_path / "records")}

    def ready(runtime):
        runtimes.append(runtime)
        monkeypatch.setattr(Monitor, "pulse", runtime.pulse, raising=False)  # of its thread

        class Ending:
            def nothing(self, *_):
                if fault.struck.is_set() and done(outcome.display):
                    runtime.stop()

            stepped = link_changed = ticked = nothing

        runtime.observe(Ending())

    options = RunOptions(for_s=WAIT_S, supervised=True)
    outcome.code = run(check(tree), options, on_ready=ready, display=outcome.display)
    return outcome


def alarmed(display):
    """By the heart: that the link was away may be an alarm, too, and come first."""
    return ("asystole", Phase.START) in {(each.kind, each.phase) for each in display.alerts}


def sinks_fault(faults, how):
    from edge.announce import Announcer

    return faults(Announcer, "_next", how, after=3)


def link_fault(faults, how):
    return faults(Link, "_hand_on", how, after=3)


def publisher_fault(faults, how):
    return faults(Publisher, "_connect_and_serve", how)


def recorder_fault(faults, how):
    return faults(Recorder, "_next", how, after=2)


def test_parts_that_die_are_replaced_and_the_alarm_comes(faults, tmp_path, monkeypatch, caplog):
    """All of them, in one run."""
    names = ("link of p1", "sinks", "publisher", "recorder")
    made = (link_fault, sinks_fault, publisher_fault, recorder_fault)
    (first, *_) = [fault_of(faults, "dies") for fault_of in made]

    def revived():
        said = [f"{name}: its thread died; it gets a new one" for name in names]
        return all(each in caplog.text for each in said)

    done = lambda display: alarmed(display) and revived()  # noqa: E731
    outcome = outcome_of(tmp_path, monkeypatch, first, done, mqtt=True, record=True)
    assert revived()
    assert outcome.reasons == []
    assert outcome.code == 0
    assert alarmed(outcome.display)


@pytest.mark.parametrize(
    ("fault_of", "name"),
    [(link_fault, "link of p1"), (sinks_fault, "sinks"), (publisher_fault, "publisher")],
)
def test_a_part_that_hangs_ends_the_process(faults, tmp_path, monkeypatch, fault_of, name):
    fault = fault_of(faults, "hangs")
    outcome = outcome_of(tmp_path, monkeypatch, fault, lambda _: False, mqtt=name == "publisher")
    assert outcome.reasons[0].startswith(f"{name}: no sign of life")


def test_an_engine_that_hangs_is_seen_from_outside(faults, tmp_path, monkeypatch):
    fault = faults(Monitor, "tick", "hangs", after=3)
    outcome = outcome_of(tmp_path, monkeypatch, fault, lambda _: False)
    assert outcome.reasons[0].startswith("engine: no sign of life")


def test_an_engine_that_dies_ends_the_run(faults, tmp_path, monkeypatch):
    fault = faults(Monitor, "tick", "dies", after=3)
    with pytest.raises(SystemExit):
        outcome_of(tmp_path, monkeypatch, fault, lambda _: False)
