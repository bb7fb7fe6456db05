"""Two encoders side by side on the same hops: how far they agree, how long a step takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.encoder import Encoder
from models.manifest import Output
from models.quantisation.hops import Hop, Stretch
from models.registry import open_encoder

__all__ = ["Agreement", "Comparison", "compare"]

_MOST_HOPS = 600
_TIMED_STEPS = 300
_WARM_UP_STEPS = 20


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one output of the second encoder follows the first's.

    largest: greatest absolute difference. cosine: mean cosine of the two answers to a hop.
    decisions: share of the rows whose most probable label is the same; None without labels.
    """

    output: str
    largest: float
    cosine: float
    decisions: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """hops: compared. step_us: median time of one step of one stream, before and after."""

    hops: int
    agreement: tuple[Agreement, ...]
    step_us: tuple[float, float]

    @property
    def speed_up(self) -> float:
        """How many times faster the second is."""
        return self.step_us[0] / self.step_us[1]


Pair = tuple[Encoder, Encoder]


def compare(before: Bundle, after: Bundle, stretches: Sequence[Stretch]) -> Comparison:
    """Both on the same hops, no more than 600; each self-tested first.

    Times come from steps in turn on one core: both meet the same load of the machine.
    """
    pairs: dict[int, Pair] = {}

    def pair(stretch: Stretch) -> Pair:
        leads = len(stretch[0].samples_uv)
        if leads not in pairs:
            pairs[leads] = (open_encoder(before, leads), open_encoder(after, leads))
        return pairs[leads]

    heard = _limited(stretches)
    answers = [_answers(pair(stretch), stretch) for stretch in heard]
    agreement = tuple(
        _agreement(output, list(chain.from_iterable(answer[output.name] for answer in answers)))
        for output in before.manifest.outputs
    )
    return Comparison(sum(map(len, heard)), agreement, _step_us(pair, heard))


def _limited(stretches: Sequence[Stretch]) -> list[Stretch]:
    """As much of each stretch as makes no more than the limit together."""
    filled = [stretch for stretch in stretches if stretch]
    each = max(1, _MOST_HOPS // max(1, len(filled)))
    return [stretch[:each] for stretch in filled[:_MOST_HOPS]]


Answer = tuple[NDArray[np.float32], NDArray[np.float32]]


def _answers(pair: Pair, stretch: Stretch) -> dict[str, list[Answer]]:
    answers: dict[str, list[Answer]] = {output.name: [] for output in pair[0].manifest.outputs}
    for encoder in pair:
        encoder.reset()
    for hop in stretch:
        first, second = (
            {name: np.array(value) for name, value in _step(encoder, hop).items()}
            for encoder in pair
        )
        for name, found in answers.items():
            found.append((first[name], second[name]))
    return answers


def _step(encoder: Encoder, hop: Hop) -> dict[str, NDArray[np.float32]]:
    return dict(encoder.step(hop.samples_uv, hop.lead_weights))


def _agreement(output: Output, answers: Sequence[Answer]) -> Agreement:
    first, second = (np.stack(side).astype(np.float64) for side in zip(*answers, strict=True))
    rows, others = first.reshape(len(first), -1), second.reshape(len(second), -1)
    length = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    told = length > 0
    cosine = (rows * others).sum(axis=1)[told] / length[told]
    same = first.argmax(axis=-1) == second.argmax(axis=-1)
    return Agreement(
        output=output.name,
        largest=float(np.abs(rows - others).max()),
        cosine=float(cosine.mean()) if told.any() else 1.0,
        decisions=float(same.mean()) if len(output.labels) > 1 else None,
    )


def _step_us(pair: Callable[[Stretch], Pair], stretches: Sequence[Stretch]) -> tuple[float, float]:
    """Median time of a step of each. One stretch after the other, over and over."""
    times: list[tuple[float, float]] = []
    while len(times) < _WARM_UP_STEPS + _TIMED_STEPS:
        for stretch in stretches:
            times += [_timed(pair(stretch), hop) for hop in stretch]
    before, after = np.median(np.array(times[_WARM_UP_STEPS:]), axis=0)
    return float(before), float(after)


def _timed(pair: Pair, hop: Hop) -> tuple[float, float]:
    """Microseconds of a step of each encoder."""
    spans = []
    for encoder in pair:
        began = time.perf_counter_ns()
        encoder.step(hop.samples_uv, hop.lead_weights)
        spans.append((time.perf_counter_ns() - began) / 1000)
    return spans[0], spans[1]
