"""The beat stage in the stream: the class of each beat one beat late, and its word on rhythm."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.events import Beat, BeatClass, BeatLabel
from firmware_bridge.stream import NS_PER_S
from models.beat_stage import BeatJudgement, BeatStage
from models.manifest import Manifest

__all__ = ["BeatLabeller", "pooled"]

_Part = TypeVar("_Part")

OPINION_NS = 3_000_000_000
"""What the beat stage said of the rhythm holds for so long."""


class BeatLabeller:
    """Feeds the beat stage with the encoder's features of each beat, in order.

    lag_s: by which the hops lag the source.
    """

    def __init__(self, stage: BeatStage, manifest: Manifest, lag_s: float) -> None:
        self._stage = stage
        self._features = _known(manifest.output("features"))
        self._lag_s = lag_s
        told = _known(manifest.beat_stage)
        self._classes = tuple(map(BeatClass, _known(told.output("beats")).labels))
        rhythm = told.output("rhythm")
        self._rhythms = rhythm.labels if rhythm else ()
        self._kept = _hops_kept(manifest)
        self.begin(0.0)

    def begin(self, start_s: float) -> None:
        """Forget the past, as after a gap; the next sample is at this time of the stream."""
        self._stage.reset()
        self._start_s = start_s
        self._rows: dict[int, NDArray[np.float32]] = {}
        self._waiting: deque[Beat] = deque()
        self._unjudged_ns: deque[int] = deque()
        self._opinion: dict[str, float] = {}
        self._opinion_ns = 0

    def push(
        self,
        number: int,
        features: NDArray[np.float32],
        beats: Sequence[Beat],
        known_ns: int,
        until_ns: int,
    ) -> list[BeatLabel]:
        """Labels that one more hop makes known.

        number: of the hop. features: (frames, width). beats: those that the hop settled.
        until_ns: time before which every beat is known.
        """
        self._rows[number] = features
        self._rows.pop(number - self._kept, None)
        self._waiting.extend(beats)
        judged: list[BeatJudgement] = []
        while self._waiting and self._hop_of(self._waiting[0]) <= number:
            beat = self._waiting.popleft()
            self._unjudged_ns.append(beat.time_ns)
            judged += self._stage.push(beat.time_ns / NS_PER_S, self._row_of(beat))
        if not self._waiting:
            judged += self._stage.expire(until_ns / NS_PER_S)
        return self._labels(judged, known_ns)

    def flush(self, known_ns: int) -> list[BeatLabel]:
        """The label of the beat that still waits for its successor: before a gap, at the end."""
        return self._labels(self._stage.flush(), known_ns)

    def rhythm(self, now_ns: int) -> Mapping[str, float]:
        """What the stage said of the rhythm last, empty where that is more than 3 s ago."""
        return self._opinion if now_ns - self._opinion_ns <= OPINION_NS else {}

    def _labels(self, judged: Sequence[BeatJudgement], known_ns: int) -> list[BeatLabel]:
        labels = []
        for each in judged:
            best = int(each.beats.argmax())
            time_ns, confidence = self._unjudged_ns.popleft(), float(each.beats[best])
            labels.append(BeatLabel(time_ns, known_ns, self._classes[best], confidence))
            if each.rhythm is not None:
                self._opinion = dict(zip(self._rhythms, each.rhythm.tolist(), strict=True))
                self._opinion_ns = known_ns
        return labels

    def _frame_of(self, beat: Beat) -> int:
        since_s = beat.time_ns / NS_PER_S - self._start_s
        return max(0, self._features.frame_of(since_s + self._lag_s))

    def _hop_of(self, beat: Beat) -> int:
        return self._frame_of(beat) // self._features.shape[0]

    def _row_of(self, beat: Beat) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self._rows[self._hop_of(beat)][
            self._frame_of(beat) % self._features.shape[0]
        ]
        return row


def pooled(hop: Mapping[str, float], opinion: Mapping[str, float]) -> dict[str, float]:
    """The hop's rhythm and the beat stage's, as one: the geometric mean of the labels that both
    know, scaled to what the hop gave them together.

    A bundle without a rhythm output of the encoder has the beat stage's word alone.
    """
    if not any(label in hop for label in opinion):
        return {**hop, **opinion}
    means = {k: math.sqrt(hop[k] * p) for k, p in opinion.items() if k in hop}
    total = sum(means.values())
    if total <= 0.0:
        return dict(hop)
    share = sum(hop[label] for label in means) / total
    return {**hop, **{label: mean * share for label, mean in means.items()}}


def _hops_kept(manifest: Manifest) -> int:
    """Hops after which no beat can ask for its features any more."""
    peaks, features = _known(manifest.output("qrs")), _known(manifest.output("features"))
    late_s = max(0.0, peaks.delay_ms - features.delay_ms) / 1000 + 1.0
    return 2 + math.ceil(late_s / manifest.hop_s)


def _known(part: _Part | None) -> _Part:
    """A part without which `decode_manifest` accepts no beat stage."""
    assert part is not None
    return part
