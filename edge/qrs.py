"""QRS detection on a conditioned stream: causal, adaptive, one beat at a time.

Each lead has a detector of its own; the beats come from the first lead that is good enough.
The rules are in `edge.kernels.qrs`, their figures in `edge.qrs_settings`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.biquad import at_rest
from edge.events import Beat
from edge.kernels.qrs import detect
from edge.kernels.qrs_state import BEAT_COLUMNS, EARLY, HISTORY_ROWS, STATE
from edge.qrs_settings import QrsSettings, band_pass, packed
from edge.samples import as_samples, check_stream

NS_PER_S = 1_000_000_000
LEAVE_BELOW = 0.1  # weight at which a lead is left for the first better one
RETURN_ABOVE = 0.3  # weight at which an earlier lead is good enough to return to
LEAD_SWITCH_MARGIN = 0.2  # by which another must be better where all are poor


class QrsDetector:
    """Finds beats in one stream, chunk by chunk; any chunking gives the same beats.

    rate_hz: 100 to 1000. delay_s: of the conditioner before it, taken off the times given.
    """

    def __init__(
        self,
        rate_hz: float,
        leads: int,
        *,
        delay_s: float = 0.0,
        settings: QrsSettings | None = None,
    ) -> None:
        check_stream(rate_hz, leads)
        settings = settings or QrsSettings()
        self._rate_hz = rate_hz
        self._leads = leads
        self._delay = round(delay_s * rate_hz)
        self._config = packed(settings, rate_hz)
        self._states = np.zeros(leads, STATE)
        self._states["filter"] = at_rest(band_pass(settings, rate_hz))
        history = 1 << int(np.ceil(np.log2(rate_hz)))
        self._histories = np.zeros((leads, HISTORY_ROWS, history))
        self._last_r = np.array([0, -1])
        self._most = math.ceil(rate_hz)
        closest = int(self._config["closest"][0])
        room = 2 * (self._most // closest) + EARLY + 4  # two each, and those kept while learning
        self._beats = np.empty((room, BEAT_COLUMNS))
        self._next: int | None = None
        self._origin = 0
        self._last_index: int | None = None
        self._weights: list[float] = []
        self._muted = False
        self._forget()

    def process(
        self,
        start: int,
        conditioned_uv: NDArray[np.float32],
        weights: Sequence[float] | None = None,
    ) -> list[Beat]:
        """Beats that these samples settle, in order.

        start: index of the first sample; must follow the last one given, else ValueError.
        weights: (leads,) usefulness of each lead, 0 to 1, as of now; beats come from the
            first lead that is good enough, none where that is 0. None: as before (first lead 0).
        """
        samples = as_samples(conditioned_uv, self._leads)
        self.expect(start, samples.shape[0], weights)
        beats: list[Beat] = []
        for at in range(0, samples.shape[0], self._most):
            beats += self.told(detect(samples[at : at + self._most], *self.memory))
        return beats

    @property
    def leads(self) -> int:
        """Leads of each sample."""
        return self._leads

    @property
    def learns(self) -> bool:
        """Whether it has yet to find its first levels; a gap then lets it begin anew."""
        return not self._states["learned"].all()

    @property
    def memory(self) -> tuple[NDArray[Any], ...]:
        """What the kernel `detect` works with."""
        return self._config, self._states, self._histories, self._last_r, self._beats

    def expect(self, start: int, count: int, weights: Sequence[float] | None) -> None:
        """Before the kernel takes `count` samples, at most a second of them; as in `process`."""
        if self._next is None:
            self._origin = start
        elif start != self._next:
            raise ValueError(f"samples from {start}, expected {self._next}: call gap() between")
        self._next = start + count
        if weights is not None and weights != self._weights:
            self._select(weights)

    def told(self, count: int) -> list[Beat]:
        """The beats that the kernel has found: the first `count`, none where no lead is heard."""
        if self._muted or not count:
            return []
        return [self._beat(*found) for found in self._beats[:count].tolist()]

    def gap(self, start: int, length: int) -> None:
        """`length` samples from `start` never came: time begins anew, levels are kept.

        The next beat has no `rr_ms`.
        """
        self._forget()
        self._next = start + length
        self._origin = self._next

    def _forget(self) -> None:
        """Clear what depends on the samples before; keep learned levels."""
        for name in ("n", "slot", "sum", "fresh", "top", "top_at", "previous"):
            self._states[name] = 0
        self._states["candidate"]["energy"] = 0.0
        self._states["back"]["energy"] = 0.0
        self._states["last_at"] = -1
        self._states["early_count"] = 0
        self._states["filter"][:, :, 5:] = 0.0
        self._histories[:] = 0.0
        self._last_r[1] = -1
        self._last_index = None

    def _select(self, weights: Sequence[float]) -> None:
        if len(weights) != self._leads:
            raise ValueError(f"{len(weights)} weights for {self._leads} leads")
        self._last_r[0] = lead_of_choice(weights, int(self._last_r[0]))
        self._weights = list(weights)
        self._muted = weights[int(self._last_r[0])] <= 0.0

    def _beat(self, lead: float, r_at: float, known_at: float, amplitude_uv: float) -> Beat:
        index = max(self._origin + int(r_at) - self._delay, 0)
        rr_ms = None
        if self._last_index is not None:
            rr_ms = (index - self._last_index) * 1000.0 / self._rate_hz
        self._last_index = index
        return Beat(
            index=index,
            time_ns=round(index * NS_PER_S / self._rate_hz),
            detected_ns=round((self._origin + int(known_at)) * NS_PER_S / self._rate_hz),
            lead=int(lead),
            rr_ms=rr_ms,
            amplitude_uv=amplitude_uv,
        )


def lead_of_choice(weights: Sequence[float], current: int) -> int:
    """The first lead that is good enough: devices put the one with the clearest QRS first, which
    a measure of noise cannot tell. With room between leaving and returning, no to and fro."""
    good = [lead for lead, weight in enumerate(weights) if weight >= RETURN_ABOVE]
    if weights[current] >= LEAVE_BELOW:
        return good[0] if good and good[0] < current else current
    if good:
        return good[0]
    best = max(range(len(weights)), key=lambda lead: weights[lead])
    return best if weights[best] > weights[current] + LEAD_SWITCH_MARGIN else current


__all__ = ["QrsDetector", "QrsSettings", "lead_of_choice"]
