"""The signal as it is shown: the same for any chunking, thinned, gaps in place."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import Signal
from edge.segment import Segment, SegmentSettings
from edge.view.reader import GapSeen, SamplesSeen, read_message
from edge.view.trace import KEPT_S, Trace
from edge.view.wire import BLOCK_BYTES, in_messages
from firmware_bridge.stream import Chunk, Gap, StreamFormat


def ecg(count, leads=2):
    rng = np.random.default_rng(1)
    steps = rng.normal(0, 40, (count, leads)).cumsum(0)
    return (steps + 50_000).astype(np.float32)  # an electrode offset of 50 mV


def shown(trace, form, events):
    """Display index to samples, and the gaps, of events taken one call each."""
    segment = Segment(form, 0, 0, SegmentSettings(), None)
    records = [r for group in events for r in trace.take(group, segment)]
    read = [each for m in in_messages(records, 0.0) for each in read_message(m)]
    samples = {
        each.first + k: tuple(each.samples[:, k])
        for each in read
        if isinstance(each, SamplesSeen)
        for k in range(each.samples.shape[1])
    }
    assert len(samples) == sum(r.samples.shape[1] for r in read if isinstance(r, SamplesSeen))
    return samples, [each for each in read if isinstance(each, GapSeen)]


def chunks(form, samples, cuts, start=0):
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(samples)}), len(samples)]
    return [Chunk(form, start + a, samples[a:b], 0) for a, b in itertools.pairwise(edges) if b > a]


@settings(max_examples=25)
@given(
    rate_hz=st.sampled_from([130.0, 250.0, 360.0, 512.0, 1000.0]),
    cuts=st.lists(st.integers(1, 1999), max_size=30),
    together=st.booleans(),
)
def test_any_chunking_shows_the_same(rate_hz, cuts, together):
    form = StreamFormat(rate_hz, ("I", "II"))
    samples = ecg(2000)
    whole, _ = shown(Trace(0, Signal()), form, [chunks(form, samples, [])])
    parts = chunks(form, samples, cuts)
    groups = [parts] if together else [[each] for each in parts]
    assert shown(Trace(0, Signal()), form, groups)[0] == whole
    factor = max(1, int(rate_hz // 250))
    assert sorted(whole) == list(range(-(-2000 // factor)))


@pytest.mark.parametrize("length", [1, 40, 500])
def test_gap_is_told_and_nothing_is_invented(length):
    form = StreamFormat(500.0, ("I", "II"))
    events = [
        [*chunks(form, ecg(1000), []), Gap(form, 1000, length, "loss")],
        chunks(form, ecg(1000), [], start=1000 + length),
    ]
    samples, gaps = shown(Trace(0, Signal()), form, events)
    missing = {k for gap in gaps for k in range(gap.first, gap.first + gap.count)}
    assert missing == {k for k in range(1000) if 1000 <= 2 * k < 1000 + length}
    assert missing.isdisjoint(samples)
    assert set(samples) | missing == set(range(-(-(2000 + length) // 2)))


def test_offset_of_the_electrodes_is_not_shown():
    form = StreamFormat(250.0, ("I",))
    samples, _ = shown(Trace(0, Signal()), form, [chunks(form, ecg(500, 1) * 6, [])])
    assert abs(samples[0][0]) < 100


def test_half_a_minute_is_kept():
    form = StreamFormat(250.0, ("I",))
    trace = Trace(0, Signal())
    shown(trace, form, [chunks(form, ecg(25_000, 1), range(0, 25_000, 25))])
    read = [each for m in in_messages(trace.recent, 0.0) for each in read_message(m)]
    kept = sum(each.samples.shape[1] for each in read)
    assert KEPT_S * 250 <= kept < KEPT_S * 250 + BLOCK_BYTES / 2


def test_another_format_begins_anew():
    trace = Trace(0, Signal())
    for number, rate_hz in enumerate((250.0, 500.0)):
        form = StreamFormat(rate_hz, ("I",))
        shown(trace, form, [chunks(form, ecg(1000, 1), [])])
        assert (trace.format.number, trace.format.rate_hz) == (number, 250.0)
        assert trace.format.leads == ("I",)
