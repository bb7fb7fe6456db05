"""Random stretches of beat sequences: what the beat stage is trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.beat_token import RR_WIDTH
from models.training import splits
from models.training.beat_data import BeatSequence

__all__ = ["SHARES", "BeatBatch", "BeatSampler"]

LENGTH = 192  # beats
SHARES: Mapping[str, int] = {"mitdb": 12, "rendered": 4, "cinc2017": 8, "arrdb": 8, "ltafdb": 2}
_FROM_START = 0.4  # of the stretches begin where their sequence begins
_TEMPO = 0.15  # how far the heart rate of beats without a signal is moved
_SHAPE_DROPPED = 0.15  # of the stretches with a signal are told by their timing alone
_SETTLE_BEATS = 8  # rhythm is not asked for before


@dataclass(frozen=True)
class BeatBatch:
    """tokens: (stretches, LENGTH, width). beats, rhythm: (stretches, LENGTH), IGNORE where there
    is nothing to learn."""

    tokens: NDArray[np.float32]
    beats: NDArray[np.int64]
    rhythm: NDArray[np.int64]


class BeatSampler:
    """Draws batches from the sequences of all sources that `keep` lets through."""

    def __init__(
        self,
        sequences: list[BeatSequence],
        seed: int,
        keep: Callable[[BeatSequence], bool] = lambda _: True,
        shares: Mapping[str, int] = SHARES,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._pools = {
            source: [s for s in sequences if s.source == source and keep(s)] for source in shares
        }
        self._shares = shares
        self._odds = {source: _odds(pool) for source, pool in self._pools.items()}
        self.width = max(s.tokens.shape[1] for s in sequences)

    def draw(self) -> BeatBatch:
        """One batch."""
        rows = [
            self._stretch(pool[self._rng.choice(len(pool), p=self._odds[source])])
            for source, pool in self._pools.items()
            if pool
            for _ in range(self._shares[source])
        ]
        return BeatBatch(*(np.stack(column) for column in zip(*rows, strict=True)))

    def _stretch(self, sequence: BeatSequence) -> tuple[NDArray[np.generic], ...]:
        """The fields of a batch for one stretch, padded at its end."""
        rng = self._rng
        last = max(0, len(sequence.beats) - LENGTH)
        first = 0 if rng.random() < _FROM_START else int(rng.integers(last + 1))
        tokens = np.zeros((LENGTH, self.width), np.float32)
        beats = np.full(LENGTH, splits.IGNORE, np.int64)
        rhythm = np.full(LENGTH, splits.IGNORE, np.int64)
        part = sequence.tokens[first : first + LENGTH]
        count = len(part)
        tokens[:count, : part.shape[1]] = part
        beats[:count] = sequence.beats[first : first + LENGTH]
        rhythm[_SETTLE_BEATS:count] = sequence.rhythm[first + _SETTLE_BEATS : first + LENGTH]
        if part.shape[1] == RR_WIDTH:
            tokens[:count, :2] += rng.uniform(-_TEMPO, _TEMPO)  # the absolute intervals
        elif rng.random() < _SHAPE_DROPPED:
            tokens[:, RR_WIDTH:] = 0.0
        return tokens, beats, rhythm


def _odds(pool: list[BeatSequence]) -> NDArray[np.float64]:
    """Half of the draws prefer sequences with supraventricular ectopic beats."""
    if not pool:
        return np.empty(0)
    ectopic = np.array([1.0 + np.sqrt((s.beats == 1).sum()) for s in pool])
    odds = 0.5 / len(pool) + 0.5 * ectopic / ectopic.sum()
    return np.asarray(odds / odds.sum())
