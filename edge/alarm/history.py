"""What the rules remember of beats and of the encoder: bounded, plain data."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from edge.events import Beat, BeatClass, BeatLabel, Rhythm

__all__ = ["BEATS_KEPT", "SECONDS_KEPT", "BeatHistory", "HeardBeat", "RhythmHistory", "Second"]

BEATS_KEPT = 160
"""Enough for 128 RR intervals of the irregularity test."""

RUN_KEPT = 60
"""Of a longer ventricular run only so many beats are counted."""

SECONDS_KEPT = 150
"""Enough for the longest AF window (120 s) with its tolerance."""

STALE_NS = 3_000_000_000
"""Encoder output older than this says nothing of the present."""


class HeardBeat(msgspec.Struct, array_like=True):
    """A QRS: stream time, RR interval before it (None where unknown), class so far."""

    time_ns: int
    rr_ms: float | None
    label: BeatClass


class BeatHistory(msgspec.Struct):
    """The last beats in time order. until_ns: stream time before which every QRS is known."""

    beats: list[HeardBeat] = []
    until_ns: int = 0

    @property
    def last_ns(self) -> int | None:
        """Stream time of the latest QRS."""
        return self.beats[-1].time_ns if self.beats else None

    def hear(self, beat: Beat) -> None:
        """Append a beat; one that repeats or precedes a known beat is left out."""
        if self.beats and beat.time_ns <= self.beats[-1].time_ns:
            return
        rr_ms = beat.rr_ms
        if rr_ms is not None and not (math.isfinite(rr_ms) and rr_ms > 0):
            rr_ms = None
        self.beats.append(HeardBeat(beat.time_ns, rr_ms, beat.label))
        del self.beats[:-BEATS_KEPT]

    def know(self, until_ns: int) -> None:
        """Every QRS before this time has been heard."""
        self.until_ns = max(self.until_ns, until_ns)

    def name(self, label: BeatLabel) -> None:
        """Give a known beat its class; an unknown one is ignored."""
        for beat in reversed(self.beats):
            if beat.time_ns <= label.time_ns:
                if beat.time_ns == label.time_ns:
                    beat.label = label.label
                return

    def last(self, count: int, since_ns: int, joined: bool = True) -> list[HeardBeat] | None:
        """The last `count` beats where none is earlier than `since_ns` and, if they must be
        `joined`, all RR intervals between them are known; otherwise None."""
        beats = self.beats[-count:]
        if len(beats) < count or beats[0].time_ns < since_ns:
            return None
        return None if joined and None in intervals_ms(beats) else beats

    def labelled(self, since_ns: int) -> list[HeardBeat]:
        """Recent beats from `since_ns` to the last one whose class is known."""
        beats = [beat for beat in self.beats[-RUN_KEPT:] if beat.time_ns >= since_ns]
        while beats and beats[-1].label is BeatClass.UNKNOWN:
            beats.pop()
        return beats

    def latest_run(self, label: BeatClass, since_ns: int, skipped: int = 0) -> list[HeardBeat]:
        """Recent beats of this class in a row, none earlier than `since_ns`, that end with the
        last beat whose class is known, or with the one before it where that is skipped."""
        beats, oldest = self.beats, max(0, len(self.beats) - RUN_KEPT)
        stop = len(beats)
        while stop > oldest and beats[stop - 1].label is BeatClass.UNKNOWN:
            stop -= 1
        start = stop = max(oldest, stop - skipped)
        while start > oldest and beats[start - 1].label is label:
            if beats[start - 1].time_ns < since_ns:
                break
            start -= 1
        return beats[start:stop]

    def trailing_intervals_ms(self, count: int, since_ns: int) -> list[float]:
        """Up to `count` latest RR intervals without a break between them, oldest first."""
        found: list[float] = []
        for beat in reversed(self.beats[-count:]):
            if beat.rr_ms is None or beat.time_ns < since_ns:
                break
            found.append(beat.rr_ms)
        return found[::-1]


def intervals_ms(beats: list[HeardBeat]) -> list[float | None]:
    """RR intervals between these beats, without the one that precedes the first."""
    return [after.rr_ms for _, after in pairwise(beats)]


class Second(msgspec.Struct, array_like=True):
    """Encoder probabilities at one time; None where the bundle has no such head."""

    time_ns: int
    af: float | None
    vt: float | None
    vf: float | None
    noise: float | None


class RhythmHistory(msgspec.Struct):
    """The last outputs of the encoder, one a second, in time order."""

    seconds: list[Second] = []

    def hear(self, rhythm: Rhythm) -> None:
        """Append an output; one that repeats or precedes a known one is left out. Where the encoder
        was away so long that its word was stale, what it said before counts no more."""
        if self.seconds and rhythm.time_ns <= self.seconds[-1].time_ns:
            return
        if self.seconds and rhythm.time_ns - self.seconds[-1].time_ns > STALE_NS:
            self.seconds.clear()
        known = {k: p for k, p in rhythm.probability.items() if math.isfinite(p)}
        labels = (known.get(name) for name in ("af", "vt", "vf", "noise"))
        self.seconds.append(Second(rhythm.time_ns, *labels))
        del self.seconds[:-SECONDS_KEPT]

    def recent(self, count: int, since_ns: int, heard_ns: int) -> list[Second]:
        """The last `count` outputs after `since_ns`, none where the latest is stale."""
        if not self.seconds or heard_ns - self.seconds[-1].time_ns > STALE_NS:
            return []
        latest = self.seconds[-count:]
        if latest[0].time_ns > since_ns:
            return latest
        return [second for second in latest if second.time_ns > since_ns]
