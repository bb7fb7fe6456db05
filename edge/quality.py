"""Signal quality, lead by lead and second by second of stream time.

Poor are: no contact, an exactly constant input, an input at its rail, and noise (see
`edge.noise`). Asystole under contact is not: electrodes on skin give some microvolts of noise,
so that only an input constant to the last bit is called flat.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.biquad import butterworth_highpass, butterworth_lowpass, notch
from edge.condition import NOTCH_QUALITY, NYQUIST_MARGIN
from edge.events import LeadQuality, Quality
from edge.kernels.quality import STATE, SUMS, gather
from edge.noise import noise_share
from edge.samples import as_samples, check_stream

NS_PER_S = 1_000_000_000
MEMORY_S = 4  # seconds that the noise measures look back: one beat at least at 15 bpm
OFF_FRACTION = 0.2  # of a second without contact that makes the second lead-off
FLAT_FRACTION = 0.8  # of a second exactly constant
RAIL_S = 0.050  # at the highest or lowest value ever: far longer than the tip of an R wave
RAIL_RANGE_UV = 1000.0  # span of the stream below which a rail cannot be told from rest
NOISY_BELOW = 0.5  # score
MISSING_FRACTION = 0.5  # of a second in gaps that leaves nothing to judge
NAMES = tuple(SUMS.names or ())
SETTLE_S = 1.0  # after a start or a gap the filters still ring: no noise is judged
GAP_REPORT_S = 600  # of a longer gap only its last seconds are reported


class QualityMonitor:
    """Judges one stream; any chunking gives the same verdicts, one a second of stream time.

    mains_hz: 50, 60 or None; hum there is left out of the muscle noise, as the conditioner
    takes it off.
    """

    def __init__(self, rate_hz: float, leads: int, *, mains_hz: float | None = None) -> None:
        check_stream(rate_hz, leads)
        self._rate_hz = rate_hz
        self._leads = leads
        top_hz = NYQUIST_MARGIN * rate_hz
        self._low = butterworth_lowpass(2, 1.0, rate_hz)
        self._band = np.concatenate(
            [butterworth_highpass(2, 5.0, rate_hz), butterworth_lowpass(2, 20.0, rate_hz)]
        )
        self._high = butterworth_highpass(2, min(40.0, top_hz), rate_hz)
        if mains_hz is not None and mains_hz < top_hz:
            self._high = np.concatenate([self._high, notch(mains_hz, NOTCH_QUALITY, rate_hz)])
        self._filters = np.zeros((leads, 3, 2, 2))
        self._states = np.zeros(leads, STATE)
        self._sums = np.zeros(leads, SUMS)
        self._totals = self._sums.view(np.float64).reshape(leads, -1)
        self._past = np.zeros((MEMORY_S, *self._totals.shape))
        self._seconds = 0
        self._settled_at = 0.0
        self._missing = 0
        self._started = False
        self._next = 0
        self._end = 0

    def second_end(self, index: int) -> int:
        """Index at which the second of stream time that holds sample `index` is over."""
        second = math.floor(index / self._rate_hz)
        while math.ceil((second + 1) * self._rate_hz) <= index:
            second += 1
        return math.ceil((second + 1) * self._rate_hz)

    def process(
        self,
        start: int,
        raw_uv: NDArray[np.float32],
        conditioned_uv: NDArray[np.float32],
        lead_off_bits: int = 0,
    ) -> list[Quality]:
        """Verdicts on the seconds that these samples complete.

        start: index of the first sample; must follow the last one given, else ValueError.
        raw_uv, conditioned_uv: (n, leads), microvolts. lead_off_bits: bit k, lead k.
        """
        raw = as_samples(raw_uv, self._leads)
        conditioned = as_samples(conditioned_uv, self._leads)
        if raw.shape != conditioned.shape:
            raise ValueError(f"raw {raw.shape} and conditioned {conditioned.shape} must agree")
        self._expect(start)
        verdicts = []
        taken = 0
        while taken < raw.shape[0]:
            stop = min(taken + self._end - self._next, raw.shape[0])
            self._gather(raw[taken:stop], conditioned[taken:stop], lead_off_bits)
            verdicts += self._advance(stop - taken)
            taken = stop
        return verdicts

    def gap(self, start: int, length: int) -> list[Quality]:
        """Verdicts on the seconds that end in a gap; of a gap above 10 minutes only on the
        last 600 of them. The noise measures begin anew after it."""
        if length < 1:
            return []
        self._expect(start)
        self._past[:] = 0.0
        self._filters[:] = 0.0
        self._states["primed"] = 0
        self._states["run"] = 0
        stop = start + length
        self._settled_at = stop + SETTLE_S * self._rate_hz
        reported = stop - math.ceil(GAP_REPORT_S * self._rate_hz)
        if start < reported:
            self._totals[:] = 0.0
            self._missing = 0
            self._begin(self.second_end(reported))
        verdicts = []
        while self._next < stop:
            count = min(self._end, stop) - self._next
            self._missing += count
            verdicts += self._advance(count)
        return verdicts

    def _expect(self, start: int) -> None:
        if not self._started:
            self._begin(start)
        elif start != self._next:
            raise ValueError(f"samples from {start}, expected {self._next}: call gap() between")

    def _begin(self, index: int) -> None:
        self._started = True
        self._settled_at = max(self._settled_at, index + SETTLE_S * self._rate_hz)
        self._next = index
        self._end = self.second_end(index)

    def _gather(
        self, raw: NDArray[np.float32], conditioned: NDArray[np.float32], lead_off_bits: int
    ) -> None:
        gather(
            raw,
            conditioned,
            lead_off_bits,
            self._low,
            self._band,
            self._high,
            self._filters,
            self._states,
            self._sums,
        )

    def _advance(self, count: int) -> list[Quality]:
        """Move on within the second; the verdict, where that ends it."""
        self._next += count
        if self._next < self._end:
            return []
        settled = self._end - self._rate_hz > self._settled_at - 1.0
        self._past[self._seconds % MEMORY_S] = self._totals if settled else 0.0
        self._seconds += 1
        now, recent = self._totals.tolist(), self._past.sum(axis=0).tolist()
        spans_uv = (self._states["top"] - self._states["bottom"]).tolist()
        lost = self._missing / (self._missing + now[0][0])
        leads = tuple(
            self._judge(_named(now[k]), _named(recent[k]), spans_uv[k])
            if lost <= MISSING_FRACTION
            else LeadQuality(0.0)
            for k in range(self._leads)
        )
        self._totals[:] = 0.0
        self._missing = 0
        self._end = self.second_end(self._next)
        time_ns = math.floor(self._next / self._rate_hz + 1e-9) * NS_PER_S
        return [Quality(time_ns, leads, lost)]

    def _judge(
        self, now: dict[str, float], recent: dict[str, float], span_uv: float
    ) -> LeadQuality:
        off = now["off"] > OFF_FRACTION * now["count"]
        flat = now["still"] >= FLAT_FRACTION * self._rate_hz
        railed = now["rail"] >= max(RAIL_S * self._rate_hz, 4)
        saturated = railed and span_uv >= RAIL_RANGE_UV
        clean = 1.0 - noise_share(recent)
        return LeadQuality(
            score=0.0 if off or flat or saturated else clean,
            lead_off=off,
            flat=flat,
            saturated=saturated,
            noisy=clean < NOISY_BELOW,
        )


def _named(sums: list[float]) -> dict[str, float]:
    return dict(zip(NAMES, sums, strict=True))


__all__ = ["QualityMonitor"]
