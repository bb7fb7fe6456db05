"""Signal quality, lead by lead and second by second of stream time.

Poor are: no contact, an exactly constant input, an input at its rail, and noise (see
`edge.kernels.noise`). Asystole under contact is not: electrodes on skin give some microvolts of
noise, so that only an input constant to the last bit is called flat.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.biquad import Sections, at_rest, butterworth_highpass, butterworth_lowpass, notch
from edge.condition import NOTCH_QUALITY, NYQUIST_MARGIN
from edge.events import LeadQuality, Quality
from edge.kernels.quality import end_second, gather
from edge.kernels.quality_state import COUNT, MEASURES, MEMORY_S, STATE
from edge.samples import as_samples, check_stream

NS_PER_S = 1_000_000_000
OFF_FRACTION = 0.2  # of a second without contact that makes the second lead-off
FLAT_FRACTION = 0.8  # of a second exactly constant
RAIL_S = 0.050  # at the highest or lowest value ever: far longer than the tip of an R wave
RAIL_RANGE_UV = 1000.0  # span of the stream below which a rail cannot be told from rest
NOISY_BELOW = 0.5  # score
MISSING_FRACTION = 0.5  # of a second in gaps that leaves nothing to judge
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
        self._states = np.zeros(leads, STATE)
        self._states["filters"] = at_rest(_design(rate_hz, mains_hz))
        self._measures = np.zeros((leads, MEASURES))
        self.slot = 0
        """Where the kernel gathers the second that has begun."""
        self._settled_at = 0.0
        self._missing = 0
        self._started = False
        self._next = 0
        self._end = 0

    def second_end(self, index: int) -> int:
        """Index at which the second of stream time that holds sample `index` is over."""
        if self._started and self._next <= index < self._end:
            return self._end
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
        self.expect(start)
        verdicts: list[Quality] = []
        taken = 0
        while taken < raw.shape[0]:
            stop = min(taken + self.expect(start + taken), raw.shape[0])
            samples = raw[taken:stop], conditioned[taken:stop]
            gather(*samples, lead_off_bits, *self.memory, self.slot)
            verdicts += self.advance(stop - taken)
            taken = stop
        return verdicts

    @property
    def memory(self) -> tuple[NDArray[np.void]]:
        """What the kernel `gather` works with."""
        return (self._states,)

    def expect(self, start: int) -> int:
        """Before the kernel takes samples: how many are left of the second, and at most to be
        given. ValueError where `start` does not follow the last one taken."""
        if not self._started:
            self._begin(start)
        elif start != self._next:
            raise ValueError(f"samples from {start}, expected {self._next}: call gap() between")
        return self._end - self._next

    def advance(self, count: int) -> list[Quality]:
        """After the kernel has taken `count` samples: the verdict, where they end the second."""
        self._next += count
        return [self._verdict()] if self._next >= self._end else []

    def gap(self, start: int, length: int) -> list[Quality]:
        """Verdicts on the seconds that end in a gap; of a gap above 10 minutes only on the
        last 600 of them. The noise measures begin anew after it."""
        if length < 1:
            return []
        self.expect(start)
        self._forget()
        stop = start + length
        self._settled_at = stop + SETTLE_S * self._rate_hz
        reported = stop - math.ceil(GAP_REPORT_S * self._rate_hz)
        if start < reported:
            self._states["seconds"] = 0.0
            self._missing = 0
            self._begin(self.second_end(reported))
        verdicts = []
        while self._next < stop:
            count = min(self._end, stop) - self._next
            self._missing += count
            verdicts += self.advance(count)
        return verdicts

    def _forget(self) -> None:
        """Clear what depends on the samples before, but for the second that has begun."""
        self._states["filters"][:, :, 5:] = 0.0
        for name in ("primed", "run"):
            self._states[name] = 0
        others = np.arange(MEMORY_S) != self.slot
        self._states["seconds"][:, others] = 0.0

    def _begin(self, index: int) -> None:
        self._started = True
        self._settled_at = max(self._settled_at, index + SETTLE_S * self._rate_hz)
        self._next = index
        self._end = self.second_end(index)

    def _verdict(self) -> Quality:
        """On the second that is over; the next begins."""
        is_settled = self._end - self._rate_hz > self._settled_at - 1.0
        end_second(self._states, self.slot, is_settled, self._measures)
        self.slot = (self.slot + 1) % MEMORY_S
        measures = self._measures.tolist()
        lost = self._missing / (self._missing + measures[0][COUNT])
        if lost <= MISSING_FRACTION:
            leads = tuple(self._judge(*each) for each in measures)
        else:
            leads = (LeadQuality(0.0),) * self._leads
        self._missing = 0
        self._end = self.second_end(self._next)
        time_ns = math.floor(self._next / self._rate_hz + 1e-9) * NS_PER_S
        return Quality(time_ns, leads, lost)

    def _judge(
        self, count: float, off: float, still: float, rail: float, span_uv: float, noise: float
    ) -> LeadQuality:
        """Of the measures of `edge.kernels.quality_state`, in their order."""
        lead_off = off > OFF_FRACTION * count
        flat = still >= FLAT_FRACTION * self._rate_hz
        railed = rail >= max(RAIL_S * self._rate_hz, 4)
        saturated = railed and span_uv >= RAIL_RANGE_UV
        clean = 1.0 - noise
        return LeadQuality(
            score=0.0 if lead_off or flat or saturated else clean,
            lead_off=lead_off,
            flat=flat,
            saturated=saturated,
            noisy=clean < NOISY_BELOW,
        )


def _design(rate_hz: float, mains_hz: float | None) -> Sections:
    """Below 1 Hz, 5 to 20 Hz, and above 40 Hz without the mains: rows as `gather` takes them."""
    as_it_is = np.array([(1.0, 0.0, 0.0, 0.0, 0.0)])
    top_hz = NYQUIST_MARGIN * rate_hz
    hum_hz = mains_hz if mains_hz is not None and mains_hz < top_hz else None
    parts = [
        butterworth_lowpass(2, 1.0, rate_hz),
        butterworth_highpass(2, 5.0, rate_hz),
        butterworth_lowpass(2, 20.0, rate_hz),
        butterworth_highpass(2, min(40.0, top_hz), rate_hz),
        notch(hum_hz, NOTCH_QUALITY, rate_hz) if hum_hz else as_it_is,
    ]
    return np.concatenate(parts)


__all__ = ["QualityMonitor"]
