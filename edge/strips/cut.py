"""What is cut from the ring for one alert: which seconds, and a copy of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.alert import Priority
from edge.messages import StripBeat
from edge.segment import RING_S, Segment
from firmware_bridge.stream import NS_PER_S, StreamFormat

__all__ = ["AFTER_S", "ASKED_S", "BEFORE_S", "DECIDING_S", "Cut", "Signal", "copied", "span_ns"]

BEFORE_S = 10.0
"""Shown before the onset of a condition."""
DECIDING_S = 10.0
"""Shown at most between onset and decision; where these lie further apart, the last of it."""
AFTER_S = 5.0
"""Shown after the decision."""
ASKED_S = 15.0
"""Length of a strip that somebody asks for."""

# The rest of the ring is for what comes before the strip is cut.
assert BEFORE_S + DECIDING_S + AFTER_S < RING_S


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Consecutive samples. samples_uv: float32, (samples, leads). valid: uint8, (samples,), 0
    where none came. start_ns: stream time of the first.
    """

    format: StreamFormat
    samples_uv: NDArray[np.float32]
    valid: NDArray[np.uint8]
    start_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A strip before it is encoded; shares nothing with the engine.

    id, kind, priority: of the alert; of its own, empty and None where somebody asked.
    start_utc_ns: of the first sample, in nanoseconds since 1970. onset_ms, decided_ms: from
    there. beats: those of the strip, in order. recurrence: as in the message.
    """

    id: str
    patient: str
    device: str
    kind: str
    priority: Priority | None
    signal: Signal
    start_utc_ns: int
    onset_ms: float | None
    decided_ms: float | None
    beats: tuple[StripBeat, ...]
    heart_rate_bpm: float | None
    recurrence: int = 0


def span_ns(onset_ns: int, decided_ns: int) -> tuple[int, int]:
    """From when to when a strip goes, stream time: 10 s before the onset to 5 s after the
    decision. Of an onset more than 10 s before the decision, the 20 s before the decision are
    shown: what decided is there in any case, and the onset may not be.
    """
    shown_ns = max(onset_ns, decided_ns - round(DECIDING_S * NS_PER_S))
    return shown_ns - round(BEFORE_S * NS_PER_S), decided_ns + round(AFTER_S * NS_PER_S)


def copied(segment: Segment, from_ns: int, until_ns: int) -> Signal | None:
    """The samples from `from_ns` to `until_ns` that the ring holds; None where it holds none but
    gaps.
    """
    ring, rate_hz = segment.ring, segment.format.rate_hz
    start = max(ring.start, _position(segment, from_ns))
    stop = min(ring.stop, _position(segment, until_ns))
    if start >= stop:
        return None
    samples, valid = ring.window(start, stop)
    if not valid.any():
        return None
    start_ns = segment.start_time_ns + round(start / rate_hz * NS_PER_S)
    return Signal(segment.format, samples.copy(), valid.copy(), start_ns)


def _position(segment: Segment, time_ns: int) -> int:
    return round((time_ns - segment.start_time_ns) * segment.format.rate_hz / NS_PER_S)
