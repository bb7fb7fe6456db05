"""The encoder in the stream: conditioned samples in, rhythm and beat labels out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.events import Beat, BeatClass, BeatLabel, Rhythm
from edge.resample import Resampler
from firmware_bridge.stream import NS_PER_S
from models.encoder import Encoder, Outputs
from models.manifest import Output

HOPS_KEPT = 4
"""Beat outputs stay for this many hops, for beats that are detected late."""


@dataclass(frozen=True, slots=True)
class _Hop:
    number: int
    known_ns: int
    beats: NDArray[np.float32] | None


class EncoderStage:
    """Resamples one stream to the encoder's rate and steps the encoder hop by hop.

    Times are nanoseconds since the stage began, or since `reset`. `leads` picks the columns
    that the encoder hears. What comes out does not depend on the chunking.
    """

    def __init__(self, encoder: Encoder, rate_hz: float, leads: Sequence[int]) -> None:
        spec = encoder.manifest.input
        self.encoder = encoder
        self._rate_hz = rate_hz
        self._leads = list(leads)
        self._resampler = Resampler(rate_hz, spec.rate_hz, len(self._leads))
        self._hop = np.empty((len(self._leads), spec.hop_samples), dtype=np.float32)
        self._heads = {kind: encoder.manifest.output(kind) for kind in _KINDS}
        self._begin()

    def reset(self) -> None:
        """Forget the past, as after a gap; time begins anew."""
        self.encoder.reset()
        self._resampler.reset()
        self._begin()

    def push(
        self, conditioned_uv: NDArray[np.float32], lead_weights: Sequence[float]
    ) -> list[Rhythm | BeatLabel]:
        """Rhythm after each hop completed, and the labels of the beats that it covers.

        conditioned_uv: float32, shape (samples, leads). lead_weights: trust in each lead, 0 to 1.
        """
        resampled = self._resampler.process(np.ascontiguousarray(conditioned_uv[:, self._leads]))
        weights = [lead_weights[lead] for lead in self._leads]
        known: list[Rhythm | BeatLabel] = []
        taken = 0
        while taken < len(resampled):
            taken += self._fill(resampled[taken:])
            if self._filled == self._hop.shape[1]:
                known += self._step(weights)
        return known

    def label(self, beats: Iterable[Beat]) -> list[BeatLabel]:
        """Take newly detected beats; labels of those that a past hop covers already."""
        known: list[BeatLabel] = []
        for beat in beats:
            hop = next((hop for hop in self._hops if hop.number == self._hop_of(beat)), None)
            if hop is not None:
                known += self._labelled(beat, hop)
            elif self._hop_of(beat) >= self._hop_number:
                self._waiting.append(beat)
        return known

    def _begin(self) -> None:
        self._filled = 0
        self._hop_number = 0
        self._hops: deque[_Hop] = deque(maxlen=HOPS_KEPT)
        self._waiting: deque[Beat] = deque(maxlen=64)

    def _fill(self, samples: NDArray[np.float32]) -> int:
        count = min(len(samples), self._hop.shape[1] - self._filled)
        self._hop[:, self._filled : self._filled + count] = samples[:count].T
        self._filled += count
        return count

    def _step(self, weights: list[float]) -> list[Rhythm | BeatLabel]:
        outputs = self.encoder.step(self._hop, weights)
        hop = _Hop(self._hop_number, self._known_ns(), self._array(outputs, "beats"))
        self._hops.append(hop)
        self._hop_number += 1
        self._filled = 0
        return [*self._rhythm(outputs, hop.known_ns), *self._covered(hop)]

    def _known_ns(self) -> int:
        """When the last sample that the hop needs had come."""
        last_output = (self._hop_number + 1) * self._hop.shape[1] - 1
        last_input = math.ceil(last_output * self._rate_hz / self.encoder.manifest.input.rate_hz)
        return round((last_input + 1) / self._rate_hz * NS_PER_S)

    def _rhythm(self, outputs: Outputs, known_ns: int) -> list[Rhythm]:
        probability: dict[str, float] = {}
        for kind in ("rhythm", "ventricular"):
            values = self._array(outputs, kind)
            if values is not None:
                probability |= zip(self._labels(kind), values.ravel().tolist(), strict=True)
        return [Rhythm(known_ns, probability)] if probability else []

    def _covered(self, hop: _Hop) -> list[BeatLabel]:
        covered = [beat for beat in self._waiting if self._hop_of(beat) <= hop.number]
        self._waiting = deque((b for b in self._waiting if b not in covered), maxlen=64)
        return [label for beat in covered for label in self._labelled(beat, hop)]

    def _labelled(self, beat: Beat, hop: _Hop) -> list[BeatLabel]:
        head = self._heads["beats"]
        if head is None or hop.beats is None or self._hop_of(beat) != hop.number:
            return []
        row = hop.beats[self._frame_of(beat) % len(hop.beats)]
        best = int(row.argmax())
        known_ns = max(hop.known_ns, beat.detected_ns)
        return [BeatLabel(beat.time_ns, known_ns, BeatClass(head.labels[best]), float(row[best]))]

    def _frame_of(self, beat: Beat) -> int:
        head = self._heads["beats"]
        peak_s = beat.time_ns / NS_PER_S + self._resampler.delay_s
        return max(0, head.frame_of(peak_s)) if head else 0

    def _hop_of(self, beat: Beat) -> int:
        head = self._heads["beats"]
        return self._frame_of(beat) // head.shape[0] if head else 0

    def _array(self, outputs: Outputs, kind: str) -> NDArray[np.float32] | None:
        head = self._heads[kind]
        return None if head is None else np.asarray(outputs[head.name])

    def _labels(self, kind: str) -> tuple[str, ...]:
        head: Output | None = self._heads[kind]
        return head.labels if head else ()


_KINDS = ("rhythm", "ventricular", "beats")
