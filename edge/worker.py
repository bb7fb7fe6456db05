"""Parts of a run with a thread of their own, which shows signs of life and may be replaced."""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from firmware_bridge.pulse import SLOW_DISK_S, Pulse

__all__ = ["QueueWorker", "Worker"]

Item = TypeVar("Item")


class Worker(ABC):
    """Runs `_run` in a daemon thread, until `_closing` is set.

    name: of the part in the log and in the health; the thread is called `edge-` and that.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pulse = Pulse()
        """Beats in `_run`."""
        self._closing = threading.Event()
        self._thread = self._new_thread()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def restart(self) -> None:
        """Go on in another thread, after the first one died."""
        self._thread = self._new_thread()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs, or has ended because it was told to."""
        return self._thread.is_alive() or self._closing.is_set()

    @abstractmethod
    def _run(self) -> None:
        """What the thread does. Another may go on with it where it was left."""

    def _join(self, timeout_s: float) -> bool:
        """Wait for the thread, if it ever began; whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name=f"edge-{self.name}", daemon=True)


class QueueWorker(Worker, Generic[Item]):
    """Works on what is put into its bounded queue, one after the other.

    waiting: how many may wait. patience_s: what one may take, at most.
    """

    def __init__(self, name: str, waiting: int, patience_s: float = SLOW_DISK_S) -> None:
        super().__init__(name)
        self._queue: queue.Queue[Item | None] = queue.Queue(waiting)
        self._patience_s = patience_s

    @property
    def queued(self) -> int:
        """How many wait."""
        return self._queue.qsize()

    def close(self, timeout_s: float) -> None:
        """Do what waits, and end; a thread that hangs is left to itself after `timeout_s`.

        One that died gets a successor, for nobody else looks after it now. A second call does
        nothing.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._revive()
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._join(timeout_s)

    def _revive(self) -> None:
        """A new thread where there was one and it died."""
        if self._thread.ident is not None and not self._thread.is_alive():
            self.restart()

    @abstractmethod
    def _handle(self, item: Item) -> None:
        """Work on one; what it raises ends the thread."""

    def _complete(self) -> None:
        """All is done, and nothing more will come."""

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._handle(item)
            finally:
                self._queue.task_done()
        self._complete()

    def _next(self) -> Item | None:
        self.pulse.rest()
        item = self._queue.get()
        self.pulse.beat(self._patience_s)
        return item
