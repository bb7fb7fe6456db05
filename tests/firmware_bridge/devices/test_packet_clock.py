"""Stamps in whole milliseconds: no false gap, no lost one, at any rate."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices.packet_clock import PacketClock
from firmware_bridge.stream import Chunk, Frame, Gap, StreamFormat, TimelineEvent
from firmware_bridge.timeline import Timeline

RATES_HZ = (100, 125, 128, 200, 250, 256, 500, 512)
SAMPLES = 16
DAYS_49_7_MS = 1 << 32


def run(rate_hz: int, stamps_ms: Iterable[int]) -> tuple[Timeline, list[TimelineEvent]]:
    """Packets of 16 samples with these stamps through the clock and the timeline."""
    clock, timeline = PacketClock(rate_hz), Timeline()
    form = StreamFormat(float(rate_hz), ("ECG",))
    uv = np.zeros((SAMPLES, 1), np.float32)
    events: list[TimelineEvent] = []
    for k, stamp_ms in enumerate(stamps_ms):
        frame = Frame(form, uv, device_time_ns=clock.first_ns(stamp_ms % DAYS_49_7_MS, SAMPLES))
        events += timeline.push(frame, round(k * SAMPLES / rate_hz * 1e9))
    return timeline, events + timeline.flush()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@given(
    start_ms=st.integers(0, DAYS_49_7_MS - 1) | st.just(DAYS_49_7_MS - 20_000),
    phase_ms=st.floats(0, 1),
    deviation=st.floats(-0.01, 0.01),
    jitter_ms=st.integers(0, 3),
    seed=st.integers(0, 999),
)
@settings(max_examples=4, deadline=None)
def test_an_intact_stream_has_no_gap_and_no_duplicate(
    rate_hz: int, start_ms: int, phase_ms: float, deviation: float, jitter_ms: int, seed: int
) -> None:
    packets = 2 * 60 * rate_hz // SAMPLES
    jitter = np.random.default_rng(seed).integers(-jitter_ms, jitter_ms + 1, packets)
    period_ms = 1e3 / rate_hz * (1 + deviation)
    true_ms = start_ms + 5 + phase_ms + np.arange(packets) * SAMPLES * period_ms
    timeline, _ = run(rate_hz, (np.floor(true_ms).astype(int) + jitter).tolist())
    assert (timeline.count.gap, timeline.count.duplicate, timeline.count.late) == (0, 0, 0)
    assert timeline.count.delivered == timeline.count.span == packets * SAMPLES


@given(
    rate_hz=st.sampled_from(RATES_HZ),
    phase_ms=st.floats(0, 1),
    deviation=st.floats(-200e-6, 200e-6),
    lost=st.sets(st.integers(1, 298), max_size=120),
)
@settings(max_examples=40, deadline=None)
def test_lost_packets_leave_gaps_of_exactly_their_samples(
    rate_hz: int, phase_ms: float, deviation: float, lost: set[int]
) -> None:
    kept = [k for k in range(300) if k not in lost]
    period_ms = 1e3 / rate_hz * (1 + deviation)
    timeline, events = run(rate_hz, [int(phase_ms + k * SAMPLES * period_ms) for k in kept])
    missing = {
        sample // SAMPLES
        for event in events
        if isinstance(event, Gap)
        for sample in range(event.start, event.start + event.length)
    }
    assert missing == lost
    assert timeline.count.gap == len(lost) * SAMPLES
    starts = [event.start for event in events if isinstance(event, Chunk)]
    assert starts == [k * SAMPLES for k in kept]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_repeated_packet_is_a_duplicate(rate_hz: int) -> None:
    step_ms = SAMPLES * 1e3 / rate_hz
    stamps = [int(k * step_ms) for k in (0, 1, 2, 3, 3, 4, 5)]
    timeline, _ = run(rate_hz, stamps)
    assert timeline.count.duplicate == SAMPLES
    assert timeline.count.gap == 0
    assert timeline.count.delivered == 6 * SAMPLES


def test_times_follow_the_stamps_within_a_millisecond() -> None:
    clock = PacketClock(512)
    errors_ms = [
        clock.first_ns(int(k * 31.25 * 1.0001), 16) / 1e6 - k * 31.25 * 1.0001
        for k in range(20_000)
    ]
    assert max(map(abs, errors_ms)) <= 1.0


def test_a_clock_that_began_anew_is_taken_as_it_is() -> None:
    clock = PacketClock(250)
    clock.first_ns(500_000, 16)
    assert clock.first_ns(1_000, 16) == 1_000_000_000
    assert clock.first_ns(1_064, 16) == 1_064_000_000


def test_reset_takes_the_next_stamp_as_it_is() -> None:
    clock = PacketClock(512)
    clock.first_ns(1_000, 16)
    clock.first_ns(1_031, 16)
    clock.reset()
    assert clock.first_ns(1_061, 16) == 1_061_000_000
