"""The timeline: each sample once, in its place, and every lost one counted.

Every frame made here carries its true place: lead 0 holds the sample's index since the
device's start, lead 1 the number of that start.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import astuple, replace

from firmware_bridge.stream import (
    NS_PER_S,
    Chunk,
    FormatChange,
    Frame,
    Gap,
    StreamFormat,
    TimelineEvent,
)
from firmware_bridge.timeline import Timeline

RATE_HZ = 250.0
PERIOD_NS = 4_000_000
SIZE = 25
FRAME_NS = SIZE * PERIOD_NS
FORMAT = StreamFormat(RATE_HZ, ("index", "boot"))


def frame(
    index: int,
    *,
    boot: int = 0,
    samples: int = SIZE,
    modulus: int = 2**32,
    first_counter: int = 0,
    kind: str = "counter",
    tells_boot: bool = True,
) -> Frame:
    """The frame of samples `index` on; kind: counter (and clock), counter only, clock, none."""
    values = np.empty((samples, 2), np.float32)
    values[:, 0], values[:, 1] = np.arange(index, index + samples), boot
    counter = (first_counter + index) % modulus if kind.startswith("counter") else None
    return Frame(
        FORMAT,
        values,
        counter=counter,
        counter_modulus=modulus,
        device_time_ns=index * PERIOD_NS if kind in ("counter", "clock") else None,
        boot_id=boot if tells_boot else None,
    )


def arrival_ns(index: int, samples: int = SIZE) -> int:
    """When a frame arrives that is sent at once."""
    return (index + samples) * PERIOD_NS


def push_all(timeline: Timeline, frames: list[Frame]) -> list[TimelineEvent]:
    """Each frame at the time its samples say, then the end of the stream."""
    events: list[TimelineEvent] = []
    for each in frames:
        index = int(each.samples_uv[0, 0])
        events += timeline.push(each, arrival_ns(index, each.samples_uv.shape[0]))
        assert_conserved(timeline)
    events += timeline.flush()
    assert_conserved(timeline)
    assert timeline.count.pending == 0
    return events


def assert_conserved(timeline: Timeline) -> None:
    c = timeline.count
    assert c.received == c.delivered + c.duplicate + c.late + c.bad + c.pending
    assert c.span == c.delivered + c.gap
    assert min(c.duplicate, c.late, c.bad, c.pending, c.gap) >= 0


def chunks(events: list[TimelineEvent]) -> list[Chunk]:
    return [event for event in events if isinstance(event, Chunk)]


def gaps(events: list[TimelineEvent]) -> list[tuple[int, int, str]]:
    return [(e.start, e.length, e.cause) for e in events if isinstance(e, Gap)]


def assert_tiles(events: list[TimelineEvent], start: int = 0) -> int:
    """Chunks and gaps follow each other without hole or overlap; returns where they end."""
    for event in events:
        assert event.start == start
        if isinstance(event, Chunk):
            start = event.stop
        elif isinstance(event, Gap):
            assert event.length > 0
            start += event.length
    return start


# -- order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["counter", "counter only", "clock", "none"])
def test_frames_in_order_pass_at_once(kind: str) -> None:
    timeline = Timeline()
    for index in range(0, 500, SIZE):
        (event,) = timeline.push(frame(index, kind=kind), arrival_ns(index))
        assert isinstance(event, Chunk)
        assert (event.start, event.stop) == (index, index + SIZE)
        assert event.host_time_ns == index * PERIOD_NS
    assert timeline.flush() == []


@pytest.mark.parametrize("first_counter", [0, 2**32 - 60, 2**16 - 60])
@pytest.mark.parametrize("modulus", [2**16, 2**32])
def test_frames_out_of_order_are_put_right_across_the_wrap(
    first_counter: int, modulus: int
) -> None:
    order = [0, 3, 1, 2, 5, 4, 6, 14, 13, 12, 11, 10, 9, 8, 7]
    sent = [frame(k * SIZE, modulus=modulus, first_counter=first_counter) for k in order]
    timeline = Timeline(reorder_frames=8)
    events = push_all(timeline, sent)
    assert gaps(events) == []
    assert [c.start for c in chunks(events)] == [k * SIZE for k in range(15)]
    assert all(c.samples_uv[0, 0] == c.start for c in chunks(events))


def test_a_missing_frame_is_lost_once_the_window_is_full_and_not_before() -> None:
    timeline = Timeline(reorder_frames=3)
    timeline.push(frame(0), 0)
    assert timeline.push(frame(50), 0) == []
    assert timeline.push(frame(75), 0) == []
    assert timeline.count.pending == 50
    events = timeline.push(frame(100), 0)
    assert gaps(events) == [(25, 25, "loss")]
    assert [c.start for c in chunks(events)] == [50, 75, 100]
    assert timeline.push(frame(25), 0) == []
    assert timeline.count.late == 25


def test_without_a_window_a_loss_is_told_at_once() -> None:
    timeline = Timeline(reorder_frames=0)
    timeline.push(frame(0), 0)
    events = timeline.push(frame(100), 0)
    assert gaps(events) == [(25, 75, "loss")]
    assert_tiles(events, 25)


def test_a_negative_window_is_refused() -> None:
    with pytest.raises(ValueError, match="reorder_frames"):
        Timeline(reorder_frames=-1)


def test_duplicates_whole_waiting_and_in_part_are_counted() -> None:
    timeline = Timeline()
    events = push_all(
        timeline,
        [
            frame(0),
            frame(0),
            frame(50),
            frame(50),
            frame(10),  # samples 10 to 34: the first 15 are known
            frame(25),  # samples 25 to 49: the first 10 are known
        ],
    )
    assert assert_tiles(events) == 75
    assert [c.start for c in chunks(events)] == [0, 25, 35, 50]
    assert [int(c.samples_uv[0, 0]) for c in chunks(events)] == [0, 25, 35, 50]
    assert timeline.count.duplicate == 25 + 25 + 15 + 10


def test_the_new_part_of_a_frame_keeps_its_own_times() -> None:
    timeline = Timeline()
    timeline.push(frame(0), arrival_ns(0))
    (chunk,) = chunks(timeline.push(frame(10), arrival_ns(10)))
    assert (chunk.start, chunk.samples_uv.shape) == (25, (10, 2))
    assert chunk.host_time_ns == chunk.device_time_ns == 25 * PERIOD_NS


def test_a_frame_that_waits_twice_fills_one_place_of_the_window() -> None:
    timeline = Timeline(reorder_frames=3)
    timeline.push(frame(0), 0)
    assert [timeline.push(frame(50), 0) for _ in range(5)] == [[]] * 5
    assert (timeline.count.pending, timeline.count.duplicate) == (25, 100)


def test_what_came_before_the_first_frame_is_late() -> None:
    timeline = Timeline()
    push_all(timeline, [frame(100), frame(75), frame(125)])
    assert (timeline.count.late, timeline.count.duplicate) == (25, 0)


# -- gaps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["counter", "counter only", "clock"])
def test_a_gap_has_its_true_length(kind: str) -> None:
    timeline = Timeline()
    events = push_all(timeline, [frame(0, kind=kind), frame(1000, kind=kind)])
    assert gaps(events) == [(25, 975, "loss")]


def test_the_clock_tells_how_often_a_small_counter_wrapped() -> None:
    timeline = Timeline()
    sent = [frame(0, modulus=256), frame(25, modulus=256), frame(10_000, modulus=256)]
    events = push_all(timeline, sent)
    assert gaps(events) == [(50, 9950, "loss")]


@pytest.mark.parametrize("kind", ["counter", "counter only", "clock", "none"])
def test_a_lost_link_leaves_a_gap_of_the_true_length(kind: str) -> None:
    timeline = Timeline()
    timeline.push(frame(0, kind=kind), arrival_ns(0))
    assert timeline.disconnected(arrival_ns(0) + 1) == []
    events = timeline.push(frame(5000, kind=kind), arrival_ns(5000))
    assert gaps(events) == [(25, 4975, "disconnect")]
    assert gaps(timeline.push(frame(5025, kind=kind), arrival_ns(5025))) == []
    later = gaps([*timeline.push(frame(5100, kind=kind), arrival_ns(5100)), *timeline.flush()])
    assert later == ([] if kind == "none" else [(5050, 50, "loss")])
    assert timeline.count.reboots == 0


def test_a_lost_link_tells_how_often_a_clockless_counter_wrapped() -> None:
    timeline = Timeline()
    timeline.push(frame(0, kind="counter only", modulus=256), arrival_ns(0))
    timeline.disconnected(arrival_ns(0))
    late_ns = 12 * PERIOD_NS  # a delay that the counter corrects
    sent = frame(5000, kind="counter only", modulus=256)
    events = timeline.push(sent, arrival_ns(5000) + late_ns)
    assert gaps(events) == [(25, 4975, "disconnect")]


def test_a_lost_link_releases_what_waits() -> None:
    timeline = Timeline()
    timeline.push(frame(0), arrival_ns(0))
    timeline.push(frame(50), arrival_ns(50))
    events = timeline.disconnected(arrival_ns(75))
    assert gaps(events) == [(25, 25, "loss")]
    assert assert_tiles(events, 25) == 75


def test_a_frame_read_before_the_break_is_not_taken_for_the_new_link() -> None:
    timeline = Timeline()
    timeline.push(frame(0), arrival_ns(0))
    timeline.disconnected(arrival_ns(100))
    assert gaps(timeline.push(frame(25), arrival_ns(25))) == []
    events = timeline.push(frame(1000), arrival_ns(1000))
    assert gaps(events) == [(50, 950, "disconnect")]


def test_a_clock_set_back_by_a_break_leaves_the_turns_of_the_counter_to_the_host() -> None:
    timeline = Timeline()
    before, after = (frame(k, modulus=256, tells_boot=False) for k in (0, 1775))
    timeline.push(replace(before, device_time_ns=60 * NS_PER_S), arrival_ns(0))
    timeline.disconnected(5 * NS_PER_S)
    timeline.push(replace(after, device_time_ns=NS_PER_S), arrival_ns(1775))
    assert timeline.count.gap == 1750


def test_a_break_before_the_first_frame_is_nothing() -> None:
    timeline = Timeline()
    assert timeline.disconnected(5) == []
    assert gaps(timeline.push(frame(700), arrival_ns(700))) == []


# -- restarts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("breaks", [False, True])
def test_another_boot_leaves_a_gap_by_the_hosts_clock(breaks: bool) -> None:
    timeline = Timeline()
    timeline.push(frame(1000), arrival_ns(1000))
    if breaks:
        timeline.disconnected(arrival_ns(1000))
    back_ns = arrival_ns(1000) + 2 * NS_PER_S + FRAME_NS
    events = timeline.push(frame(0, boot=1), back_ns)
    assert gaps(events) == [(25, 500, "disconnect" if breaks else "reboot")]
    events += timeline.push(frame(25, boot=1), back_ns + FRAME_NS)
    assert [c.start for c in chunks(events)] == [525, 550]
    assert timeline.count.reboots == 1
    assert_conserved(timeline)


def test_a_late_frame_of_the_former_boot_is_no_reboot() -> None:
    timeline = Timeline()
    for each in (frame(1000), frame(1050), frame(0, boot=1), frame(1025), frame(25, boot=1)):
        timeline.push(each, arrival_ns(1100))
        assert_conserved(timeline)
    assert (timeline.count.reboots, timeline.count.late) == (1, 25)


@pytest.mark.parametrize("kind", ["counter", "counter only", "clock"])
def test_a_silent_restart_is_believed_on_the_second_frame(kind: str) -> None:
    timeline = Timeline()
    timeline.push(frame(100_000, kind=kind, tells_boot=False), 0)
    held = timeline.push(frame(0, kind=kind, boot=1, tells_boot=False), NS_PER_S)
    assert (held, timeline.count.pending) == ([], SIZE)
    events = timeline.push(frame(25, kind=kind, boot=1, tells_boot=False), NS_PER_S + FRAME_NS)
    assert gaps(events) == [(25, 225, "reboot")]
    assert [int(c.samples_uv[0, 0]) for c in chunks(events)] == [0, 25]
    assert timeline.count.reboots == 1
    assert_conserved(timeline)


def test_one_frame_from_long_ago_is_late_and_no_restart() -> None:
    timeline = Timeline()
    sent = [frame(100_000), frame(0), frame(100_025), frame(100_050)]
    assert gaps(push_all(timeline, sent)) == []
    assert (timeline.count.late, timeline.count.reboots) == (25, 0)


def test_one_frame_from_days_ahead_is_bad_and_makes_no_gap() -> None:
    timeline = Timeline()
    timeline.push(frame(0), arrival_ns(0))
    timeline.push(replace(frame(25), counter=2**31), arrival_ns(25))
    events = timeline.push(frame(25), arrival_ns(50))
    assert [c.start for c in chunks(events)] == [25]
    assert (timeline.count.bad, timeline.count.gap) == (25, 0)


def test_a_gap_of_hours_counts_where_the_host_saw_them_pass() -> None:
    timeline = Timeline()
    index = 5 * 3600 * 250
    timeline.push(frame(0), arrival_ns(0))
    timeline.disconnected(arrival_ns(0))
    values = replace(frame(0), counter=index, device_time_ns=index * PERIOD_NS)
    events = timeline.push(values, arrival_ns(index))
    assert gaps(events) == [(25, index - 25, "disconnect")]


def test_a_device_whose_clock_restarts_with_the_link_goes_on() -> None:
    timeline = Timeline()
    timeline.push(frame(1000, kind="clock", tells_boot=False), arrival_ns(0))
    timeline.disconnected(arrival_ns(0))
    sent = frame(990, kind="clock", tells_boot=False)
    events = timeline.push(sent, arrival_ns(0) + NS_PER_S + FRAME_NS)
    assert gaps(events) == [(25, 250, "disconnect")]


@pytest.mark.parametrize("percent", [-3, -1, 1, 3])
def test_a_device_off_its_nominal_rate_loses_nothing(percent: int) -> None:
    timeline = Timeline()
    step_ns = FRAME_NS * (100 + percent) // 100
    for k in range(50):
        sent = replace(frame(k * SIZE, kind="clock"), device_time_ns=k * step_ns)
        assert gaps(timeline.push(sent, (k + 1) * step_ns)) == []
    assert timeline.count.delivered == 50 * SIZE
    lost = replace(frame(0, kind="clock"), device_time_ns=51 * step_ns)
    assert gaps(timeline.push(lost, 52 * step_ns)) == [(1250, round(SIZE + percent / 2), "loss")]


def test_repeated_and_older_device_times_are_dropped() -> None:
    timeline = Timeline()
    events = push_all(timeline, [frame(k, kind="clock") for k in (0, 25, 25, 0, 50)])
    assert [c.start for c in chunks(events)] == [0, 25, 50]
    assert timeline.count.duplicate == 50


# -- formats and unsound frames ---------------------------------------------------------------


def test_another_format_is_told_and_the_axis_goes_on() -> None:
    timeline = Timeline()
    other = StreamFormat(500.0, ("I",))
    events = timeline.push(frame(0), 0)
    changed = Frame(other, np.zeros((10, 1), np.float32), counter=0, boot_id=0, device_time_ns=0)
    events += timeline.push(changed, 0)
    assert [type(e) for e in events] == [Chunk, FormatChange, Chunk]
    assert events[1] == FormatChange(25, other)
    assert assert_tiles(events) == 35
    assert (timeline.count.format_changes, timeline.count.reboots) == (1, 0)


@pytest.mark.parametrize(
    "unsound",
    [
        replace(frame(25), format=StreamFormat(RATE_HZ, ("I",))),
        replace(frame(25), format=StreamFormat(0.0, FORMAT.leads)),
        replace(frame(25), format=StreamFormat(float("nan"), FORMAT.leads)),
        replace(frame(25), counter=2**32),
    ],
)
def test_frames_that_contradict_themselves_are_bad(unsound: Frame) -> None:
    timeline = Timeline()
    timeline.push(frame(0), 0)
    assert timeline.push(unsound, 0) == []
    assert timeline.count.bad == SIZE
    assert len(timeline.push(frame(25), 0)) == 1
    assert_conserved(timeline)


def test_a_frame_without_samples_is_nothing() -> None:
    timeline = Timeline()
    assert timeline.push(frame(0, samples=0), 0) == []
    assert timeline.count == Timeline().count


# -- properties -------------------------------------------------------------------------------


@st.composite
def links(draw: st.DrawFn, reorder_max: int) -> list[Frame]:
    """One boot of a device over a link that loses, repeats and delays frames."""
    count = draw(st.integers(2, 120))
    seed = draw(st.integers(0, 2**32))
    loss, repeat = draw(st.floats(0, 0.3)), draw(st.floats(0, 0.3))
    reorder = draw(st.integers(0, reorder_max))
    modulus = draw(st.sampled_from([2**16, 2**32]))
    first = draw(st.sampled_from([0, modulus - 700]))
    rng = np.random.default_rng(seed)
    sent = []
    for k in range(count):
        for _ in range(1 + (rng.random() < repeat)):
            if k == 0 or rng.random() >= loss:
                delay = rng.integers(0, reorder + 1) if k else 0
                sent.append((k + delay, k))
    sent.sort(key=lambda pair: pair[0])
    return [frame(k * SIZE, modulus=modulus, first_counter=first) for _, k in sent]


@given(links(reorder_max=8))
def test_no_frame_that_came_within_the_window_is_lost(sent: list[Frame]) -> None:
    timeline = Timeline(reorder_frames=8)
    events = push_all(timeline, sent)
    assert_tiles(events)
    got = [int(c.samples_uv[0, 0]) for c in chunks(events)]
    assert got == sorted({int(f.samples_uv[0, 0]) for f in sent})
    assert timeline.count.late == 0


@given(links(reorder_max=16), st.integers(0, 16))
def test_every_sample_stands_in_its_place_once(sent: list[Frame], window: int) -> None:
    timeline = Timeline(window)
    events = push_all(timeline, sent)
    assert_tiles(events)
    for chunk in chunks(events):
        places = np.arange(chunk.start, chunk.stop)
        np.testing.assert_array_equal(chunk.samples_uv[:, 0], places)
    assert timeline.count.reboots == 0


@given(
    st.lists(st.integers(0, 7), min_size=1, max_size=60),
    st.sampled_from(["counter", "counter only"]),
)
def test_a_frame_that_waited_is_placed_like_one_that_came_in_order(
    delays: list[int], kind: str
) -> None:
    sent = [
        replace(frame(k * SIZE, kind=kind), lead_off=k % 4, battery_percent=k % 101)
        for k in range(len(delays) + 1)
    ]
    order = sorted(range(len(sent)), key=lambda k: k + (delays[k - 1] if k else 0))
    in_order = chunks(push_all(Timeline(8), sent))
    waited = chunks(push_all(Timeline(8), [sent[k] for k in order]))
    assert [told(chunk) for chunk in waited] == [told(chunk) for chunk in in_order]
    assert [chunk.start for chunk in in_order] == [k * SIZE for k in range(len(sent))]


def told(chunk: Chunk) -> tuple[object, ...]:
    """All that a chunk says."""
    return chunk.samples_uv.tobytes(), *astuple(chunk)[:2], *astuple(chunk)[3:]


class Link(RuleBasedStateMachine):
    """A device that restarts, behind a link that loses, repeats, delays and breaks."""

    @initialize(
        modulus=st.sampled_from([2**16, 2**32]),
        window=st.integers(0, 12),
        tells_boot=st.booleans(),
        offset=st.integers(0, 2000),
    )
    def begin(self, modulus: int, window: int, tells_boot: bool, offset: int) -> None:
        self.modulus, self.tells_boot = modulus, tells_boot
        self.first_counter = modulus - offset if tells_boot else 0
        self.timeline = Timeline(window)
        self.boot, self.index, self.now_ns = 0, 0, 0
        self.held: list[Frame] = []
        self.sent: list[Frame] = []
        self.events: list[TimelineEvent] = []
        self.checked, self.stop = 0, 0
        self.delivered: set[tuple[int, int]] = set()

    def arrive(self, each: Frame) -> None:
        if self.index - int(each.samples_uv[0, 0]) > 30 * SIZE:
            return  # so late that it would look like a restart
        self.sent.append(each)
        self.events += self.timeline.push(each, self.now_ns)

    def make(self) -> Frame:
        first = self.first_counter if self.boot == 0 else 0
        made = frame(
            self.index,
            boot=self.boot,
            modulus=self.modulus,
            first_counter=first,
            tells_boot=self.tells_boot,
        )
        self.index += SIZE
        self.now_ns += FRAME_NS
        return made

    @rule(count=st.integers(1, 40))
    def send(self, count: int) -> None:
        for _ in range(count):
            self.arrive(self.make())

    @rule(count=st.integers(1, 40))
    def lose(self, count: int) -> None:
        for _ in range(count):
            self.make()

    @rule()
    def delay(self) -> None:
        self.held.append(self.make())

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def arrive_late(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.held) - 1))
        self.arrive(self.held.pop(at))

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(1, 16))
    def repeat(self, back: int) -> None:
        self.arrive(self.sent[-min(back, len(self.sent))])

    @rule(away_ms=st.integers(0, 5000))
    def reboot(self, away_ms: int) -> None:
        self.boot, self.index = self.boot + 1, 0
        self.now_ns += away_ms * 1_000_000
        self.held.clear()
        self.sent.clear()

    @rule(away_ms=st.integers(0, 5000))
    def disconnect(self, away_ms: int) -> None:
        self.events += self.timeline.disconnected(self.now_ns)
        missed = away_ms * 1_000_000 // FRAME_NS
        self.index += missed * SIZE
        self.now_ns += missed * FRAME_NS

    @invariant()
    def counts_are_conserved(self) -> None:
        if hasattr(self, "timeline"):
            assert_conserved(self.timeline)
            assert self.timeline.count.pending <= 13 * SIZE

    @invariant()
    def events_tile_the_axis_and_repeat_no_sample(self) -> None:
        if not hasattr(self, "timeline"):
            return
        new, self.checked = self.events[self.checked :], len(self.events)
        self.stop = assert_tiles(new, self.stop)
        assert self.stop == self.timeline.count.span
        for chunk in chunks(new):
            index, boot = chunk.samples_uv[:, 0], chunk.samples_uv[:, 1]
            assert (np.diff(index) == 1).all()
            keys = {(int(b), int(k)) for b, k in zip(boot, index, strict=True)}
            if self.tells_boot:
                assert not keys & self.delivered
            self.delivered |= keys

    def teardown(self) -> None:
        if hasattr(self, "timeline"):
            self.timeline.flush()
            assert_conserved(self.timeline)
            assert self.timeline.count.pending == 0


Link.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLink = Link.TestCase


def test_memory_does_not_grow_with_the_stream() -> None:
    timeline = Timeline()
    sizes = []
    for k in range(10_000):
        if k % 5:
            timeline.push(frame(k * SIZE), arrival_ns(k * SIZE))
        if k % 1000 == 999:
            sizes.append(len(pickle.dumps(timeline)))
    assert max(sizes[6:]) <= sizes[6] + 100  # from 7000 frames, ten minutes, on


# -- clocks -----------------------------------------------------------------------------------


def run_clock(
    seconds: int, ppm: float = 0.0, speed: float = 1.0, late_ms: float = 0.0
) -> tuple[Timeline, np.ndarray]:
    """A device for so long; returns the error of each chunk's host time in milliseconds.

    ppm: by how much the device clock runs fast. late_ms: mean of an exponential latency.
    """
    rng = np.random.default_rng(7)
    timeline, errors = Timeline(), []
    arrived_ns = 0
    for k in range(seconds * 10):
        sent_ns = round((k + 1) * FRAME_NS / (1 + ppm * 1e-6) / speed)
        arrived_ns = max(arrived_ns, sent_ns + round(rng.exponential(late_ms) * 1e6))
        (chunk,) = timeline.push(frame(k * SIZE), arrived_ns)
        assert isinstance(chunk, Chunk)
        true_ns = sent_ns - FRAME_NS
        errors.append((chunk.host_time_ns - true_ns) / 1e6)
    return timeline, np.array(errors)


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 35.0])
def test_drift_is_found_through_a_jittering_link(ppm: float) -> None:
    timeline, errors = run_clock(300, ppm, late_ms=15)
    drift = timeline.count.drift_ppm
    assert drift is not None
    assert abs(drift - ppm) < 5
    assert np.abs(errors[1000:]).max() < 5


def test_drift_is_not_told_before_a_minute() -> None:
    timeline, _ = run_clock(55, 35.0)
    assert timeline.count.drift_ppm is None


@pytest.mark.parametrize("speed", [0.25, 10.0, 1e6])
def test_host_time_follows_arrival_where_data_do_not_come_in_real_time(speed: float) -> None:
    timeline, errors = run_clock(200, speed=speed)
    assert timeline.count.drift_ppm is None
    frame_lag_ms = 5000 if speed < 1 else FRAME_NS / 1e6
    settled = errors[300:] if speed < 1 else errors
    assert np.abs(settled).max() <= frame_lag_ms * max(1.0, 1 / speed)


@pytest.mark.parametrize("seconds", [30, 100])
def test_a_new_boot_forgets_the_old_clock(seconds: int) -> None:
    timeline, _ = run_clock(seconds, 35.0)
    host_ns = (seconds + 1) * NS_PER_S
    chunk = chunks(timeline.push(frame(0, boot=1), host_ns))[-1]
    assert chunk.host_time_ns == host_ns - FRAME_NS
    assert timeline.count.drift_ppm is None


def test_a_link_that_lags_for_seconds_does_not_move_host_time() -> None:
    timeline = Timeline()
    for k in range(900):
        lag_ns = 500_000_000 if k >= 700 else 0
        (chunk,) = chunks(timeline.push(frame(k * SIZE), arrival_ns(k * SIZE) + lag_ns))
        assert abs(chunk.host_time_ns - k * FRAME_NS) < 1_000_000


def test_a_device_clock_that_was_set_back_does_not_date_samples_before() -> None:
    timeline = Timeline()
    for k in range(100):
        timeline.push(frame(k * SIZE), arrival_ns(k * SIZE))
    host_ns = arrival_ns(2500)
    set_back = replace(frame(2500), device_time_ns=-3600 * NS_PER_S)
    chunk = chunks(timeline.push(set_back, host_ns))[-1]
    assert chunk.host_time_ns == host_ns - FRAME_NS
