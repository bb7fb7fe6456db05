"""What the beat stage is told of a beat: its shape, its patient's usual shape, its timing.

The token of a beat is made when the next beat is known, or cannot come any more within
`WAIT_S`. `TokenMaker` makes tokens beat by beat, `tokens_of` those of a whole sequence; both
compute a row with the same functions, so that training and runtime cannot differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.beat_rhythm import RR_WIDTH, Intervals, log_rr
from models.beat_shape import DISTANCES, UsualShape
from models.beat_window import WIDTH
from models.errors import StepError

__all__ = [
    "RR_WIDTH",
    "TOKEN_WIDTH",
    "WAIT_S",
    "Token",
    "TokenMaker",
    "tokens_of",
]

WAIT_S = 2.0

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

TOKEN_WIDTH = RR_WIDTH + DISTANCES + 2 * WIDTH
"""Numbers in a token: RR_WIDTH of timing, then what `UsualShape.step` says of the shape."""


@dataclass(frozen=True, slots=True)
class Token:
    """values: (TOKEN_WIDTH,) float32, of the beat at `peak_s`."""

    peak_s: float
    values: Floats


class TokenMaker:
    """Tokens of one stream of beats, each one beat late. Bounded memory."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past and the beat that waits, as after a gap."""
        self._usual: dict[int, UsualShape] = {}
        self._intervals = Intervals()
        self._beats = 0
        self._waiting: Token | None = None
        self._last_s = -math.inf

    def push(self, peak_s: float, window_uv: Floats, lead: int = 0) -> Token | None:
        """Take the next beat; the token of the one before it, if that still waits.

        peak_s: of the R peak, on any clock, later than all before. window_uv: (WIDTH,), as
        `models.beat_window.window_of` cuts it. lead: that it was cut from; each has its own
        usual shape.
        StepError: out of order, wrong shape, not finite; the beat is then as if it had not been
        pushed.
        """
        if not (math.isfinite(peak_s) and peak_s > self._last_s):
            raise StepError(f"a beat at {peak_s} s does not follow the one at {self._last_s} s")
        values = np.empty(TOKEN_WIDTH, np.float32)
        self._usual_shape(lead).step(window_uv, values[RR_WIDTH:])
        interval = log_rr(peak_s - self._last_s)
        done = self._finish(interval) if self._waiting else None
        if self._beats:
            self._intervals.append(interval)
        self._waiting = Token(peak_s, values)  # its timing is filled in when it is finished
        self._last_s = peak_s
        self._beats += 1
        return done

    def expire(self, now_s: float) -> Token | None:
        """The token of the waiting beat if its successor did not come within WAIT_S.

        now_s: all beats before it have been pushed.
        """
        if self._waiting is None or now_s - self._last_s < WAIT_S:
            return None
        return self._finish(log_rr(WAIT_S))

    def flush(self) -> Token | None:
        """The token of the waiting beat, its successor unknown: before a gap or the end."""
        return None if self._waiting is None else self._finish(None)

    def _usual_shape(self, lead: int) -> UsualShape:
        if lead not in self._usual:
            self._usual[lead] = UsualShape(WIDTH)
        return self._usual[lead]

    def _finish(self, following: float | None) -> Token:
        assert self._waiting is not None
        token, self._waiting = self._waiting, None
        self._intervals.describe(following, self._beats - 1, token.values[:RR_WIDTH])
        return token


def tokens_of(peaks_s: Sequence[float] | Doubles, windows_uv: Floats | None) -> Floats:
    """(beats, width): the tokens of a whole sequence, its last beat flushed.

    peaks_s: increasing. windows_uv: (beats, WIDTH); None where only the timing is known: only
    the first RR_WIDTH columns are made.
    """
    timing = np.zeros((len(peaks_s), RR_WIDTH), np.float32)
    known = Intervals()
    following = [log_rr(float(step)) for step in np.diff(peaks_s)]
    for k, row in enumerate(timing):
        if k:
            known.append(following[k - 1])
        known.describe(following[k] if k < len(following) else None, k, row)
    if windows_uv is None:
        return timing
    tokens, usual = np.empty((len(timing), TOKEN_WIDTH), np.float32), UsualShape(WIDTH)
    tokens[:, :RR_WIDTH] = timing
    for token, window_uv in zip(tokens, windows_uv, strict=True):
        usual.step(window_uv, token[RR_WIDTH:])
    return tokens
