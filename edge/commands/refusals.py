"""Refusals: counted by reason, said at a bounded rate."""

from __future__ import annotations

import logging
from collections import Counter

from edge.commands.wire import Reason
from firmware_bridge.stream import NS_PER_S

REPEAT_NS = 60 * NS_PER_S

TEXTS: dict[Reason, str] = {
    "malformed": "it is no command",
    "too_large": "it is larger than a command can be",
    "retained": "it is retained: a command must not be",
    "signature": "no key that is known here signed it",
    "patient": "it names another patient than its topic does",
    "right": "its key may not ask that",
    "expired": "it has expired: is the sender's clock right?",
    "too_far_ahead": "it expires more than 60 s from now: is the sender's clock right?",
    "counter": "its counter was used before: a copy, or a second sender with this key",
    "rate": "too many commands within a minute",
    "storage": "its counter could not be stored",
    "busy": "too many wait",
    "not_possible": "the monitor cannot do it",
}
"""In words, for the answer and for the log; nothing of what came is quoted."""

_log = logging.getLogger(__name__)


class Refusals:
    """How many commands were refused and why. One thread calls `note`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._said: dict[Reason, tuple[int, int]] = {}

    def note(self, reason: Reason, patient: str, now_ns: int, fresh: int = 1) -> None:
        """Count so many; the first of their reason is logged, then at most one a minute."""
        self.counts[reason] += fresh
        said_ns, said = self._said.get(reason, (now_ns - REPEAT_NS, 0))
        if now_ns - said_ns < REPEAT_NS:
            return
        count = self.counts[reason]
        self._said[reason] = now_ns, count
        more = f" ({count - said} since the last such line)" if said else ""
        _log.warning("command for %s refused: %s%s", patient, TEXTS[reason], more)


__all__ = ["TEXTS", "Refusals"]
