"""Atrial fibrillation: its burden and its episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.alert import AlarmKind
from edge.holter.alarms import Alarm
from edge.holter.beats import Beats
from edge.holter.seconds import Seconds, spans_of
from firmware_bridge.stream import NS_PER_S

__all__ = ["EPISODE_MIN_S", "INTERVALS_MIN", "Fibrillation", "fibrillation"]

EPISODE_MIN_S = 30
"""The usual definition: shorter is no episode."""
INTERVALS_MIN = 128
"""RR intervals in a row that the alarm without a network needs."""
BRIDGE_S = 10
"""A break this short, of another rhythm or of none, does not end an episode."""


@dataclass(frozen=True, slots=True)
class Fibrillation:
    """source: "rhythm", what the network said of each second; "alarms", AF alarms where it said
    nothing; "none", neither could be judged.

    analysed_s: seconds with a known rhythm that is not noise, or of ECG, or of RR intervals where
    there is no ECG. burden_percent: of these in episodes. episodes: (start in UTC nanoseconds,
    length in seconds), in order.
    """

    source: str
    analysed_s: float
    burden_percent: float | None
    episodes: tuple[tuple[int, float], ...]

    @property
    def longest_s(self) -> float:
        """0 without an episode."""
        return max((length_s for _, length_s in self.episodes), default=0.0)


def fibrillation(
    seconds: Seconds, alarms: Sequence[Alarm], beats: Beats, recorded_s: float
) -> Fibrillation:
    """recorded_s: of ECG, 0 where the device tells its beats only."""
    known = ~seconds.is_rhythm("unknown", "noise")
    if not known.any():
        return _from_alarms(alarms, beats, recorded_s)
    spans = [
        (first, stop)
        for first, stop in spans_of(_bridged(seconds.is_rhythm("af")))
        if stop - first >= EPISODE_MIN_S
    ]
    inside = np.zeros(len(seconds), bool)
    for first, stop in spans:
        inside[first:stop] = True
    analysed = int((known | inside).sum())
    return Fibrillation(
        "rhythm",
        float(analysed),
        100.0 * float(inside.sum()) / analysed,
        tuple((seconds.utc_ns(first), float(stop - first)) for first, stop in spans),
    )


def _bridged(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask, short breaks between two Trues closed."""
    closed = mask.copy()
    for first, stop in spans_of(~mask):
        if first > 0 and stop < len(mask) and stop - first <= BRIDGE_S:
            closed[first:stop] = True
    return closed


def _from_alarms(alarms: Sequence[Alarm], beats: Beats, recorded_s: float) -> Fibrillation:
    episodes = [
        (alarm.onset_ns, (alarm.end_ns - alarm.onset_ns) / NS_PER_S)
        for alarm in alarms
        if alarm.kind == AlarmKind.AF
    ]
    longest = max((stop - first for first, stop in spans_of(beats.joined)), default=0)
    heard_s = recorded_s or float(beats.rr_ms[beats.joined].sum()) / 1000
    if heard_s <= 0 or (not episodes and longest < INTERVALS_MIN):
        return Fibrillation("none", 0.0, None, ())
    share = min(1.0, sum(length_s for _, length_s in episodes) / heard_s)
    return Fibrillation("alarms", heard_s, 100.0 * share, tuple(episodes))
