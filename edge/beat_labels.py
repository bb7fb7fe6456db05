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
from models.beat_window import RATE_HZ, REACH, window_of
from models.manifest import Manifest

__all__ = ["BeatLabeller", "pooled"]

_Part = TypeVar("_Part")

KEPT_S = 3.0
"""Signal kept beyond a hop: a beat is settled within half a second, its window as long."""

OPINION_NS = 3_000_000_000
"""What the beat stage said of the rhythm holds for so long."""


class BeatLabeller:
    """Feeds the beat stage with the signal around each beat, in order.

    lag_s: by which the hops lag the source.
    """

    def __init__(self, stage: BeatStage, manifest: Manifest, lag_s: float) -> None:
        self._stage = stage
        self._lag_s = lag_s
        told = _known(manifest.beat_stage)
        self._classes = tuple(map(BeatClass, _known(told.output("beats")).labels))
        rhythm = told.output("rhythm")
        self._rhythms = rhythm.labels if rhythm else ()
        self._kept = manifest.input.hop_samples + round(KEPT_S * RATE_HZ)
        self.begin(0.0)

    @property
    def reach_s(self) -> float:
        """Signal that must follow an R peak before its beat can be judged."""
        return (REACH + 2) / RATE_HZ

    def begin(self, start_s: float) -> None:
        """Forget the past, as after a gap; the next sample is at this time of the stream."""
        self._stage.reset()
        self._start_s = start_s
        self._signal_uv: NDArray[np.float32] | None = None
        self._first = 0
        self._waiting: deque[Beat] = deque()
        self._unjudged_ns: deque[int] = deque()
        self._opinion: dict[str, float] = {}
        self._opinion_ns = 0

    def push(
        self,
        samples_uv: NDArray[np.float32],
        beats: Sequence[Beat],
        known_ns: int,
        until_ns: int,
    ) -> list[BeatLabel]:
        """Labels that one more hop makes known.

        samples_uv: of the hop, (leads, hop_samples). beats: those that the hop settled.
        until_ns: time before which every beat is known.
        """
        signal_uv = self._remember(samples_uv)
        stop = self._first + signal_uv.shape[1]
        self._waiting.extend(beats)
        judged: list[BeatJudgement] = []
        while self._waiting and self._place_of(self._waiting[0]) + REACH + 1 < stop:
            beat = self._waiting.popleft()
            self._unjudged_ns.append(beat.time_ns)
            window_uv = window_of(signal_uv[beat.lead], self._place_of(beat) - self._first)
            judged += self._stage.push(beat.time_ns / NS_PER_S, window_uv, beat.lead)
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

    def _remember(self, samples_uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """The signal that is kept, these samples the newest of it."""
        known = [] if self._signal_uv is None else [self._signal_uv]
        joined = np.concatenate([*known, samples_uv], axis=1)
        spare = max(0, joined.shape[1] - self._kept)
        self._first += spare
        self._signal_uv = joined[:, spare:]
        return self._signal_uv

    def _place_of(self, beat: Beat) -> float:
        """Of the R peak, in samples of the hops since `begin`."""
        return (beat.time_ns / NS_PER_S - self._start_s + self._lag_s) * RATE_HZ


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


def _known(part: _Part | None) -> _Part:
    """A part without which `decode_manifest` accepts no beat stage."""
    assert part is not None
    return part
