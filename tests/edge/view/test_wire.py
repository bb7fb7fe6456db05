"""The binary messages: what is written is read, each sample once, and nonsense is refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.view.reader import BeatsSeen, FeedError, GapSeen, SamplesSeen, read_message
from edge.view.wire import (
    MESSAGE_MAX,
    beat_records,
    document,
    gap_record,
    in_messages,
    sample_records,
    with_dropped,
)

U32 = st.integers(0, 2**32 - 1)


@given(
    count=st.integers(1, 40_000),
    leads=st.integers(1, 3),
    first=st.integers(0, 2**31),
    lead_off=st.integers(0, 7),
)
def test_samples_survive_the_way_each_once(count, leads, first, lead_off):
    samples = (np.arange(count * leads) % 60_000 - 30_000).astype(np.int16).reshape(count, leads)
    messages = in_messages(sample_records(3, 9, first, lead_off, samples), 0.0)
    assert all(len(each) <= MESSAGE_MAX for each in messages)
    read = [record for each in messages for record in read_message(each)]
    assert {(each.patient, each.form, each.lead_off) for each in read} == {(3, 9, lead_off)}
    np.testing.assert_array_equal(np.concatenate([each.samples.T for each in read]), samples)
    ends = [each.first + each.samples.shape[1] for each in read]
    assert [each.first for each in read] == [first, *ends[:-1]]


@given(st.lists(st.tuples(st.floats(0, 1e12), st.sampled_from("NSVFQU")), max_size=3000))
def test_beats_survive_the_way(beats):
    read = [r for each in in_messages(beat_records(1, beats), 0.0) for r in read_message(each)]
    assert [beat for record in read for beat in record.beats] == beats
    assert all(isinstance(record, BeatsSeen) and record.patient == 1 for record in read)


def test_layout_is_the_documented_one():
    samples = np.array([[1, -2], [3, -4]], np.int16)
    records = [*sample_records(5, 6, 7, 2, samples), gap_record(5, 6, 9, 10, "disconnect")]
    records += beat_records(5, [(1234.5, "V")])
    (message,) = in_messages(records, 1.5)
    assert with_dropped(message, 258).hex(" ") == (
        "01 01 03 00 02 01 00 00 00 00 00 00 00 00 f8 3f "
        "01 05 06 02 07 00 00 00 02 00 00 00 02 00 00 00 01 00 03 00 fe ff fc ff "
        "03 05 06 02 09 00 00 00 0a 00 00 00 "
        "02 05 01 00 00 00 00 00 00 00 00 00 00 4a 93 40 56 00"
    )
    assert document("ready") == b'\x01\x02{"type":"ready"}'


def test_gap_is_read_back():
    (message,) = in_messages([gap_record(1, 2, 3, 4, "loss")], 0.0)
    assert read_message(message) == [GapSeen(1, 2, 3, 4)]


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda b: b"\x01\x01" + b))
def test_nonsense_is_refused_in_one_way(message):
    with contextlib.suppress(FeedError):
        read_message(message)


def test_cut_messages_are_refused():
    whole = in_messages(sample_records(0, 0, 0, 0, np.ones((50, 2), np.int16)), 0.0)[0]
    assert isinstance(read_message(whole)[0], SamplesSeen)
    for length in range(2, len(whole)):
        with pytest.raises(FeedError):
            read_message(whole[:length])
