"""The health message, sent at intervals, in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge.health.message import HealthMessage
from edge.health.report import HealthReporter
from edge.messages import encode
from edge.worker import Worker
from firmware_bridge.pulse import SLOW_DISK_S

__all__ = ["EVERY_S", "EXPIRY_S", "Beacon", "Send"]

EVERY_S = 10.0
EXPIRY_S = 30
"""A health message older than this says nothing any more: the broker drops it."""

Send = Callable[[bytes], None]

log = logging.getLogger(__name__)


class Beacon(Worker):
    """Has the health made and sent every `every_s` seconds until closed, after one interval first.

    newest: the message sent last, None before the first.
    """

    def __init__(self, reporter: HealthReporter, send: Send, every_s: float = EVERY_S) -> None:
        super().__init__("health")
        self._reporter = reporter
        self._send = send
        self._every_s = every_s
        self.newest: HealthMessage | None = None

    def close(self, timeout_s: float) -> None:
        """Send no more."""
        self._closing.set()
        self._join(timeout_s)

    def _run(self) -> None:
        while not self._wait():
            try:
                self.newest = self._reporter.message()
                self._send(encode(self.newest))
            except Exception:  # whoever reports trouble must survive it
                log.exception("health")

    def _wait(self) -> bool:
        self.pulse.beat(self._every_s + SLOW_DISK_S)
        return self._closing.wait(self._every_s)
