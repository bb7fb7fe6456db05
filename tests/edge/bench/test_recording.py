"""Signals taken down once and played often."""

import pytest

from edge.bench.recording import at_once, record, staggered
from edge.clock import SystemClock
from edge.errors import SourceFailedError
from firmware_bridge.errors import SourceError


@pytest.mark.parametrize(
    ("uri", "fast"),
    [
        ("sim:", True),
        ("sim:?scenario=af", True),
        ("replay:/some/record", True),
        ("sim:?speed=2", False),
        ("replay:/some/record?via=serial", False),
        ("ble://AA:BB:CC:DD:EE:FF?device=polar_h10", False),
    ],
)
def test_what_can_be_read_at_once(uri, fast):
    assert at_once(uri) is fast


def test_a_recording_is_what_the_source_sent():
    recording = record("sim:?scenario=af&leads=2&seed=7", 30.0, SystemClock())
    facts = recording.facts
    assert (facts.rate_hz, facts.leads, facts.packet_interval_ms) == (250.0, 2, 100.0)
    assert 30.0 <= facts.seconds <= 30.2
    assert facts.uri == "sim:?scenario=af&leads=2&seed=7"
    source = recording.source()
    decoded = [frame for packet in recording.packets() for frame in source.decoder.push(packet)]
    assert sum(len(frame.samples_uv) for frame in decoded) == recording.samples
    assert source.decoder.count.skipped_bytes == 0


def test_staggered_packets_come_later_and_are_the_same():
    items = record("sim:", 1.0, SystemClock()).items
    later = list(staggered(items, 5))
    assert [item.due_ns + 5 for item in items] == [item.due_ns for item in later]
    assert [item.data for item in items] == [item.data for item in later]


def test_a_source_that_ends_early_is_played_as_far_as_it_goes():
    assert record("sim:?duration_s=5", 60.0, SystemClock()).seconds == pytest.approx(5.0, abs=0.2)


def test_a_source_without_signal_is_refused_by_name():
    with pytest.raises(SourceFailedError, match="no signal to measure with"):
        record("sim:?duration_s=0.15", 10.0, SystemClock())


def test_a_source_that_cannot_be_had_is_refused():
    with pytest.raises(SourceError, match="/no/such/record"):
        record("replay:/no/such/record", 10.0, SystemClock())
