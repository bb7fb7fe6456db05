"""The policy against a simulated engine: links take turns, time passes only as work is done."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.load import (
    CALM_MAX_NS,
    CALM_NS,
    EASY_NS,
    FAR_NS,
    LATE_NS,
    STANDING_NS,
    STEP_NS,
    Load,
    StreamNeed,
)
from firmware_bridge.stream import NS_PER_S

REVIEW_NS = NS_PER_S


@dataclass
class Stream:
    """One link. hop_ns: what its encoder takes a second of signal; turn_ns: what an event takes
    without. floods: brings events whenever there is room for one, each with a second of signal.
    """

    events_per_s: int = 4
    hop_ns: int = 0
    turn_ns: int = 1_000_000
    floods: bool = False
    waiting: deque[int] = field(default_factory=deque)
    due_ns: int = 0
    taken: int = 0
    longest_ns: int = 0

    @property
    def signal_ns(self) -> int:
        return self.taken * NS_PER_S // (1 if self.floods else self.events_per_s)

    def arrive(self, now_ns: int) -> None:
        while self.floods and len(self.waiting) < 64:
            self.waiting.append(now_ns)
        while not self.floods and self.due_ns <= now_ns:
            self.waiting.append(self.due_ns)
            self.due_ns += NS_PER_S // self.events_per_s


class Engine:
    """Runs streams under a `Load`."""

    def __init__(self, *streams: Stream) -> None:
        self.streams = streams
        self.load = Load()
        self.now_ns = 0
        self.alarmed: set[int] = set()
        self.shed: list[frozenset[int]] = []
        self._review_ns = REVIEW_NS

    def need(self, number: int) -> StreamNeed:
        has_encoder = self.streams[number].hop_ns > 0 and not self.load.is_shed(number)
        return StreamNeed(has_encoder, number in self.alarmed)

    def run(self, seconds: float) -> None:
        stop_ns = self.now_ns + round(seconds * NS_PER_S)
        while self.now_ns < stop_ns:
            for number, stream in enumerate(self.streams):
                self._turn(number, stream)
            if not any(stream.waiting for stream in self.streams):
                self.now_ns = max(self.now_ns, min(stream.due_ns for stream in self.streams))

    def _turn(self, number: int, stream: Stream) -> None:
        for each in self.streams:
            each.arrive(self.now_ns)
        if stream.waiting:
            waited_ns = self.now_ns - stream.waiting.popleft()
            stream.longest_ns = max(stream.longest_ns, waited_ns)
            self.load.taken(number, waited_ns, self.now_ns, stream.signal_ns)
            stream.taken += 1
            ends_hop = stream.floods or stream.taken % stream.events_per_s == 0
            hears = ends_hop and not self.load.is_shed(number)
            self.now_ns += stream.turn_ns + (stream.hop_ns if hears else 0)
        if self.now_ns >= self._review_ns:
            self._review_ns = self.now_ns + REVIEW_NS
            self.load.review(self.now_ns, len(self.streams), self.need)
            self.shed.append(self.load.shed)


def streams(share: float, count: int, rate: int) -> list[Stream]:
    """So many alike, whose encoders together take this share of the engine."""
    return [Stream(rate, round(share * NS_PER_S / count)) for _ in range(count)]


@settings(max_examples=12, deadline=None)
@given(st.floats(0, 0.6), st.integers(4, 8), st.integers(1, 8))
def test_an_engine_that_keeps_up_sheds_nothing(share, count, rate):
    engine = Engine(*streams(share, count, rate))
    engine.run(40)
    assert set(engine.shed) == {frozenset()}


@settings(max_examples=12, deadline=None)
@given(st.floats(1.5, 5), st.integers(2, 8), st.integers(1, 8))
def test_an_engine_that_cannot_keep_up_sheds_as_much_as_it_must_and_gives_all_back(
    share, count, rate
):
    engine = Engine(*streams(share, count, rate))
    engine.run(60)
    assert any(engine.shed)
    assert max(stream.longest_ns for stream in engine.streams) < 20 * NS_PER_S
    for stream in engine.streams:
        stream.hop_ns = 1
        stream.longest_ns = 0
    engine.run((CALM_MAX_NS + count * (STEP_NS + REVIEW_NS)) / NS_PER_S + 60)
    assert not engine.shed[-1]
    steps = list(zip(engine.shed, engine.shed[1:], strict=False))
    assert all(len(before - after) <= 1 for before, after in steps)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.1, 0.5), st.integers(4, 8), st.integers(5, 60), st.booleans())
def test_a_flood_costs_nobody_else_the_encoder(share, count, turn_ms, hears):
    flood = Stream(turn_ns=turn_ms * 1_000_000, hop_ns=20_000_000 * hears, floods=True)
    engine = Engine(*streams(share, count, 4), flood)
    engine.run(60)
    assert set().union(*engine.shed) <= {count}
    assert all(stream.longest_ns < LATE_NS for stream in engine.streams[:count])


def test_streams_that_bring_many_small_events_are_helped_by_those_that_bring_few():
    """The latter are taken up in time, though it is their encoders that take it all."""
    slow = [Stream(1, 290_000_000) for _ in range(3)]
    engine = Engine(*slow, Stream(50, turn_ns=5_000_000))
    engine.run(90)
    assert set().union(*engine.shed) <= {0, 1, 2}
    assert any(engine.shed)
    assert engine.streams[3].longest_ns < 12 * NS_PER_S


def late(load: Load, *numbers: int, at_ns: int = 0) -> int:
    """Have the events of these streams be late for long enough; the time then."""
    for now_ns in (at_ns, at_ns + STANDING_NS):
        for number in numbers:
            load.taken(number, LATE_NS, now_ns, now_ns)
    return at_ns + STANDING_NS


def test_half_of_those_behind_lose_their_encoder_the_first_and_those_in_alarm_last():
    load = Load()
    at_ns = late(load, 0, 1, 2, 3)
    load.review(at_ns, 5, lambda k: StreamNeed(True, k == 3))
    assert load.shed == {1, 2}
    at_ns = late(load, 0, 1, 2, 3, at_ns=at_ns)
    load.review(at_ns, 5, lambda k: StreamNeed(not load.is_shed(k), k == 3))
    assert load.shed == {0, 1, 2}


def test_those_in_alarm_get_it_back_first_and_then_the_first():
    load = Load()
    at_ns = late(load, 0, 1, 2)
    for _ in range(3):
        load.review(at_ns, 3, lambda k: StreamNeed(not load.is_shed(k)))
        at_ns = late(load, 0, 1, 2, at_ns=at_ns)
    assert load.shed == {0, 1, 2}
    load.review(at_ns, 3, lambda _: StreamNeed(False))
    back = []
    for second in range(60):
        shed = load.shed
        load.review(at_ns + second * NS_PER_S, 3, lambda k: StreamNeed(False, k == 2))
        back += sorted(shed - load.shed)
    assert back == [2, 0, 1]


def test_a_stream_that_has_ended_is_not_waited_for_nor_given_back():
    load = Load()
    at_ns = late(load, 0, 1, 2)
    for _ in range(3):
        load.review(at_ns, 3, lambda k: StreamNeed(not load.is_shed(k)))
        at_ns = late(load, 0, 1, 2, at_ns=at_ns)
    load.review(at_ns, 3, lambda k: StreamNeed(False, finished=k == 0))
    assert load.shed == {1, 2}
    load.review(at_ns + CALM_NS, 3, lambda k: StreamNeed(False, finished=k == 0))
    assert load.shed == {2}


@pytest.mark.parametrize(("waited_ns", "longer"), [(LATE_NS, 2), (0, 1)])
def test_the_calm_doubles_after_a_return_that_was_too_much(waited_ns, longer):
    """Twice as long where all were late again at once; as long as before where that was later."""
    load = Load()

    def calm_of(at_ns: int) -> int:
        first_ns, shed = at_ns, load.shed
        while load.shed == shed:
            at_ns += NS_PER_S
            load.review(at_ns, 1, lambda _: StreamNeed(not load.shed))
        return at_ns - first_ns

    at_ns = late(load, 0)
    load.review(at_ns, 1, lambda _: StreamNeed(True))
    calm_ns = calm_of(at_ns)
    assert calm_ns == CALM_NS
    at_ns += calm_ns + (0 if waited_ns else 2 * CALM_NS)
    at_ns = late(load, 0, at_ns=at_ns)
    load.review(at_ns, 1, lambda _: StreamNeed(True))
    assert load.shed == {0}
    assert calm_of(at_ns) == longer * CALM_NS


def test_half_are_too_slow_where_events_wait_very_long():
    load = Load()
    for now_ns in (0, STANDING_NS):
        for number in range(4):
            load.taken(number, FAR_NS, now_ns, now_ns)
    load.review(STANDING_NS, 5, lambda _: StreamNeed(True))
    assert load.shed == {0, 1, 2, 3}


def test_the_calm_begins_with_the_last_event_that_waited():
    load = Load()
    at_ns = late(load, 0)
    load.review(at_ns, 1, lambda _: StreamNeed(True))
    load.taken(0, EASY_NS + 1, at_ns + CALM_NS // 2, 0)
    load.review(at_ns + CALM_NS, 1, lambda _: StreamNeed(False))
    assert load.shed == {0}
    load.review(at_ns + CALM_NS * 3 // 2, 1, lambda _: StreamNeed(False))
    assert not load.shed


def test_one_long_wait_sheds_nothing():
    """Such as after the process was stopped: the next event finds the engine up to date."""
    load = Load()
    load.taken(0, 20 * NS_PER_S, NS_PER_S, 0)
    load.taken(0, 0, 2 * NS_PER_S, 20 * NS_PER_S)
    load.taken(0, LATE_NS, 10 * NS_PER_S, 30 * NS_PER_S)
    load.review(11 * NS_PER_S, 1, lambda _: StreamNeed(True))
    assert not load.shed


def test_a_wait_that_is_excused_sheds_nothing():
    """Such as for the encoders of streams that have just begun."""
    load = Load()
    at_ns = late(load, 0)
    load.excuse()
    load.taken(0, LATE_NS, at_ns, at_ns)
    load.review(at_ns, 1, lambda _: StreamNeed(True))
    assert not load.shed
