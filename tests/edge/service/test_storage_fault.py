"""A store that fails is an alarm of every patient, and the alarm gets out all the same."""

from __future__ import annotations

import errno

import pytest

from edge.alarm.limits import AlarmLimits
from edge.alarm.machine import AlarmMachine
from edge.alert import AlarmKind, AlarmType, Phase, Priority
from edge.config import check
from edge.events import BeatsKnown, LeadQuality, Quality, StorageFault
from edge.outbox.store import Store
from edge.run import RunOptions, run
from tests.edge.service.test_parts_fail import Silent
from tests.mosquitto import Mosquitto, needs_mosquitto

S = 10**9


def second(number):
    return Quality(number * S, (LeadQuality(1.0),))


def test_it_begins_with_the_fault_and_ends_after_it():
    machine = AlarmMachine(AlarmLimits(), "test")
    machine.observe(second(1))
    (began,) = machine.observe(StorageFault(2 * S, "disk full"))
    assert (began.kind, began.phase) == (AlarmKind.STORAGE_FAULT, Phase.START)
    assert (began.type, began.priority) == (AlarmType.TECHNICAL, Priority.MEDIUM)
    assert began.evidence == {"reason": "disk full"}
    assert [each for k in range(3, 20) for each in machine.observe(second(k))] == []
    assert machine.observe(StorageFault(20 * S)) == ()
    ended = [each for k in range(21, 40) for each in machine.observe(second(k))]
    assert [(each.id, each.phase) for each in ended] == [(began.id, Phase.END)]


def test_it_says_another_reason_later_and_holds_no_other_alarm_back():
    machine = AlarmMachine(AlarmLimits(), "test")
    machine.observe(StorageFault(1 * S, "disk full"))
    machine.observe(StorageFault(2 * S, "input/output error"))
    seen = [each for k in range(3, 60) for each in (second(k), BeatsKnown(k * S, k * S))]
    told = [alert for each in seen for alert in machine.observe(each)]
    updates = [each for each in told if each.kind == AlarmKind.STORAGE_FAULT]
    assert [each.evidence for each in updates] == [{"reason": "input/output error"}]
    assert [each.phase for each in updates] == [Phase.UPDATE]
    assert "asystole" in {each.kind for each in told}


def test_a_snapshot_does_not_keep_it_on():
    machine = AlarmMachine(AlarmLimits(), "test")
    machine.observe(StorageFault(1 * S, "disk full"))
    again = AlarmMachine.restore(machine.snapshot(), AlarmLimits())
    ended = [each for k in range(2, 20) for each in again.observe(second(k))]
    assert (AlarmKind.STORAGE_FAULT, Phase.END) in {(each.kind, each.phase) for each in ended}


def test_nobody_can_switch_it_off():
    with pytest.raises(ValueError, match="storage_fault cannot be disabled"):
        AlarmLimits(disabled=(AlarmKind.STORAGE_FAULT,))


@needs_mosquitto
def test_every_patient_has_it_and_the_broker_gets_it_from_memory(tmp_path, monkeypatch):
    """No insert succeeds while the alarm is not there yet."""

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def storage(got):
        return [each.json for each in got if each.json.get("kind") == "storage_fault"]

    runtimes = []
    with Mosquitto() as broker, broker.subscribe("edge/+/alert") as subscriber:
        monkeypatch.setattr(Store, "insert", refuse)
        tree = {
            "patient": [
                {"id": name, "source": "sim:?scenario=asystole&speed=20", "bundle": "none"}
                for name in ("p1", "p2")
            ],
            "mqtt": {"url": broker.url},
            "storage": {"directory": str(tmp_path)},
        }

        class Watching(Silent):
            def ticked(self, *_):
                if len(storage(subscriber.received)) >= 2:
                    runtimes[0].stop()

        run(check(tree), RunOptions(for_s=60.0), on_ready=runtimes.append, display=Watching())
        got = storage(subscriber.wait_for(lambda got: len(storage(got)) >= 2))
    assert {each["patient"] for each in got} == {"p1", "p2"}
    for each in got:
        assert each["type"] == "technical"
        assert "No space left on device" in each["evidence"]["reason"]
        assert str(tmp_path) not in each["evidence"]["reason"]
