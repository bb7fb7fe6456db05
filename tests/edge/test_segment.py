"""Samples are held until they can complete an observation, and no longer."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundles import Bundles
from edge.segment import Segment, SegmentSettings
from firmware_bridge.stream import NS_PER_S, Chunk, Gap, StreamFormat
from tests.edge.synthetic_ecg import ecg, regular

RATE_HZ = 250.0
FORMAT = StreamFormat(RATE_HZ, ("I",))
SECONDS = 12.0


@pytest.fixture(scope="module", params=["tcn-s", "none"])
def networks(request):
    return lambda: Bundles("cpu").encoder_for(request.param)(FORMAT)


@pytest.fixture(scope="module")
def samples():
    return ecg(regular(75, SECONDS), SECONDS, RATE_HZ)


def pushed(segment, samples, step):
    """(samples pushed so far, what came out) of every push that brought something forth."""
    for start in range(0, len(samples), step):
        piece = samples[start : start + step].copy()
        observed = segment.push(Chunk(FORMAT, start, piece, 0))
        piece[:] = np.nan  # whoever pushed may use its memory again
        if observed:
            yield start + step, observed


def new(networks):
    return Segment(FORMAT, 0, 0, SegmentSettings(), networks())


def known_ns(observed):
    for name in ("detected_ns", "known_ns", "time_ns"):
        if hasattr(observed, name):
            return getattr(observed, name)
    raise AssertionError(observed)


def test_everything_comes_out_with_the_sample_that_completes_it(networks, samples):
    told = list(pushed(new(networks), samples, 1))
    assert len(told) >= SECONDS
    for count, observed in told:
        for each in observed:
            assert known_ns(each) <= count * NS_PER_S / RATE_HZ + 1
    last = [max(map(known_ns, observed)) for _, observed in told]
    late = [count - at * RATE_HZ / NS_PER_S for (count, _), at in zip(told, last, strict=True)]
    assert max(late) < 1.5


@pytest.mark.parametrize("step", [7, 25, 250, 3000])
def test_any_step_gives_the_same(networks, samples, step):
    plain = [each for _, observed in pushed(new(networks), samples, 1) for each in observed]
    assert [e for _, observed in pushed(new(networks), samples, step) for e in observed] == plain


def test_time_is_that_of_the_newest_sample_held(networks, samples):
    segment = new(networks)
    for start in range(0, 1000, 10):
        segment.push(Chunk(FORMAT, start, samples[start : start + 10], 0))
        assert segment.stop_time_ns == round((start + 10) / RATE_HZ * NS_PER_S)


def test_what_is_held_is_analysed_before_a_gap_and_at_the_end(networks, samples):
    whole, broken = new(networks), new(networks)
    cut = 1130  # in the middle of a second
    for segment in (whole, broken):
        segment.push(Chunk(FORMAT, 0, samples[:1000], 0))
        segment.push(Chunk(FORMAT, 1000, samples[1000:cut], 0))
    ended = whole.finish()
    after_gap = broken.gap(Gap(FORMAT, cut, 400, "loss"))
    beats = [each for each in ended if hasattr(each, "rr_ms")]
    assert [each for each in after_gap if hasattr(each, "rr_ms")] == beats
    if whole.encoder:
        assert beats
