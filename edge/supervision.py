"""Who watches the watchers: each part's thread beats, and one thread looks whether it still does.

A part whose thread has died gets a new one. A part that hangs, or dies again and again, cannot
be mended within the process: that is said, with the stacks of all threads, and where a service
manager stands by the process ends with a code of its own, to be started again. What waits for the
disk gets some seconds to be stored before that, and is lost only where the disk takes
nothing even then.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from edge.clock import Clock
from edge.errors import Exit
from firmware_bridge.pulse import Pulse
from firmware_bridge.stream import NS_PER_S

__all__ = ["Part", "Supervisor", "end_process"]

CHECK_S = 1.0
STANDSTILL_S = 3.0
LAST_WORDS_S = 5.0
"""How long such an end waits for alerts to be stored; well within the watchdog's time."""
MOST_RESTARTS = 3
WITHIN_NS = 10 * NS_PER_S
"""A part that needs more than `MOST_RESTARTS` new threads within this time is beyond help."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One thread of the service.

    alive: whether the thread runs, or has ended because its work is done.
    restart: gives it a new thread after it died; None where that is not sound.
    essential: whether the process is to end for it. A recording is no reason to interrupt the
        monitoring.
    """

    name: str
    pulse: Pulse
    alive: Callable[[], bool]
    restart: Callable[[], None] | None = None
    essential: bool = True


def end_process(_reason: str, drained: Callable[[float], bool] = lambda _: True) -> None:
    """End at once, without waiting for what hangs.

    drained: waits at most so many seconds until what waits in memory is stored.
    """
    with contextlib.suppress(Exception):
        drained(LAST_WORDS_S)
    sys.stderr.flush()
    os._exit(Exit.STUCK)


@dataclass(slots=True)
class _Watched:
    """What the supervisor remembers of a part."""

    part: Part
    beats: int = -1
    since_ns: int = 0
    trouble: str = ""
    restarts: int = 0
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_RESTARTS))


class Supervisor:
    """Checks all parts once a second, in a thread of its own.

    give_up: called with the reason where an essential part cannot be mended; None to go on and
        only say so.
    on_well: called after each check that found all essential parts well.
    """

    def __init__(
        self,
        clock: Clock,
        give_up: Callable[[str], None] | None = None,
        on_well: Callable[[], None] = lambda: None,
        check_s: float = CHECK_S,
    ) -> None:
        self._clock = clock
        self._give_up = give_up
        self._on_well = on_well
        self._check_s = check_s
        self._watched: list[_Watched] = []
        self._checked_ns = clock.monotonic_ns()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edge-supervisor", daemon=True)

    def watch(self, parts: Iterable[Part]) -> None:
        """Look after these, too. Before `start` only."""
        now_ns = self._clock.monotonic_ns()
        self._watched += [_Watched(part, since_ns=now_ns) for part in parts]

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Look no more: the parts are about to end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    @property
    def troubles(self) -> dict[str, str]:
        """Part to what is wrong with it now."""
        return {each.part.name: each.trouble for each in self._watched if each.trouble}

    @property
    def restarts(self) -> dict[str, int]:
        """Part to how often its thread was replaced."""
        return {each.part.name: each.restarts for each in self._watched}

    def check(self) -> bool:
        """Look at every part once; whether all essential ones are well."""
        now_ns = self._clock.monotonic_ns()
        self._forgive(now_ns)
        for watched in self._watched:
            if watched.part.alive():
                self._look_for_hang(watched, now_ns)
            else:
                self._mend(watched, now_ns)
        return not any(each.trouble for each in self._watched if each.part.essential)

    def _run(self) -> None:
        while not self._stopping.wait(self._check_s):
            try:
                if self.check() and not self._stopping.is_set():
                    self._on_well()
            except Exception:  # whoever watches must not fall silent
                log.exception("supervisor")

    def _forgive(self, now_ns: int) -> None:
        """Where the whole process stood still, so did this thread, and nobody owes a beat."""
        if now_ns - self._checked_ns > (self._check_s + STANDSTILL_S) * NS_PER_S:
            for watched in self._watched:
                watched.since_ns = now_ns
        self._checked_ns = now_ns

    def _look_for_hang(self, watched: _Watched, now_ns: int) -> None:
        beats, patience_s = watched.part.pulse.state
        if beats != watched.beats:
            watched.beats, watched.since_ns = beats, now_ns
            if watched.trouble:
                log.warning("%s: gives signs of life again", watched.part.name)
            watched.trouble = ""
        silent_s = (now_ns - watched.since_ns) / NS_PER_S
        if silent_s > patience_s:
            self._trouble(watched, f"no sign of life for {silent_s:.0f} s")

    def _mend(self, watched: _Watched, now_ns: int) -> None:
        part, recent = watched.part, watched.recent
        often = len(recent) == MOST_RESTARTS and now_ns - recent[0] < WITHIN_NS
        if part.restart is None or often:
            self._trouble(watched, "its thread died" + (" again and again" if often else ""))
            return
        log.error("%s: its thread died; it gets a new one", part.name)
        recent.append(now_ns)
        watched.restarts += 1
        part.restart()
        watched.trouble, watched.beats, watched.since_ns = "", -1, now_ns

    def _trouble(self, watched: _Watched, what: str) -> None:
        """Say once what cannot be mended, and end the process where somebody starts it again."""
        first, watched.trouble = not watched.trouble, what
        reason = f"{watched.part.name}: {what}"
        leaving = watched.part.essential and self._give_up is not None
        if first:
            remedy = "the process ends, to be started again" if leaving else "restart the service"
            log.critical("%s; %s", reason, remedy)
            with contextlib.suppress(OSError, ValueError):
                faulthandler.dump_traceback(file=sys.__stderr__ or 2)
        if leaving and self._give_up and not self._stopping.is_set():
            self._give_up(reason)
