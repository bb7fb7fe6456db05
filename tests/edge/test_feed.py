"""Links take turns at the engine, whoever of them brings most."""

from __future__ import annotations

import queue
import threading

from hypothesis import given
from hypothesis import strategies as st

from edge.feed import EVENT_BYTES, SHARE, Feed
from edge.runtime import Runtime
from firmware_bridge.link import LinkState
from firmware_bridge.source import open_source
from firmware_bridge.stream import Packet
from tests.edge.running import Recorder, monitor
from tests.edge.test_runtime import ManualClock
from tests.patience import WAIT_S

SOURCE = open_source("sim:")


class Ward:
    """Feeds whose turns are taken by the test; `handled` tells which event of whom came when."""

    def __init__(self, count):
        self.handled = []
        self.ready = queue.SimpleQueue()
        self.stopping = threading.Event()
        self.clock = ManualClock()
        self.feeds = [self._feed(number) for number in range(count)]

    def _feed(self, number):
        def handle(feed, taken):
            self.handled.append((number, taken.event))

        return Feed(None, SOURCE, handle, self.ready, self.stopping, self.clock)

    def offer(self, number, event):
        self.feeds[number]._offer(event)

    def turns(self):
        while not self.ready.empty():
            self.ready.get_nowait()()


def packet(number):
    return Packet(bytes([number]), number)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_each_link_has_one_event_in_a_round_and_its_own_stay_in_order(offered):
    ward = Ward(4)
    for number, who in enumerate(offered):
        ward.offer(who, packet(number))
    assert sum(feed.waiting for feed in ward.feeds) == len(offered)
    ward.turns()
    expected, left = [], {who: [] for who in dict.fromkeys(offered)}
    for number, who in enumerate(offered):
        left[who].append(packet(number))
    while any(left.values()):
        expected += [(who, events.pop(0)) for who, events in left.items() if events]
    assert ward.handled == expected


def test_what_comes_beside_a_flood_is_taken_up_within_one_round():
    ward = Ward(3)
    for number in range(SHARE):
        ward.offer(0, packet(number))
    for number in (1, 2):
        ward.offer(number, packet(100 + number))
    for _ in range(3):
        ward.ready.get_nowait()()
    assert [who for who, _ in ward.handled] == [0, 1, 2]


def test_a_full_share_holds_its_own_link_back_and_no_other():
    ward = Ward(2)
    for number in range(SHARE):
        ward.offer(0, packet(number))
    extra = threading.Thread(target=ward.offer, args=(0, packet(200)))
    extra.start()
    ward.offer(1, packet(201))
    assert (ward.feeds[0].waiting, ward.feeds[1].waiting) == (SHARE, 1)
    ward.ready.get_nowait()()
    extra.join(WAIT_S)
    assert not extra.is_alive()
    ward.turns()
    assert [event for who, event in ward.handled if who == 0][-1] == packet(200)


def test_a_link_that_waits_for_room_lets_go_when_the_run_ends():
    ward = Ward(1)
    for number in range(SHARE):
        ward.offer(0, packet(number))
    ward.stopping.set()
    ward.offer(0, packet(255))
    assert ward.feeds[0].waiting == SHARE


def test_a_long_read_is_taken_up_in_pieces_between_which_others_have_their_turn():
    ward = Ward(2)
    data = bytes(k % 251 for k in range(5 * EVENT_BYTES + 1))
    ward.offer(0, Packet(data, 7, "channel"))
    ward.offer(1, packet(1))
    ward.turns()
    pieces = [event for who, event in ward.handled if who == 0]
    assert b"".join(piece.data for piece in pieces) == data
    assert [len(piece.data) for piece in pieces] == [EVENT_BYTES] * 5 + [1]
    assert {(piece.host_time_ns, piece.channel) for piece in pieces} == {(7, "channel")}
    assert ward.handled[1] == (1, packet(1))


def test_a_turn_that_fails_costs_the_link_no_later_one():
    ward = Ward(1)
    handle = ward.feeds[0]._handle
    ward.feeds[0]._handle = lambda feed, taken: 1 // (taken.event.data[0] - 1)
    ward.offer(0, packet(1))
    ward.offer(0, packet(2))
    try:
        ward.ready.get_nowait()()
    except ZeroDivisionError:
        ward.feeds[0]._handle = handle
    ward.turns()
    assert ward.handled == [(0, packet(2))]


def test_calls_wait_for_one_turn_of_each_link_and_not_for_all_that_one_has_brought():
    runtime = Runtime(ManualClock(), [Recorder()])
    order = []
    for number in range(2):
        source = open_source("sim:")
        watched = monitor(source, f"p{number}", runtime, ManualClock())
        watched.handle = lambda event, name=watched.patient.id: order.append(name)
        runtime.add(watched, source)
    feeds = runtime._feeds
    for number in range(20):
        feeds[0]._offer(LinkState("streaming", number))
    feeds[1]._offer(LinkState("streaming", 0))
    for name in ("first", "second"):
        runtime.call(lambda name=name: order.append(name))
    assert runtime.queued == 23
    runtime._drain()
    assert order[:5] == ["p0", "p1", "first", "second", "p0"]
    assert order.count("p0") == 20
    assert runtime.queued == 0
