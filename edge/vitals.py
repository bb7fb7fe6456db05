"""The newest numbers of one patient, gathered from what the pipeline observes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

from edge.events import Beat, BeatLabel, BeatsKnown, Observation, Quality, Rhythm, ToldRate
from edge.heart_rate import HeartRate
from firmware_bridge.stream import NS_PER_S

RMSSD_WINDOW_S = 60
RMSSD_MIN_INTERVALS = 10
NN_RANGE_MS = (300.0, 2000.0)
"""Intervals outside are pauses or false detections, not heart rate variability."""

LATEST_NS = 5 * NS_PER_S
"""No source of beats tells them later; whose beats are not known for so long has lost them."""

RATE_STALE_NS = 5 * NS_PER_S
RHYTHM_STALE_S = 5
RHYTHM_LABELS = ("normal", "af", "other", "noise")


class Vitals:
    """Heart rate, RMSSD, rhythm and quality as of the newest observation. Pure."""

    def __init__(self) -> None:
        self._heart_rate = HeartRate()
        self._rr_ms: deque[tuple[int, float | None]] = deque(maxlen=400)
        self._quality: Quality | None = None
        self._rhythm: Rhythm | None = None
        self._told_rate: ToldRate | None = None
        self._beats_until_ns = 0
        self.beats = 0
        self.beats_by_class: dict[str, int] = {}

    def observe(self, observations: Iterable[Observation]) -> None:
        """Take in what the pipeline saw."""
        for each in observations:
            match each:
                case Beat():
                    self.beats += 1
                    self._heart_rate.update(each)
                    self._rr_ms.append((each.time_ns, each.rr_ms))
                case BeatLabel():
                    count = self.beats_by_class.get(each.label, 0)
                    self.beats_by_class[str(each.label)] = count + 1
                case BeatsKnown():
                    self._beats_until_ns = each.until_ns
                case Quality():
                    self._quality = each
                case Rhythm():
                    self._rhythm = each
                case ToldRate():
                    self._told_rate = each
                case _:
                    pass

    def heart_rate_bpm(self, now_ns: int) -> float | None:
        """Beats per minute at stream time `now_ns`, None where none is current: no beat came in
        the last five seconds whose beats are known, nor did the device tell a rate in as many."""
        known_ns = max(min(now_ns, self._beats_until_ns), now_ns - LATEST_NS)
        return self._heart_rate.value_at(known_ns) or self._told_bpm(now_ns)

    def rmssd_ms(self, now_ns: int) -> float | None:
        """Root mean square of successive RR differences over the last minute (Task Force of
        the ESC and NASPE, Circulation 93:1043, 1996), of all intervals from 300 to 2000 ms;
        None below 10 differences.
        """
        oldest_ns = now_ns - RMSSD_WINDOW_S * NS_PER_S
        recent = [_plausible(rr) for time_ns, rr in self._rr_ms if time_ns >= oldest_ns]
        steps = [b - a for a, b in pairwise(recent) if a is not None and b is not None]
        if len(steps) < RMSSD_MIN_INTERVALS:
            return None
        return math.sqrt(sum(step * step for step in steps) / len(steps))

    def _told_bpm(self, now_ns: int) -> float | None:
        told = self._told_rate
        return told.bpm if told and now_ns - told.time_ns <= RATE_STALE_NS else None

    @property
    def quality(self) -> Quality | None:
        """Of the last second, None before the first."""
        return self._quality

    def rhythm(self, now_ns: int) -> dict[str, float]:
        """Label to probability, empty where the encoder has said nothing for five seconds."""
        if self._rhythm is None or now_ns - self._rhythm.time_ns > RHYTHM_STALE_S * NS_PER_S:
            return {}
        return self._rhythm.probability

    def rhythm_label(self, now_ns: int) -> str | None:
        """The most probable rhythm; "vf" or "vt" where that is more probable than not.

        None where nothing is known, or where what the encoder has no label for is more probable.
        """
        probability = self.rhythm(now_ns)
        for label in ("vf", "vt"):
            if probability.get(label, 0.0) > 0.5:
                return label
        known = [label for label in RHYTHM_LABELS if label in probability]
        unnamed = 1.0 - sum(probability[label] for label in known)
        best = max(known, key=lambda label: probability[label], default=None)
        return best if best is not None and probability[best] > unnamed else None


def _plausible(rr_ms: float | None) -> float | None:
    return rr_ms if rr_ms is not None and NN_RANGE_MS[0] <= rr_ms <= NN_RANGE_MS[1] else None
