"""The recording hour by hour, by the clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.holter.beats import CLASSES, Beats
from edge.holter.rates import RR_RANGE_MS, is_trusted
from edge.holter.seconds import Seconds, Signal
from firmware_bridge.stream import NS_PER_S

__all__ = ["Hour", "hours"]

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the clock, or the part of it that was recorded.

    start_ns: UTC. recorded_s: of ECG; clean_s: of these good enough for beats. beats: by class, as
    in `CLASSES`. mean, low and high heart rate of single minutes, None where none is known.
    ventricular_percent, supraventricular_percent: of classified beats. pauses: of 2 s and more.
    """

    start_ns: int
    recorded_s: int
    clean_s: int
    beats: dict[str, int]
    mean_bpm: float | None
    low_bpm: float | None
    high_bpm: float | None
    ventricular_percent: float | None
    supraventricular_percent: float | None
    pauses: int
    af_s: int


def hours(
    beats: Beats,
    seconds: Seconds,
    minute_bpm: NDArray[np.float64],
    offset_s: int,
) -> list[Hour]:
    """Hours with anything in them. offset_s: of local time to UTC, for where hours begin."""
    begun_s = seconds.start_ns // NS_PER_S
    first_s = (begun_s + offset_s) // HOUR_S * HOUR_S - offset_s
    trusted = is_trusted(beats, seconds)
    found = []
    for start_s in range(first_s, begun_s + len(seconds), HOUR_S):
        a, b = max(0, start_s - begun_s), min(len(seconds), start_s + HOUR_S - begun_s)
        edges_ns = [seconds.utc_ns(a), seconds.utc_ns(b)]
        i, j = np.searchsorted(beats.time_ns, edges_ns)
        if i < j or (seconds.signal[a:b] != Signal.NONE).any():
            rr_ms = beats.rr_ms[i:j][trusted[i:j]]
            bpm = minute_bpm[-(-a // 60) : max(b // 60, a // 60 + 1)]
            found.append(_hour(edges_ns[0], beats.kind[i:j], rr_ms, bpm, seconds, slice(a, b)))
    return found


def _hour(
    start_ns: int,
    kinds: NDArray[np.uint8],
    rr_ms: NDArray[np.float64],
    minute_bpm: NDArray[np.float64],
    seconds: Seconds,
    within: slice,
) -> Hour:
    counts = {name: int((kinds == k).sum()) for k, name in enumerate(CLASSES)}
    classified = len(kinds) - counts["U"]
    usual = rr_ms[(rr_ms >= RR_RANGE_MS[0]) & (rr_ms <= RR_RANGE_MS[1])]
    minutes = minute_bpm[np.isfinite(minute_bpm)]
    signal = seconds.signal[within]
    return Hour(
        start_ns,
        int((signal != Signal.NONE).sum()),
        int((signal == Signal.CLEAN).sum()),
        counts,
        60_000.0 / float(usual.mean()) if len(usual) else None,
        float(minutes.min()) if len(minutes) else None,
        float(minutes.max()) if len(minutes) else None,
        100.0 * counts["V"] / classified if classified else None,
        100.0 * counts["S"] / classified if classified else None,
        int((rr_ms >= 2000.0).sum()),
        int(seconds.is_rhythm("af")[within].sum()),
    )
