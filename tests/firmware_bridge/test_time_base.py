"""Hours of a device whose clock drifts, over a link that delays: is host time still true?"""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.stream import NS_PER_S, Chunk, Frame, StreamFormat
from firmware_bridge.timeline import Timeline
from tests.patience import FULL

HOURS = 24 if FULL else 6
RATE_HZ = 130.0
SAMPLES = 130
JITTER_NS = 100_000_000
LATENCY_NS = 30_000_000
"""What every packet needs: no clock can tell it from an offset."""
SETTLED_NS = 60 * NS_PER_S
"""The drift is not known before a minute has passed."""
WITHIN_NS = 20_000_000
FORMAT = StreamFormat(RATE_HZ, ("ECG",))
UV = np.zeros((SAMPLES, 1), np.float32)


def frame(k: int, has_clock: bool) -> Frame:
    """The k-th of a device that has a clock, or else counts its samples."""
    if has_clock:
        return Frame(FORMAT, UV, device_time_ns=round(k * SAMPLES * NS_PER_S / RATE_HZ))
    return Frame(FORMAT, UV, counter=k * SAMPLES % 2**16, counter_modulus=2**16)


@pytest.mark.parametrize(("drift_ppm", "has_clock"), [(100.0, True), (-100.0, False)])
def test_time_base_stays_true(drift_ppm: float, has_clock: bool) -> None:
    period_ns = NS_PER_S / RATE_HZ / (1 + drift_ppm * 1e-6)
    frames = round(HOURS * 3600 * RATE_HZ / SAMPLES)
    delays_ns = np.random.default_rng(1).integers(0, JITTER_NS, frames).tolist()
    timeline, arrived_ns, worst_ns = Timeline(), 0, 0.0
    for k in range(frames):
        sent_ns = round((k + 1) * SAMPLES * period_ns)
        arrived_ns = max(arrived_ns, sent_ns + LATENCY_NS + delays_ns[k])
        (chunk,) = timeline.push(frame(k, has_clock), arrived_ns)
        assert isinstance(chunk, Chunk)
        true_ns = chunk.start * period_ns
        if true_ns > SETTLED_NS:
            worst_ns = max(worst_ns, abs(chunk.host_time_ns - LATENCY_NS - true_ns))
    assert worst_ns < WITHIN_NS
    assert timeline.count.drift_ppm == pytest.approx(drift_ppm, abs=25)
    assert timeline.count.delivered == frames * SAMPLES
