import itertools
import queue
import threading

import pytest

from edge.alert import Phase
from edge.announce import WAITING, Announcer
from edge.clock import SystemClock
from edge.messages import ActiveAlerts, AlertMessage, AvailabilityMessage, StateMessage
from edge.runtime import Runtime
from firmware_bridge.pulse import SLOW_DISK_S
from firmware_bridge.source import open_source
from tests.edge.running import monitor
from tests.patience import WAIT_S


class QueueSink:
    """Keeps every message, in order."""

    def __init__(self):
        self.messages = []
        self.closed = False

    def alert(self, message):
        self.messages.append(message)

    active = state = availability = alert

    def close(self):
        self.closed = True


class BrokenSink(QueueSink):
    """A third party's sink that raises."""

    def alert(self, message):
        raise RuntimeError("broken")

    active = state = availability = alert

    def close(self):
        raise RuntimeError("broken")


class LeavingSink(QueueSink):
    """One that takes the thread for a program of its own, and ends it."""

    def alert(self, message):
        raise SystemExit

    active = state = availability = close = alert


@pytest.fixture
def announced():
    """Messages of a patient whose heart stops and starts, beside sinks that always fail."""
    sink, numbers = QueueSink(), itertools.count(1)
    clock = SystemClock()
    announcer = Announcer([BrokenSink(), sink, LeavingSink()], lambda _: next(numbers), clock)
    runtime = Runtime(clock, [announcer])
    source = open_source("sim:?scenario=asystole&speed=max&duration_s=60")
    runtime.add(monitor(source, "p0", runtime), source)
    announcer.start(runtime.monitors)
    runtime.run()
    announcer.close(WAIT_S)
    assert sink.closed
    return sink.messages


def of(messages, kind):
    return [message for message in messages if isinstance(message, kind)]


def test_every_alert_is_announced_in_order_with_its_number(announced):
    alerts = of(announced, AlertMessage)
    assert [message.seq for message in alerts] == list(range(1, len(alerts) + 1))
    assert ("asystole", "start") in [(message.kind, message.phase) for message in alerts]
    for message in alerts:
        assert message.onset <= message.time
        assert message.device_time_ns is not None


def test_the_list_of_present_alarms_follows_the_alerts(announced):
    present = {}
    for message in announced:
        if isinstance(message, AlertMessage):
            present[message.id] = message
            if message.phase is Phase.END:
                del present[message.id]
        elif isinstance(message, ActiveAlerts):
            assert {each.id for each in message.alerts} == set(present)
    assert of(announced, ActiveAlerts)[0].alerts == []


def test_availability_changes_are_told_once(announced):
    states = [message.state for message in of(announced, AvailabilityMessage)]
    assert states == ["offline", "online", "offline"]


def test_state_carries_the_counts(announced):
    last = of(announced, StateMessage)[-1]
    assert last.link == "ended"
    assert last.samples.received == last.samples.delivered > 0


def test_state_is_dropped_and_counted_where_the_sinks_are_slow(monkeypatch):
    clock = SystemClock()
    announcer = Announcer([], lambda _: 1, clock)
    announcer._queue = queue.Queue(1)
    runtime = Runtime(clock, [announcer])
    source = open_source("sim:")
    runtime.add(monitor(source, "p0", runtime), source)
    tick(announcer, runtime)
    tick(announcer, runtime)
    assert announcer.dropped == 1


def tick(announcer, runtime):
    """A second passes for every patient."""
    for each in runtime.monitors:
        announcer.ticked(each, each.state())


def an_availability(word):
    return AvailabilityMessage(state=word, patient="p1", time="2026-01-31T12:00:00.250Z")


class StalledSink(QueueSink):
    """A sink whose disk takes nothing until it is released."""

    def __init__(self):
        super().__init__()
        self.entered = threading.Event()
        self.released = threading.Event()

    def alert(self, message):
        self.entered.set()
        self.released.wait(WAIT_S)
        super().alert(message)

    active = state = availability = alert


def test_a_disk_that_stalls_has_time_and_what_waits_can_be_waited_for():
    sink = StalledSink()
    announcer = Announcer([sink], lambda _: 1, SystemClock())
    announcer.start([])
    for word in ("online", "offline"):
        announcer._queue.put(an_availability(word))
    sink.entered.wait(WAIT_S)
    assert announcer.pulse.state[1] == SLOW_DISK_S
    assert not announcer.drained(0.0)
    sink.released.set()
    assert announcer.drained(WAIT_S)
    assert len(sink.messages) == 2
    announcer.close(WAIT_S)


def test_states_leave_half_of_the_room_to_alerts():
    clock = SystemClock()
    announcer = Announcer([], lambda _: 1, clock)
    runtime = Runtime(clock, [announcer])
    source = open_source("sim:")
    runtime.add(monitor(source, "p0", runtime), source)
    for _ in range(WAITING):
        tick(announcer, runtime)
    assert announcer.queued == WAITING // 2 + 1


class SetClock:
    """Stands still until it is moved."""

    now_ns = 10**12

    def monotonic_ns(self):
        return self.now_ns

    def utc_ns(self):
        return self.now_ns


class KeepingSink(QueueSink):
    """Keeps the states of alarms."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def alert_kept(self, message, snapshot):
        self.messages.append(message)

    def keep(self, patient, snapshot):
        self.kept.append(patient)


def test_the_states_of_alarms_are_kept_in_turn():
    """Not all at one moment: an alert would have to wait for all their commits."""
    clock, sink = SetClock(), KeepingSink()
    announcer = Announcer([sink], lambda _: 1, clock, lambda _: b"state")
    runtime = Runtime(clock, [announcer])
    for number in range(6):
        source = open_source("sim:")
        runtime.add(monitor(source, f"p{number}", runtime), source)
    announcer.start(runtime.monitors)
    most_at_once = 0
    for _ in range(120):
        before = len(sink.kept)
        tick(announcer, runtime)
        assert announcer.drained(WAIT_S)
        most_at_once = max(most_at_once, len(sink.kept) - before)
        clock.now_ns += 10**9
    kept = list(sink.kept)
    announcer.close(WAIT_S)
    assert kept == [f"p{number}" for number in range(6)] * 2
    assert most_at_once == 1
