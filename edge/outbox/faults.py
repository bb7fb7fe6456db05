"""What the disk refuses now, and whether a store was found damaged lately."""

from __future__ import annotations

import logging
from typing import Literal

Purpose = Literal["store", "settle", "read", "reserve", "adopt"]
DAMAGE_TOLD_NS = 300_000_000_000
"""For so long a store that was found damaged counts as trouble, in nanoseconds."""

_log = logging.getLogger(__name__)


class Faults:
    """Refusals by purpose. Written under the outbox's lock, read without."""

    def __init__(self) -> None:
        self._faults: dict[Purpose, str] = {}
        self._damaged_ns: int | None = None

    def note(self, purpose: Purpose, text: str) -> None:
        """A refusal, logged once and not at every attempt."""
        if text not in self._faults.values():
            _log.error("%s", text)
        self._faults[purpose] = text

    def clear(self, purpose: Purpose) -> None:
        """An operation of this purpose succeeded."""
        self._faults.pop(purpose, None)

    def damaged(self, now_ns: int) -> None:
        """A damaged store was replaced by a fresh one."""
        self._damaged_ns = now_ns

    @property
    def now(self) -> str:
        """Why the disk refuses now, empty where it does not."""
        return next(iter(tuple(self._faults.values())), "")

    def trouble(self, now_ns: int) -> str:
        """Why alerts may not be stored, or may have been lost lately; empty where all is well."""
        lately = self._damaged_ns is not None and now_ns - self._damaged_ns < DAMAGE_TOLD_NS
        return self.now or ("the outbox was damaged and begun anew" if lately else "")


__all__ = ["DAMAGE_TOLD_NS", "Faults", "Purpose"]
