"""Beat classes frame by frame: for bundles whose encoder classifies, without a beat stage."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.events import Beat, BeatClass, BeatLabel
from firmware_bridge.stream import NS_PER_S
from models.manifest import Output

__all__ = ["FrameLabels"]

HOPS_KEPT = 4
"""Outputs stay for this many hops, for beats that are detected late."""

BEATS_WAITING = 64


@dataclass(frozen=True, slots=True, eq=False)
class _Hop:
    number: int
    known_ns: int
    beats: NDArray[np.float32]


class FrameLabels:
    """Gives each beat the class in the frame that speaks of its R peak.

    head: the output of kind "beats". lag_s: by which the hops lag the source.
    """

    def __init__(self, head: Output, lag_s: float) -> None:
        self._head = head
        self._lag_s = lag_s
        self.begin(0.0)

    def begin(self, start_s: float) -> None:
        """Forget the past, as after a gap; the next sample is at this time of the stream."""
        self._start_s = start_s
        self._number = 0
        self._hops: deque[_Hop] = deque(maxlen=HOPS_KEPT)
        self._waiting: deque[Beat] = deque(maxlen=BEATS_WAITING)

    def push(self, number: int, frames: NDArray[np.float32], known_ns: int) -> list[BeatLabel]:
        """Labels of the beats known before that one more hop covers. frames: (frames, labels)."""
        hop = _Hop(number, known_ns, frames)
        self._hops.append(hop)
        self._number = number + 1
        covered = [beat for beat in self._waiting if self._hop_of(beat) <= number]
        later = (beat for beat in self._waiting if self._hop_of(beat) > number)
        self._waiting = deque(later, maxlen=BEATS_WAITING)
        return [self._label(beat, hop) for beat in covered if self._hop_of(beat) == number]

    def label(self, beats: Iterable[Beat]) -> list[BeatLabel]:
        """Take newly detected beats; labels of those that a past hop covers already."""
        known: list[BeatLabel] = []
        for beat in beats:
            hop = next((hop for hop in self._hops if hop.number == self._hop_of(beat)), None)
            if hop is not None:
                known.append(self._label(beat, hop))
            elif self._hop_of(beat) >= self._number:
                self._waiting.append(beat)
        return known

    def _label(self, beat: Beat, hop: _Hop) -> BeatLabel:
        row = hop.beats[self._frame_of(beat) % len(hop.beats)]
        best = int(row.argmax())
        known_ns = max(hop.known_ns, beat.detected_ns)
        return BeatLabel(
            beat.time_ns, known_ns, BeatClass(self._head.labels[best]), float(row[best])
        )

    def _frame_of(self, beat: Beat) -> int:
        since_s = beat.time_ns / NS_PER_S - self._start_s
        return max(0, self._head.frame_of(since_s + self._lag_s))

    def _hop_of(self, beat: Beat) -> int:
        return self._frame_of(beat) // self._head.shape[0]
