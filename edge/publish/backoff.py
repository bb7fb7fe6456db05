"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random

FIRST_S = 0.25
LONGEST_S = 30.0
STABLE_S = 10.0
"""A connection that lasted this long ends the run of failures."""


class Backoff:
    """Doubles from 0.25 s to 30 s, less up to half by chance, so that many do not come at once."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()
        self._ceiling_s = FIRST_S
        self.brief = 0
        """Connections in a row that ended soon after they were made."""

    def next_s(self) -> float:
        """Seconds to wait after one more failure."""
        ceiling_s, self._ceiling_s = self._ceiling_s, min(2 * self._ceiling_s, LONGEST_S)
        return ceiling_s * self._chance.uniform(0.5, 1.0)

    def lasted(self, seconds: float) -> None:
        """A connection stood for so long."""
        self.brief += 1
        if seconds >= STABLE_S:
            self._ceiling_s = FIRST_S
            self.brief = 0
