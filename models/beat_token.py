"""What the beat stage is told of a beat: its shape, its patient's usual shape, its timing.

The token of a beat is made when the next beat is known, or cannot come any more within
`WAIT_S`. `TokenMaker` makes tokens beat by beat, `tokens_of` those of a whole sequence; both
compute a row with the same functions, so that training and runtime cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.beat_rhythm import HISTORY, RR_WIDTH, log_rr, rr_row
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

_NOMINAL = log_rr(0.8)
_NO_TIMING = np.zeros(RR_WIDTH, np.float32)

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
        self._log_rr = np.zeros(2 * HISTORY)
        self._known = 0
        self._beats = 0
        self._waiting: Token | None = None
        self._last_s = -np.inf

    def push(self, peak_s: float, window_uv: Floats, lead: int = 0) -> Token | None:
        """Take the next beat; the token of the one before it, if that still waits.

        peak_s: of the R peak, on any clock, later than all before. window_uv: (WIDTH,), as
        `models.beat_window.window_of` cuts it. lead: that it was cut from; each has its own
        usual shape.
        StepError: out of order, wrong shape, not finite; the beat is then as if it had not been
        pushed.
        """
        if not (np.isfinite(peak_s) and peak_s > self._last_s):
            raise StepError(f"a beat at {peak_s} s does not follow the one at {self._last_s} s")
        usual = self._usual.setdefault(lead, UsualShape(WIDTH))
        usual.check(window_uv)
        interval_s = peak_s - self._last_s
        done = self._finish(log_rr(interval_s)) if self._waiting else None
        if self._beats:
            self._remember(log_rr(interval_s))
        self._waiting = Token(peak_s, np.concatenate([_NO_TIMING, usual.step(window_uv)]))
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

    def _finish(self, following: float | None) -> Token:
        assert self._waiting is not None
        token, self._waiting = self._waiting, None
        known = self._log_rr[: self._known]
        _time(known, following, self._beats - 1, token.values[:RR_WIDTH])
        return token

    def _remember(self, interval: float) -> None:
        if self._known == len(self._log_rr):
            self._log_rr[:HISTORY] = self._log_rr[-HISTORY:]
            self._known = HISTORY
        self._log_rr[self._known] = interval
        self._known += 1


def tokens_of(peaks_s: Sequence[float] | Doubles, windows_uv: Floats | None) -> Floats:
    """(beats, width): the tokens of a whole sequence, its last beat flushed.

    peaks_s: increasing. windows_uv: (beats, WIDTH); None where only the timing is known: only
    the first RR_WIDTH columns are made.
    """
    beats = len(peaks_s)
    intervals = np.array([log_rr(float(step)) for step in np.diff(peaks_s)])
    timing = np.zeros((beats, RR_WIDTH), np.float32)
    for k in range(beats):
        following = float(intervals[k]) if k < beats - 1 else None
        _time(intervals[max(0, k - HISTORY) : k], following, k, timing[k])
    if windows_uv is None:
        return timing
    usual = UsualShape(WIDTH)
    shapes = [usual.step(row) for row in windows_uv]
    return np.concatenate([timing, np.reshape(shapes, (beats, -1))], 1, dtype=np.float32)


def _time(known: Doubles, following: float | None, beats: int, out: Floats) -> None:
    """Fill in the timing of a beat. known, following: intervals as `log_rr` gives them.

    Where the interval after it is not known, it is taken to be as the median of the last 8;
    where no interval before it is known, as the one after it.
    """
    if not len(known):
        known = np.array([_NOMINAL if following is None else following])
    if following is None:
        following = float(np.median(known[-8:]))
    rr_row(known, following, beats, out)
