"""Beats from the encoder: where the probability of an R peak has its peaks.

The probability is given once a hop, some time after the R peak, and a peak of it is settled
when no higher one can follow: a beat is known up to a hop and about half a second late. Its
time is that of the largest deflection near the peak, for the probability alone scatters by
some 7 ms, which is much for a difference of RR intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.events import Beat
from edge.ring import Ring
from firmware_bridge.stream import NS_PER_S
from models.fusion import followed_lead
from models.manifest import Output
from models.peaks import Peak, PeakPicker

__all__ = ["HeardBeats"]

THRESHOLD = 0.5
"""Least probability of a beat where the manifest gives none."""

SEARCH_MS = 15.0
"""Against the reference of DS1 of the MIT-BIH Arrhythmia Database (400 s a record), the median
error of an RR interval is 2.9 ms without a search, 0.8 ms with one of 15 ms, and its standard
deviation 4.9, 4.7, and 6.9 ms with one of 40 ms, which jumps between R and S."""

SPARE_S = 1.5
"""Seconds of signal kept beyond the latency and a hop: samples come up to a second at a time."""


class HeardBeats:
    """Turns the output "qrs" of an encoder into beats on the stream's axis.

    head: the output of that kind. lag_s: by which the hops lag the source, the filters before
    them included. filter_delay_s: the part of it that the conditioned samples lag.
    """

    def __init__(
        self, head: Output, rate_hz: float, leads: int, lag_s: float, filter_delay_s: float
    ) -> None:
        self._rate_hz = rate_hz
        self._frame_rate_hz = head.frame_rate_hz
        self._lag_s = head.delay_ms / 1000 + lag_s
        self._filter_delay = round(filter_delay_s * rate_hz)
        self._search = max(1, round(SEARCH_MS * rate_hz / 1000))
        self._picker = PeakPicker(head.frame_rate_hz, head.threshold or THRESHOLD)
        kept_s = self.latency_s + head.shape[0] / head.frame_rate_hz + SPARE_S
        self._ring = Ring(math.ceil(kept_s * rate_hz), leads)
        self.begin(0)

    @property
    def latency_s(self) -> float:
        """Longest time from an R peak to the end of the hop in which it is settled."""
        settling_s = (self._picker.lag_frames + 2) / self._frame_rate_hz
        return self._lag_s + settling_s + (self._search + 1) / self._rate_hz

    @property
    def known_until(self) -> int:
        """Index before which every beat is known."""
        heard_s = self._frames / self._frame_rate_hz - self.latency_s
        return self._start + max(0, math.floor(heard_s * self._rate_hz))

    def begin(self, start: int) -> None:
        """Forget the past, as after a gap; the next sample has this index."""
        self._picker.reset()
        self._start = start
        self._offset = start - self._ring.stop
        self._frames = 0
        self._lead = 0
        self._last: int | None = None

    def remember(self, conditioned_uv: NDArray[np.float32]) -> None:
        """Keep the samples, (samples, leads), in which R peaks will be searched."""
        self._ring.append(conditioned_uv)

    def push(
        self, probability: NDArray[np.float32], known_at: int, weights: Sequence[float]
    ) -> list[Beat]:
        """Beats that one more hop settles.

        probability: (frames,), 0 to 1. known_at: index of the sample that follows the hop.
        weights: trust in each lead, 0 to 1.
        """
        self._frames += len(probability)
        self._lead = followed_lead(weights)
        return [self._beat(peak, known_at) for peak in self._picker.push(probability)]

    def _beat(self, peak: Peak, known_at: int) -> Beat:
        near = (peak.frame / self._frame_rate_hz - self._lag_s) * self._rate_hz
        at, amplitude_uv = self._summit(self._start + self._filter_delay + round(near))
        index = max(at - self._filter_delay, self._start)
        before, self._last = self._last, index
        return Beat(
            index=index,
            time_ns=round(index / self._rate_hz * NS_PER_S),
            detected_ns=round(known_at / self._rate_hz * NS_PER_S),
            lead=self._lead,
            rr_ms=None if before is None else (index - before) * 1000.0 / self._rate_hz,
            amplitude_uv=amplitude_uv,
        )

    def _summit(self, near: int) -> tuple[int, float]:
        """Index and height of the largest deflection around the sample `near`."""
        oldest = max(self._start, self._ring.start + self._offset)
        newest = self._ring.stop + self._offset - 1
        first = min(max(near - self._search, oldest), newest)
        last = max(min(near + self._search, newest), first)
        samples, _ = self._ring.window(first - self._offset, last + 1 - self._offset)
        lead = samples[:, self._lead]
        best = int(np.abs(lead).argmax())
        return first + best, float(lead[best])
