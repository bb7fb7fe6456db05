"""What people ask of a running monitor, from another thread, and what observers see of it."""

from __future__ import annotations

import threading

import pytest

from edge.actions import Acknowledge, AskStrip, PauseAudio, SetLimits
from edge.assemble import add_patients
from edge.bundles import Bundles
from edge.clock import SystemClock
from edge.config import Config, Encoder, Patient
from edge.runtime import Runtime
from firmware_bridge.source import open_source
from models.bundle import load_bundle
from tests.edge.running import Recorder, monitor
from tests.patience import WAIT_S

SLOW = Patient(
    id="p1",
    source="sim:?scenario=asystole&speed=40",
    adjustable={"brady_bpm": (35.0, 60.0)},
)


class Watcher(Recorder):
    """Remembers alerts, and wakes whoever waits for one of a kind."""

    def __init__(self):
        super().__init__()
        self.changed = threading.Condition()

    def stepped(self, watched, step):
        with self.changed:
            super().stepped(watched, step)
            self.changed.notify_all()

    def wait_for(self, kind, state="active"):
        def found():
            return next((a for _, a in self.alerts if (a.kind, a.state) == (kind, state)), None)

        with self.changed:
            assert self.changed.wait_for(found, WAIT_S)
            return found()


@pytest.fixture
def running():
    """A patient whose heart stands still now and then, forty times as fast as life."""
    watcher = Watcher()
    runtime = Runtime(SystemClock(), [watcher])
    config = Config(patient=(SLOW,), encoder=Encoder(bundle="none"))
    add_patients(runtime, config, Bundles("cpu"), SystemClock())
    thread = threading.Thread(target=runtime.run)
    thread.start()
    yield runtime, watcher
    runtime.stop()
    thread.join(WAIT_S)


def done(runtime, action):
    return runtime.ask(action).result(WAIT_S)


def test_an_acknowledgement_comes_back_as_an_alert(running):
    runtime, watcher = running
    alarm = watcher.wait_for("asystole")
    outcome = done(runtime, Acknowledge("p1", alarm.id, "nurse"))
    assert outcome.done
    assert outcome.text.startswith("acknowledged: asystole")
    told = [a for _, a in watcher.alerts if a.acknowledged_by == "nurse"]
    assert told[0].id == alarm.id


def test_a_pause_and_a_limit_are_seen_in_the_state(running):
    runtime, watcher = running
    watcher.wait_for("asystole")
    states = []
    for action in (PauseAudio("p1", 120), SetLimits("p1", {"brady_bpm": 44.0})):
        assert done(runtime, action).done
        runtime.call(lambda: states.append(runtime.monitors[0].state()))
    assert done(runtime, SetLimits("p1", {"brady_bpm": 61.0})).text == (
        "limits not changed: brady_bpm of 61 is outside 35 to 60"
    )
    assert states[0].audio_paused
    assert states[1].limits == {"brady_bpm": 44.0}


def test_what_is_not_on_offer_is_refused_in_words(running):
    runtime, _ = running
    assert done(runtime, Acknowledge("p2")).text == "no patient 'p2' is watched here"
    assert not done(runtime, AskStrip("p1")).done
    runtime.stop()


def test_a_patient_who_is_no_longer_watched_takes_no_action():
    watched = monitor(open_source("sim:"), "p1", Runtime(SystemClock(), []))
    assert watched.act(Acknowledge("p1")).text == "nobody attends to these alarms"
    watched.close()
    assert watched.act(PauseAudio("p1", 60.0)).text == "p1 is no longer watched"


def test_a_message_names_the_bundle_and_its_hash():
    config = Config(patient=(Patient(id="p1", source="sim:?speed=max&duration_s=2"),))
    runtime = Runtime(SystemClock(), [])
    add_patients(runtime, config, Bundles("cpu"), SystemClock())
    assert runtime.monitors[0].context().bundle_sha256 == ""
    runtime.run()
    context = runtime.monitors[0].context()
    assert (context.bundle, context.bundle_sha256) == ("tcn-s", load_bundle("tcn-s").sha256)
