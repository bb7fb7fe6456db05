"""Parts that die or hang, and what becomes of them."""

from __future__ import annotations

import logging
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import Exit
from edge.supervision import LAST_WORDS_S, MOST_RESTARTS, Part, Supervisor, end_process
from firmware_bridge.pulse import PATIENCE_S, Pulse

S = 10**9


class HandClock:
    def __init__(self):
        self.now_ns = 5 * S

    def monotonic_ns(self):
        return self.now_ns

    def utc_ns(self):
        return self.now_ns


class Patient:
    """A part under supervision, and what was done to it."""

    def __init__(self, essential=True, mendable=True):
        self.pulse = Pulse()
        self.living = True
        self.revived = 0
        self.part = Part(
            "part", self.pulse, lambda: self.living, self.revive if mendable else None, essential
        )

    def revive(self):
        self.revived += 1
        self.living = True


def watching(*patients, give_up=True):
    clock, reasons = HandClock(), []
    supervisor = Supervisor(clock, reasons.append if give_up else None)
    supervisor.watch(each.part for each in patients)
    return clock, supervisor, reasons


def passed(clock, supervisor, seconds, step=1.0):
    """Check once a second for so long; the last verdict."""
    well = True
    for _ in range(round(seconds / step)):
        clock.now_ns += int(step * S)
        well = supervisor.check()
    return well


def test_a_part_that_beats_is_well_however_long_it_takes():
    one = Patient()
    clock, supervisor, reasons = watching(one)
    for _ in range(100):
        one.pulse.beat()
        assert passed(clock, supervisor, 9)
    assert reasons == []
    assert supervisor.troubles == {}


def test_one_that_waits_for_work_owes_nothing():
    one = Patient()
    clock, supervisor, reasons = watching(one)
    one.pulse.beat()
    one.pulse.rest()
    assert passed(clock, supervisor, 3600)
    assert reasons == []


def test_one_that_hangs_is_found_within_its_patience_and_ends_the_process(caplog):
    one = Patient()
    clock, supervisor, reasons = watching(one)
    one.pulse.beat()
    assert passed(clock, supervisor, PATIENCE_S)
    assert not passed(clock, supervisor, 2)
    assert reasons[0].startswith("part: no sign of life")
    assert "no sign of life" in supervisor.troubles["part"]
    said = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert len(said) == 1


def test_without_anybody_to_start_it_again_the_process_stays_and_says_so(caplog):
    one = Patient()
    clock, supervisor, _ = watching(one, give_up=False)
    one.pulse.beat()
    assert not passed(clock, supervisor, 60)
    assert [each.levelno for each in caplog.records] == [logging.CRITICAL]
    assert "restart the service" in caplog.text
    one.pulse.beat()
    assert passed(clock, supervisor, 1)
    assert "signs of life again" in caplog.text


def test_the_dead_get_a_new_thread_until_they_die_too_often():
    one = Patient()
    clock, supervisor, reasons = watching(one)
    for death in range(MOST_RESTARTS):
        one.living = False
        assert passed(clock, supervisor, 1)
        assert one.revived == death + 1
    one.living = False
    assert not passed(clock, supervisor, 1)
    assert reasons == ["part: its thread died again and again"]
    assert supervisor.restarts == {"part": MOST_RESTARTS}


def test_deaths_far_apart_are_mended_for_ever():
    one = Patient()
    clock, supervisor, reasons = watching(one)
    for _ in range(50):
        one.living = False
        assert passed(clock, supervisor, 1)
        assert passed(clock, supervisor, 10)
    assert one.revived == 50
    assert reasons == []


def test_one_that_cannot_be_replaced_ends_the_process_at_once():
    one = Patient(mendable=False)
    clock, supervisor, reasons = watching(one)
    one.living = False
    assert not passed(clock, supervisor, 1)
    assert reasons == ["part: its thread died"]


def test_what_is_not_essential_ends_nothing(caplog):
    one = Patient(essential=False)
    clock, supervisor, reasons = watching(one)
    one.pulse.beat()
    assert passed(clock, supervisor, 60)
    assert reasons == []
    assert supervisor.troubles
    assert "restart the service" in caplog.text


@pytest.mark.parametrize("stood_still_s", [20, 3600, 86_400])
def test_a_process_that_was_stopped_as_a_whole_accuses_nobody(stood_still_s):
    one = Patient()
    clock, supervisor, reasons = watching(one)
    one.pulse.beat()
    passed(clock, supervisor, 5)
    clock.now_ns += stood_still_s * S
    assert supervisor.check()
    one.pulse.beat()
    assert passed(clock, supervisor, 5)
    assert reasons == []


@given(st.lists(st.sampled_from(["beat", "rest", "second", "die"]), max_size=80))
def test_it_gives_up_only_with_a_reason(events):
    """Whatever happens: nobody is accused who beat within the last ten seconds."""
    one = Patient()
    clock, supervisor, reasons = watching(one)
    owed_s, deaths = -math.inf, 0
    for event in events:
        if event == "beat":
            one.pulse.beat()
            owed_s = 0.0
        elif event == "rest":
            one.pulse.rest()
            owed_s = -math.inf
        elif event == "die":
            one.living = False
            deaths += 1
        else:
            owed_s = owed_s + 1.0
            passed(clock, supervisor, 1)
        if reasons:
            assert owed_s > PATIENCE_S or deaths > MOST_RESTARTS
            return


def test_its_own_thread_looks_on_and_survives_what_it_calls():
    looked = threading.Semaphore(0)
    dead = Patient()
    dead.living = False

    def well():
        looked.release()
        raise RuntimeError("whoever is told fails")

    from edge.clock import SystemClock

    supervisor = Supervisor(SystemClock(), on_well=well, check_s=0.01)
    supervisor.watch([dead.part])
    supervisor.start()
    assert all(looked.acquire(timeout=30) for _ in range(3))
    supervisor.close(30)
    assert dead.revived == 1


def test_an_end_gives_the_alerts_a_bounded_time_to_be_stored(monkeypatch):
    done = []
    monkeypatch.setattr("edge.supervision.os._exit", lambda code: done.append(code))
    end_process("sinks: hang", lambda timeout_s: done.append(timeout_s))
    assert done == [LAST_WORDS_S, Exit.STUCK]

    def broken(_):
        raise RuntimeError("broken")

    end_process("sinks: hang", broken)
    assert done[2:] == [Exit.STUCK]
