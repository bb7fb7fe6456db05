"""`edge run` as an object: links feed the engine, the engine feeds the sinks.

The engine runs in the thread that calls `run`. Each link has its own reading thread and a
bounded share of the queue, and the links take turns, one event each, so that no source can crowd
out another.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from edge.actions import Action, Outcome
from edge.clock import Clock
from edge.feed import Feed, Taken, Work
from edge.messages import StateMessage
from edge.monitor import LinkReport, Monitor
from edge.pipeline import Step
from edge.rounds import Due, Rounds
from edge.shedding import Shedding
from firmware_bridge.link import Link
from firmware_bridge.pulse import Pulse
from firmware_bridge.source import Source
from firmware_bridge.stream import NS_PER_S

POLL_S = 0.1
STOP_S = 3.0
"""A Bluetooth device needs that long to be told to rest and to be let go."""


class Observer(Protocol):
    """Whoever wants to know: sinks, displays, counters. Called in the engine's thread."""

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """A push brought forth events, observations or alerts."""

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """A link was opened, lost, ended, or went silent."""

    def ticked(self, monitor: Monitor, state: StateMessage) -> None:
        """Once a second for each patient, not for all at one moment. state: as of now."""


class Runtime:
    """Runs any number of monitors until they finish, are stopped, or time is up."""

    def __init__(self, clock: Clock, observers: Iterable[Observer]) -> None:
        self._clock = clock
        self._observers = tuple(observers)
        self._monitors: list[Monitor] = []
        self._feeds: list[Feed] = []
        self._ready: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._calls: deque[Work] = deque()
        self._shedding = Shedding(clock)
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self.pulse = Pulse()
        """Beats at every turn of the engine."""
        self.late_ns = 0
        """The longest by which a tick came late since this was last set to 0."""

    @property
    def monitors(self) -> tuple[Monitor, ...]:
        """All monitors, in the order in which they were added."""
        return tuple(self._monitors)

    def add(self, monitor: Monitor, source: Source) -> None:
        """Watch `source` with `monitor`. Before `run` only."""
        self._monitors.append(monitor)
        feed = Feed(monitor, source, self._handle, self._ready, self._stopping, self._clock)
        self._feeds.append(feed)
        self._shedding.add(feed)

    def stepped(self, monitor: Monitor, step: Step) -> None:
        """Hand a step on to all observers."""
        for observer in self._observers:
            observer.stepped(monitor, step)

    def link_changed(self, monitor: Monitor, report: LinkReport) -> None:
        """Hand a change of a link on to all observers."""
        for observer in self._observers:
            observer.link_changed(monitor, report)

    def observe(self, observer: Observer) -> None:
        """Let one more know. Before `run` only."""
        self._observers += (observer,)

    @property
    def links(self) -> tuple[tuple[Monitor, Link], ...]:
        """Each monitor with the link that feeds it."""
        return tuple((feed.monitor, feed.link) for feed in self._feeds)

    @property
    def stopping(self) -> bool:
        """Whether the run is about to end."""
        return self._stopping.is_set()

    @property
    def queued(self) -> int:
        """Events and calls that wait for the engine."""
        return len(self._calls) + sum(feed.waiting for feed in self._feeds)

    def call(self, work: Work) -> None:
        """Have something done in the engine's thread, once each link has had at most one turn and
        what was called before is done; from any thread."""
        self._calls.append(work)
        self._ready.put(self._call_next)

    def ask(self, action: Action) -> Future[Outcome]:
        """Have a patient's monitor do what a person asks, in its turn; from any thread.

        Cancelled where the run ends first, or has ended.
        """
        asked: Future[Outcome] = Future()
        self.call(partial(self._act, action, asked))
        if self._ended.is_set():  # nobody may take it from the queue any more
            asked.cancel()
        return asked

    def stop(self) -> None:
        """Ask `run` to return; from any thread or a signal handler."""
        self._stopping.set()

    def run(self, for_s: float | None = None) -> None:
        """Watch until all sources have finished, `stop` was called, or `for_s` has passed."""
        started_ns = self._clock.monotonic_ns()
        for monitor in self._monitors:
            monitor.resume()
        for feed in self._feeds:
            feed.link.start()
        rounds = Rounds(len(self._monitors), started_ns)
        try:
            while not self._over(started_ns, for_s):
                self._work(rounds.due_ns)
                self.pulse.beat()
                self._go(rounds)
        finally:
            self.pulse.rest()
            self._close()

    def _call_next(self) -> None:
        self._calls.popleft()()

    def _handle(self, feed: Feed, taken: Taken) -> None:
        self._shedding.taken(feed, taken)
        feed.monitor.handle(taken.event)

    def _act(self, action: Action, asked: Future[Outcome]) -> None:
        if self._ended.is_set():
            asked.cancel()
        if not asked.set_running_or_notify_cancel():
            return
        watched = {monitor.patient.id: monitor for monitor in self._monitors}
        monitor = watched.get(action.patient)
        if monitor is None:
            asked.set_result(Outcome(False, f"no patient {action.patient!r} is watched here"))
            return
        asked.set_result(monitor.act(action))

    def _over(self, started_ns: int, for_s: float | None) -> bool:
        if self._stopping.is_set() or all(monitor.finished for monitor in self._monitors):
            return True
        elapsed_ns = self._clock.monotonic_ns() - started_ns
        return for_s is not None and elapsed_ns >= for_s * NS_PER_S

    def _work(self, until_ns: int) -> None:
        """One turn, of whoever's it is before the next tick is due."""
        left_s = max(0.0, (until_ns - self._clock.monotonic_ns()) / NS_PER_S)
        try:
            turn = self._ready.get(timeout=min(POLL_S, left_s))
        except queue.Empty:
            return
        turn()

    def _go(self, rounds: Rounds) -> None:
        """Look at the patients whose time has come."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < rounds.due_ns:
            return
        self.late_ns = max(self.late_ns, now_ns - rounds.due_ns)
        for due in rounds.due(now_ns):
            self._look(due)

    def _look(self, due: Due) -> None:
        for number in due.looked_at:
            self._monitors[number].tick()
        for number in due.told:
            monitor = self._monitors[number]
            state = monitor.state()
            for observer in self._observers:
                observer.ticked(monitor, state)
        if due.is_last:
            self._shedding.review()

    def _close(self) -> None:
        self._stopping.set()
        stoppers = [threading.Thread(target=feed.link.stop, args=(STOP_S,)) for feed in self._feeds]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        self._ended.set()
        self._drain()
        for monitor in self._monitors:
            monitor.close()

    def _drain(self) -> None:
        """What the links had read before they stopped is not lost."""
        while not self._ready.empty():
            self._ready.get_nowait()()
