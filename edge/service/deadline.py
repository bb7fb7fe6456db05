"""The last resort of an orderly end: a time by which the process is over, orderly or not."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial

from edge.service.closing import LEAVE_S

__all__ = ["ExitDeadline"]

log = logging.getLogger(__name__)


class ExitDeadline:
    """Ends the process some time after `begin`, unless `cancel` comes first.

    tell: called when the time begins.
    """

    def __init__(self, tell: Callable[[], None], leave_s: float = LEAVE_S) -> None:
        self._tell = tell
        self._leave_s = leave_s
        self._timer: threading.Timer | None = None

    def begin(self, exit_code: int) -> None:
        """Count down from now; also from a signal handler."""
        if self._timer is None:
            self._timer = threading.Timer(self._leave_s, partial(self._leave, exit_code))
            self._timer.daemon = True
            self._timer.start()
            self._tell()

    def cancel(self) -> None:
        """Everything has ended by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self, exit_code: int) -> None:
        log.critical(
            "not ended %.0f s after it was told to, so it is ended; the outbox keeps what waits",
            self._leave_s,
        )
        os._exit(exit_code)
