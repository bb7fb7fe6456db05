"""Pauses: long intervals between beats in a signal that can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.holter.beats import Beats
from edge.holter.rates import Moment, is_trusted
from edge.holter.seconds import Seconds

__all__ = ["LIMITS_S", "Pauses", "pauses"]

LIMITS_S = (2.0, 2.5, 3.0)


@dataclass(frozen=True, slots=True)
class Pauses:
    """longest: RR interval, its value in seconds, None where no interval is known. counts: of
    intervals at least as long as each of `LIMITS_S`. doubtful: intervals of the first limit or
    longer in noise, without contact or across a loss, which are not counted."""

    longest: Moment | None
    counts: tuple[int, ...]
    doubtful: int


def pauses(beats: Beats, seconds: Seconds) -> Pauses:
    """All pauses."""
    trusted = is_trusted(beats, seconds)
    rr_s = np.nan_to_num(beats.rr_ms) / 1000
    counts = tuple(int((trusted & (rr_s >= limit)).sum()) for limit in LIMITS_S)
    doubtful = int((~trusted & (rr_s >= LIMITS_S[0])).sum())
    if not trusted.any():
        return Pauses(None, counts, doubtful)
    at = int(np.argmax(np.where(trusted, rr_s, -1.0)))
    length_s = float(rr_s[at])
    start_ns = int(beats.time_ns[at]) - round(length_s * 1e9)
    return Pauses(Moment(length_s, start_ns, length_s), counts, doubtful)
