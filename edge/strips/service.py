"""Strips of a run: cut in the engine's thread, encoded in one of their own."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable

from edge.messages import StripMessage
from edge.monitor import Monitor
from edge.strips.codec import strip_message
from edge.strips.cut import Cut
from edge.strips.cutter import StripCutter

__all__ = ["Strips"]

WAITING = 64
"""Strips that may wait to be encoded, 75 kB each of three leads at 250 Hz."""

log = logging.getLogger(__name__)


class Strips(StripCutter):
    """An `Observer` that hands each strip to `deliver` as a message, from a thread of its own."""

    def __init__(self, deliver: Callable[[StripMessage], None]) -> None:
        super().__init__(self._offer)
        self._deliver = deliver
        self._queue: queue.Queue[Cut | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="edge-strips", daemon=True)

    def start(self, monitors: Iterable[Monitor]) -> None:
        """Begin, and give these monitors' patients strips on request."""
        self.watch(monitors)
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Cut what waits, and hand it over for so long at most."""
        self.finish()
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _offer(self, cut: Cut) -> bool:
        try:
            self._queue.put_nowait(cut)
        except queue.Full:
            if not self.left_out:
                log.warning("strips: the sinks are too slow; what they cannot take is left out")
            self.left_out += 1
            return False
        return True

    def _run(self) -> None:
        while (cut := self._queue.get()) is not None:
            try:
                self._deliver(strip_message(cut))
            except Exception:  # a defect of ours ends a strip, not the others
                log.exception("strip of %s", cut.patient)
