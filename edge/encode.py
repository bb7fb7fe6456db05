"""The encoder in the stream: conditioned samples in; beats, their classes and rhythm out."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from edge.beat_labels import BeatLabeller, pooled
from edge.events import Beat, BeatLabel, BeatsKnown, Observation, Rhythm
from edge.heard_beats import HeardBeats
from edge.hops import Hop, HopCutter
from edge.networks import Networks
from edge.told_text import without_folders
from firmware_bridge.stream import NS_PER_S
from models.encoder import Outputs
from models.errors import ModelError
from models.kernels import all_finite
from models.shared import distrust

__all__ = ["EncoderStage"]

log = logging.getLogger(__name__)


class EncoderStage:
    """Steps the encoder hop by hop and reads its outputs.

    leads: of the stream; the encoder hears the first ones. filter_delay_s: of the conditioner
    before it. All times and indices are on the stream's axis; what comes out does not depend
    on the chunking.
    """

    def __init__(
        self, networks: Networks, rate_hz: float, leads: int, filter_delay_s: float
    ) -> None:
        self.encoder = networks.encoder
        self.bundle_sha256 = networks.bundle_sha256
        self._rate_hz = rate_hz
        manifest = self.encoder.manifest
        self._heard = min(leads, manifest.input.leads_max)
        self._cutter = HopCutter(rate_hz, manifest.input, self._heard)
        lag_s = self._cutter.delay_s + filter_delay_s
        self._heads = {kind: manifest.output(kind) for kind in _KINDS}
        peaks = self._heads["qrs"]
        self._beats = (
            HeardBeats(peaks, rate_hz, self._heard, lag_s, filter_delay_s) if peaks else None
        )
        stage = networks.beat_stage
        self._labeller = BeatLabeller(stage, manifest, lag_s) if stage and peaks else None
        self._padding = math.ceil((lag_s + manifest.hop_s + self._longest_delay_s()) * rate_hz)
        self._failed_at: int | None = None
        self.failure = ""
        """Why the networks failed, in words; empty while they work."""
        self.begin(0)

    @property
    def hears_beats(self) -> bool:
        """Whether beats come from here; else a QRS detector is needed."""
        return self._beats is not None

    @property
    def failed_at(self) -> int | None:
        """Index of the sample after the hop in which the networks failed; None while they work."""
        return self._failed_at

    @property
    def due(self) -> int:
        """Index of the sample that follows the last one which the next hop needs."""
        return self._cutter.due

    def begin(self, start: int) -> None:
        """Forget the past, as after a gap; the next sample has this index."""
        self._fresh = True
        self._cutter.begin(start)
        self._last: NDArray[np.float32] | None = None
        if self._beats:
            self._beats.begin(start)
        self._start = start
        self._stop = start

    def push(
        self, conditioned_uv: NDArray[np.float32], weights: Sequence[float]
    ) -> list[Observation]:
        """All that the hops say which these samples complete, in the order in which it is known.

        conditioned_uv: float32, (samples, leads). weights: trust in each lead, 0 to 1. Where a
        network fails, that is logged, and nothing more comes from here.
        """
        if not len(conditioned_uv):
            return []
        self._stop += len(conditioned_uv)
        self._last = conditioned_uv[-1:].copy()
        self._weights = list(weights[: self._heard])
        second = math.ceil(self._rate_hz)
        pieces = (conditioned_uv[k : k + second] for k in range(0, len(conditioned_uv), second))
        return list(chain.from_iterable(map(self._take, pieces)))

    def flush(self) -> list[Observation]:
        """The beats and labels that still wait: before a gap, and at the end. Call `begin` next.

        The unfinished hop is completed, and its successors filled, with the last sample held;
        what these hops say of the rhythm, or of beats after the last sample, is left out.
        """
        if self._last is None or self._beats is None or self._failed_at is not None:
            return []
        padding = np.repeat(self._last, self._padding, axis=0)
        said = self._hops(padding)
        stop_ns = self._time_ns(self._stop)
        if self._labeller and self._failed_at is None:
            said += self._labeller.flush(stop_ns)
        return list(self._until(stop_ns, said))

    def _take(self, conditioned_uv: NDArray[np.float32]) -> list[Observation]:
        """At most a second of samples."""
        if self._beats:
            self._beats.remember(conditioned_uv[:, : self._heard])
        return self._hops(conditioned_uv)

    def _hops(self, conditioned_uv: NDArray[np.float32]) -> list[Observation]:
        return list(chain.from_iterable(map(self._attempt, self._cutter.push(conditioned_uv))))

    def _longest_delay_s(self) -> float:
        """From an R peak to the last sample or frame that is needed to settle and to judge it."""
        delays_ms = [head.delay_ms for head in self._heads.values() if head]
        settled_s = self._beats.latency_s if self._beats else 0.0
        judged_s = self._labeller.reach_s if self._labeller else 0.0
        return max([settled_s, judged_s, *(delay_ms / 1000 for delay_ms in delays_ms)])

    def _attempt(self, hop: Hop) -> list[Observation]:
        """One hop, where nothing has failed yet."""
        if self._failed_at is not None:
            return []
        try:
            return self._hear(hop, self._step(hop))
        except Exception as error:  # a runtime of another package may raise anything
            distrust(self.encoder)
            log.error(
                "encoder %s failed and is switched off until the stream begins anew with another"
                " format or edge is restarted; beats come from the QRS detector: %s",
                *(self.encoder.manifest.name, error),
                exc_info=not isinstance(error, ModelError),
            )
            self._failed_at = hop.known_at
            self.failure = _failure(self.encoder.manifest.name, error)
            return []

    def _step(self, hop: Hop) -> Outputs:
        if self._fresh:
            self._reset_networks()
        outputs = self.encoder.step(hop.samples_uv, self._weights)
        for kind, head in self._heads.items():
            if head and not all_finite(self._array(outputs, kind).ravel()):
                raise ModelError(f"output {head.name!r} is not finite; verify the bundle")
        return outputs

    def _reset_networks(self) -> None:
        self.encoder.reset()
        if self._labeller:
            self._labeller.begin(self._start / self._rate_hz)
        self._fresh = False

    def _hear(self, hop: Hop, outputs: Outputs) -> list[Observation]:
        known_ns = self._time_ns(hop.known_at)
        beats, labels, known = self._hear_beats(hop, outputs, known_ns)
        return [*beats, *self._rhythm(outputs, known_ns), *labels, *known]

    def _hear_beats(
        self, hop: Hop, outputs: Outputs, known_ns: int
    ) -> tuple[list[Beat], list[BeatLabel], list[BeatsKnown]]:
        if self._beats is None:
            return [], [], []
        beats = self._beats.push(self._array(outputs, "qrs"), hop.known_at, self._weights)
        until_ns = self._time_ns(self._beats.known_until)
        known = [BeatsKnown(known_ns, until_ns)]
        if self._labeller is None:
            return beats, [], known
        labels = self._labeller.push(hop.samples_uv, beats, known_ns, until_ns)
        return beats, labels, known

    def _rhythm(self, outputs: Outputs, known_ns: int) -> list[Rhythm]:
        said: dict[str, dict[str, float]] = {}
        for kind in ("rhythm", "ventricular"):
            head = self._heads[kind]
            values = self._array(outputs, kind).ravel().tolist() if head else []
            said[kind] = dict(zip(head.labels if head else (), values, strict=True))
        opinion = self._labeller.rhythm(known_ns) if self._labeller else {}
        probability = pooled(said["rhythm"], opinion) | said["ventricular"]
        return [Rhythm(known_ns, probability)] if probability else []

    def _until(self, stop_ns: int, said: Iterable[Observation]) -> Iterator[Observation]:
        """Of what padded hops say, what is true of the samples before them."""
        for each in said:
            if isinstance(each, Beat) and each.time_ns < stop_ns:
                yield replace(each, detected_ns=min(each.detected_ns, stop_ns))
            elif isinstance(each, BeatLabel) and each.time_ns < stop_ns:
                yield replace(each, known_ns=min(each.known_ns, stop_ns))

    def _array(self, outputs: Outputs, kind: str) -> NDArray[np.float32]:
        head = self._heads[kind]
        assert head is not None
        return np.array(outputs[head.name], np.float32)  # ours: an encoder's may be read-only

    def _time_ns(self, index: int) -> int:
        return round(index / self._rate_hz * NS_PER_S)


def _failure(name: str, error: Exception) -> str:
    kind = "" if isinstance(error, ModelError) else f"{type(error).__name__}: "
    return without_folders(f"encoder {name} failed: {kind}{error}")


_KINDS = ("rhythm", "ventricular", "qrs")
