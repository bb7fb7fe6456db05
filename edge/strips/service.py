"""Strips of a run: cut in the engine's thread, encoded in one of their own."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterable

from edge.messages import StripMessage
from edge.monitor import Monitor
from edge.strips.codec import strip_message
from edge.strips.cut import Cut
from edge.strips.cutter import StripCutter
from edge.worker import QueueWorker
from firmware_bridge.pulse import PATIENCE_S

__all__ = ["Strips"]

WAITING = 64
"""Strips that may wait to be encoded, 75 kB each of three leads at 250 Hz."""

log = logging.getLogger(__name__)


class Strips(StripCutter, QueueWorker[Cut]):
    """An `Observer` that hands each strip to `deliver` as a message, from a thread of its own."""

    def __init__(self, deliver: Callable[[StripMessage], None]) -> None:
        StripCutter.__init__(self, self._offer)
        QueueWorker.__init__(self, "strips", WAITING, PATIENCE_S)
        self._deliver = deliver

    def start(self, monitors: Iterable[Monitor] = ()) -> None:
        """Begin, and give these monitors' patients strips on request."""
        self.watch(monitors)
        super().start()

    def close(self, timeout_s: float) -> None:
        """Cut what waits, and hand it over for so long at most."""
        self.finish()
        super().close(timeout_s)

    def _offer(self, cut: Cut) -> bool:
        try:
            self._queue.put_nowait(cut)
        except queue.Full:
            if not self.left_out:
                log.warning("strips: the sinks are too slow; what they cannot take is left out")
            self.left_out += 1
            return False
        return True

    def _handle(self, cut: Cut) -> None:
        try:
            message = strip_message(cut)
            self.pulse.rest()  # sinks that hang are not to be taken for strips that do
            self._deliver(message)
        except Exception:  # a defect of ours ends a strip, not the others
            log.exception("strip of %s", cut.patient)
