"""Parts beside the monitoring made to die and to hang, under a supervisor whose clock is ours."""

from __future__ import annotations

import itertools
import threading
import time
import urllib.request
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from edge.clock import SystemClock
from edge.config import Signal
from edge.lsl_feed import LslFeed
from edge.messages import Topics
from edge.pipeline import Step
from edge.reload import Reloader
from edge.strips.image import StripImages
from edge.strips.service import Strips
from edge.supervision import Part, Supervisor
from edge.view_settings import ViewSettings
from edge.worker import QueueWorker
from firmware_bridge.pulse import PATIENCE_S
from firmware_bridge.stream import NS_PER_S
from tests.patience import WAIT_S

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class HandClock:
    def __init__(self):
        self.now_ns = 0

    def monotonic_ns(self):
        return self.now_ns

    utc_ns = monotonic_ns


class Work:
    """What a part is given to do: dies or hangs the first time, and is done from then on."""

    def __init__(self, how):
        self.how = how
        self.struck = threading.Event()
        self.released = threading.Event()
        self.done = threading.Event()

    def __call__(self, *_):
        if self.struck.is_set():
            self.done.set()
            return None
        self.struck.set()
        if self.how == "dies":
            raise SystemExit  # ends a thread without a word
        assert self.released.wait(WAIT_S)
        return None


class Beside:
    """A part at work on `Work`. ask: gives it something to do."""

    def __init__(self, worker, work, ask, close):
        self.worker = worker
        self.work = work
        self.ask = ask
        self.close = close

    def works(self):
        """Whether it does what it is given after its fault, and shows signs of life."""
        beats, _ = self.worker.pulse.state
        self.ask()
        return self.work.done.wait(WAIT_S) and until(lambda: self.worker.pulse.state[0] > beats)


def until(condition):
    deadline_s = time.monotonic() + WAIT_S
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.005)
    return condition()


def strips(work, monkeypatch):
    monkeypatch.setattr("edge.strips.service.strip_message", work)
    made = Strips(lambda _: None)
    made.start()
    ask = lambda: made._offer(SimpleNamespace(patient="p1"))  # noqa: E731
    return Beside(made, work, ask, lambda: made.close(WAIT_S))


def pictures(work, monkeypatch):
    monkeypatch.setattr("edge.strips.image.render_png", work)
    made = StripImages(SimpleNamespace(retain=lambda *_: None), Topics())
    strip = SimpleNamespace(patient="p1", id="a1")
    return Beside(made, work, lambda: made.strip(strip), made.close)


def lsl(work, monkeypatch):
    made = LslFeed(lambda *_: work() or SimpleNamespace(), 0.0)
    made.start()
    pipeline, names = SimpleNamespace(anchor=None), itertools.count()

    def ask():
        """Each time of another patient, for whom streams are to be made."""
        patient = SimpleNamespace(id=f"p{next(names)}")
        made.stepped(SimpleNamespace(patient=patient, device="d", pipeline=pipeline), Step())

    return Beside(made, work, ask, lambda: made.close(WAIT_S))


def bundles(work, monkeypatch):
    monkeypatch.setattr(Reloader, "reload", work)
    monkeypatch.setattr("edge.reload.ENCODER_OPENING_S", PATIENCE_S)
    made = Reloader(None, None, None)
    made.start()
    return Beside(made, work, made.request, lambda: made.close(WAIT_S))


def view(work, monkeypatch):
    pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    from edge.view.live import LiveView
    from edge.view.ward import News

    made = LiveView(ViewSettings(listen="0"), Signal(), SystemClock(), lambda: None)
    made.start([])
    monkeypatch.setattr(made.ward, "take", lambda: work() or News([], []))

    def ask():
        """Of itself it looks for news all the time; a browser must be answered, too."""
        if work.done.wait(WAIT_S if work.struck.is_set() else 0):
            with urllib.request.urlopen(made.url, timeout=WAIT_S) as answer:
                assert answer.status == 200

    return Beside(made.server, work, ask, made.close)


PARTS = (strips, pictures, lsl, bundles, view)


@pytest.fixture
def beside(monkeypatch):
    """`beside(part, how)`: at work, with a supervisor that watches it."""
    with ExitStack() as stack:

        def make(part, how):
            made = part(Work(how), monkeypatch)
            stack.callback(made.close)
            stack.callback(made.work.released.set)
            worker, clock = made.worker, HandClock()
            supervisor = Supervisor(clock, give_up=lambda reason: pytest.fail(reason))
            supervisor.watch(
                [Part(worker.name, worker.pulse, lambda: worker.alive, worker.restart, False)]
            )
            made.ask()
            assert made.work.struck.wait(WAIT_S)
            return made, clock, supervisor

        yield make


@pytest.mark.parametrize("part", PARTS)
def test_one_that_dies_goes_on_in_another_thread_a_second_later(beside, part, caplog):
    made, clock, supervisor = beside(part, "dies")
    made.worker._thread.join(WAIT_S)
    clock.now_ns += NS_PER_S
    assert supervisor.check()
    name = made.worker.name
    assert f"{name}: its thread died; it gets a new one" in caplog.text
    assert supervisor.restarts == {name: 1}
    assert supervisor.troubles == {}
    assert made.works()


@pytest.mark.parametrize("part", PARTS)
def test_one_that_hangs_is_said_after_ten_seconds_and_ends_nothing(beside, part, caplog):
    made, clock, supervisor = beside(part, "hangs")
    for _ in range(int(PATIENCE_S) + 1):
        assert supervisor.troubles == {}
        supervisor.check()
        clock.now_ns += NS_PER_S
    assert supervisor.check()  # nothing essential
    name = made.worker.name
    assert supervisor.troubles == {name: "no sign of life for 11 s"}
    assert f"{name}: no sign of life for 11 s; restart the service" in caplog.text
    made.work.released.set()
    assert made.works()
    supervisor.check()
    assert supervisor.troubles == {}


def test_a_queue_is_gone_on_with_where_the_dead_left_it():
    done = []

    class Counting(QueueWorker[int]):
        def _handle(self, item):
            if item == 1:
                raise SystemExit
            done.append(item)

        def _complete(self):
            done.append("complete")

    counting = Counting("counting", 8)
    for number in range(4):
        counting._queue.put(number)
    counting.start()
    counting._thread.join(WAIT_S)
    assert (counting.alive, counting.queued, done) == (False, 2, [0])
    counting.restart()
    counting.close(WAIT_S)
    counting.close(WAIT_S)
    assert done == [0, 2, 3, "complete"]
    assert counting.alive  # told to end, not dead


@pytest.mark.parametrize("waiting", [2, 8])
def test_a_queue_whose_thread_died_before_the_end_is_worked_off(waiting):
    done = []

    class Dying(QueueWorker[int]):
        def _handle(self, item):
            if item == 0:
                raise SystemExit
            done.append(item)

        def _complete(self):
            done.append("complete")

    dying = Dying("dying", waiting)
    dying._queue.put(0)
    dying.start()
    dying._thread.join(WAIT_S)
    assert not dying.alive
    for number in (1, 2):  # with which the smaller queue is full
        dying._queue.put_nowait(number)
    dying.close(WAIT_S)
    assert done == [1, 2, "complete"]


def test_a_queue_that_never_began_just_closes():
    class Idle(QueueWorker[int]):
        def _handle(self, item):
            raise AssertionError(item)

    idle = Idle("idle", 1)
    idle.close(0.0)
    assert idle._thread.ident is None
