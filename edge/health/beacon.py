"""The health message, sent at intervals, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edge.health.message import HealthMessage
from edge.health.report import HealthReporter
from edge.messages import encode
from firmware_bridge.pulse import SLOW_DISK_S, Pulse

__all__ = ["EVERY_S", "EXPIRY_S", "Beacon", "Send"]

EVERY_S = 10.0
EXPIRY_S = 30
"""A health message older than this says nothing any more: the broker drops it."""

Send = Callable[[bytes], None]

log = logging.getLogger(__name__)


class Beacon:
    """Has the health made and sent every `every_s` seconds until closed.

    newest: the message sent last, None before the first.
    """

    def __init__(self, reporter: HealthReporter, send: Send, every_s: float = EVERY_S) -> None:
        self._reporter = reporter
        self._send = send
        self._every_s = every_s
        self._stopping = threading.Event()
        self.pulse = Pulse()
        self.newest: HealthMessage | None = None
        self._thread = self._new_thread()

    def start(self) -> None:
        """Begin; the first message follows after one interval."""
        self._thread.start()

    def restart(self) -> None:
        """Go on in another thread, after the first one died."""
        self._thread = self._new_thread()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs, or has ended because it was told to."""
        return self._thread.is_alive() or self._stopping.is_set()

    def close(self, timeout_s: float) -> None:
        """Send no more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="edge-health", daemon=True)

    def _run(self) -> None:
        while not self._wait():
            try:
                self.newest = self._reporter.message()
                self._send(encode(self.newest))
            except Exception:  # whoever reports trouble must survive it
                log.exception("health")

    def _wait(self) -> bool:
        self.pulse.beat(self._every_s + SLOW_DISK_S)
        return self._stopping.wait(self._every_s)
