"""The state of the alarms in a real outbox."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from edge.alarm.attendance import Attendance
from edge.alarm_memory import AlarmMemory
from edge.announce import Announcer
from edge.assemble import add_patients
from edge.bundles import Bundles
from edge.clock import SystemClock
from edge.config import Config, Encoder, Patient
from edge.messages import AlertMessage, Topics
from edge.outbox import Outbox
from edge.runtime import Runtime
from edge.sink import MqttSink
from firmware_bridge.source import open_source
from tests.edge.test_announce import QueueSink, of
from tests.patience import WAIT_S

ASYSTOLE = "sim:?scenario=asystole&speed=max&duration_s=18"
"""12 s of beats, then none."""


class NoPublisher:
    """Stands where nothing is published."""

    def retain(self, *_, **__):
        return

    stop = retain


class Living:
    """A source that ends, taken for one that does not."""

    def __init__(self, source):
        self._source = source

    finite = False

    def __getattr__(self, name):
        return getattr(self._source, name)


@pytest.fixture
def outbox(tmp_path: Path):
    with_store = Outbox(tmp_path / "outbox.sqlite")
    yield with_store
    with_store.close()


def watched(outbox: Outbox, uri: str = ASYSTOLE, patient: str = "p1", living: bool = True):
    """A whole run up to the end of the source: its messages."""
    config = Config(patient=(Patient(id=patient, source=uri),), encoder=Encoder(bundle="none"))
    clock, sink, memory = SystemClock(), QueueSink(), AlarmMemory(outbox)
    stored = MqttSink(outbox, NoPublisher(), Topics())
    announcer = Announcer([stored, sink], outbox.next_seq, clock, memory.snapshot)
    runtime = Runtime(clock, [announcer])
    made = open_source(uri)
    opened = Living(made) if living else made
    add_patients(runtime, config, Bundles("cpu"), clock, lambda _: opened, memory.alarms)
    announcer.start(runtime.monitors, memory.abandoned(runtime.monitors))
    runtime.run()
    announcer.close(WAIT_S)
    return sink.messages


def told(messages):
    return [(each.kind, each.phase.value) for each in of(messages, AlertMessage)]


def test_an_alarm_goes_on_in_the_next_run(outbox):
    (start,) = of(watched(outbox), AlertMessage)
    again = watched(outbox, "sim:?scenario=sinus&speed=max&duration_s=10")
    asystole = [each for each in of(again, AlertMessage) if each.kind == "asystole"]
    assert {each.id for each in asystole} == {start.id}
    assert asystole[-1].state == "latched"
    assert [each.seq for each in of(again, AlertMessage)] == list(
        itertools.islice(itertools.count(start.seq + 1), len(of(again, AlertMessage)))
    )


def test_a_recording_begins_afresh_and_leaves_nothing_behind(outbox):
    first = told(watched(outbox, living=False))
    assert outbox.load_snapshot("p1") is None
    second = told(watched(outbox, living=False))
    assert first == [("asystole", "start")]
    assert second == [("asystole", "end"), ("asystole", "start")]


def test_alarms_of_a_patient_who_is_no_longer_watched_end(outbox):
    (start,) = of(watched(outbox), AlertMessage)
    messages = watched(outbox, "sim:?scenario=sinus&speed=max&duration_s=3", patient="p2")
    (end,) = [each for each in of(messages, AlertMessage) if each.patient == "p1"]
    assert (end.id, end.phase.value, end.state) == (start.id, "end", "inactive")
    assert end.evidence["reason"] == "restart"
    assert end.seq == start.seq + 1
    empty = [each for each in messages if each.patient == "p1" and hasattr(each, "alerts")]
    assert [each.alerts for each in empty] == [[]]


@pytest.mark.parametrize("damage", [b"{}", b"\xff", b'{"utc_ns": 0, "state": {}, "version": 9}'])
def test_a_damaged_snapshot_is_said_once_and_its_alarms_end(outbox, caplog, damage):
    watched(outbox)
    outbox.save_snapshot("p1", damage)
    messages = watched(outbox, "sim:?scenario=sinus&speed=max&duration_s=3")
    assert told(messages) == [("asystole", "end")]
    (line,) = [each.message for each in caplog.records if "afresh" in each.message]
    assert line.startswith("patient p1: the alarms start afresh: alarm snapshot: ")


def test_a_defect_does_not_come_back_at_every_start(outbox, monkeypatch):
    """The monitor breaks; what it knew is not what the next start begins with."""
    watched(outbox)
    with monkeypatch.context() as broken:
        broken.setattr(Attendance, "_due", lambda _: 1 / 0)
        watched(outbox, "sim:?scenario=sinus&speed=max&duration_s=3")
    assert outbox.load_snapshot("p1") == b""
    messages = watched(outbox, "sim:?scenario=sinus&speed=max&duration_s=3")
    assert {kind_and_phase[1] for kind_and_phase in told(messages)} == {"end"}


def test_without_an_outbox_nothing_is_remembered():
    memory = AlarmMemory(None)
    patient = Patient(id="p1", source="sim:")
    assert memory.alarms(patient, open_source("sim:")).active == ()
    assert memory.abandoned([]) == []


def test_an_alarm_that_was_ended_for_good_does_not_come_back_with_its_patient(outbox):
    (start,) = of(watched(outbox), AlertMessage)
    sinus = "sim:?scenario=sinus&speed=max&duration_s=3"
    watched(outbox, sinus, patient="p2")
    again = of(watched(outbox, sinus), AlertMessage)
    assert start.id not in [each.id for each in again]


def test_a_recording_in_a_patients_name_ends_no_alarm_of_theirs(outbox):
    (start,) = of(watched(outbox), AlertMessage)
    sinus = "sim:?scenario=sinus&speed=max&duration_s=3"
    assert told(watched(outbox, sinus, living=False)) == []
    again = of(watched(outbox, sinus), AlertMessage)
    assert start.id in [each.id for each in again]
