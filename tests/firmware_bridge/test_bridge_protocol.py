"""Messages of the bridge, and records in order, once, at their time, whatever the network does."""

from __future__ import annotations

import contextlib
import json
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from firmware_bridge.bridge_inbox import SESSIONS_MAX, BridgeInbox, DeviceChange
from firmware_bridge.bridge_protocol import (
    BridgeProtocolError,
    Hello,
    ack,
    channels_of,
    decode_batch,
    is_bye,
    parse_hello,
    profile,
    welcome,
    write,
)
from firmware_bridge.devices import make_decoder
from firmware_bridge.protocols import GattDevice
from firmware_bridge.stream import NS_PER_S, Packet
from tests.firmware_bridge.bridge_page_model import (
    CONNECTED,
    LOST,
    NOTIFICATION,
    PageModel,
    batch,
    record,
)

CHANNELS = ("control", "data", "side")
MS = 1_000_000
HELLO = {"type": "hello", "version": 1, "session": "abcdefgh", "token": "t", "next": 3}


def test_batch_of_known_bytes() -> None:
    wire = bytes.fromhex(
        "01 0000000000408f40"  # version 1, sent at 1000.0 ms
        "07000000 0000000000e08540 00 01 0300 aabbcc"  # number 7, at 700.0 ms, channel 1
    )
    assert wire == batch(1000.0, record(7, 700.0, NOTIFICATION, 1, b"\xaa\xbb\xcc"))
    decoded = decode_batch(wire, CHANNELS)
    assert decoded.sent_ns == 1000 * MS
    (only,) = decoded.records
    assert (only.number, only.page_ns, only.channel) == (7, 700 * MS, "data")
    assert only.data == b"\xaa\xbb\xcc"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "begins with its version"),
        (b"\x01" + bytes(7), "begins with its version"),
        (b"\x02" + bytes(8), "begins with its version"),
        (batch(1.0) + b"\x00", "ends within a record"),
        (batch(1.0, record(0, 0.0, 0, 1, b"abc"))[:-1], "ends within a record"),
        (batch(math.nan), "page clock"),
        (batch(-1.0), "page clock"),
        (batch(1.0, record(0, math.inf, 0, 1, b"")), "page clock"),
        (batch(1.0, record(0, 1.0, 9, 1, b"")), "unknown kind 9"),
        (batch(1.0, record(0, 1.0, 0, 3, b"")), "unknown channel 3"),
    ],
)
def test_malformed_batch_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(BridgeProtocolError, match=words):
        decode_batch(data, CHANNELS)


@given(st.binary(max_size=400) | st.binary(max_size=60).map(lambda rest: batch(1.0) + rest))
def test_any_bytes_decode_or_raise_the_one_error(data: bytes) -> None:
    with contextlib.suppress(BridgeProtocolError):
        assert sum(16 + len(r.data) for r in decode_batch(data, CHANNELS).records) == len(data) - 9


def test_hello_is_understood() -> None:
    assert parse_hello(json.dumps(HELLO)) == Hello("abcdefgh", "t", 3, False)
    assert parse_hello(json.dumps(HELLO | {"device": True})).device
    assert parse_hello(json.dumps(HELLO | {"connection": 7})).connection == 7


@pytest.mark.parametrize(
    "wrong",
    [{"type": "ack"}, {"version": 2}, {"version": None}, {"session": "short"}, {"session": 5},
     {"session": "x" * 65}, {"session": "abcdefg\n"}, {"token": 5}, {"token": "x" * 129},
     {"next": -1}, {"next": 1.5}, {"next": True}, {"next": None}, {"next": 2**32},
     {"connection": -1}, {"connection": "1"}],
)  # fmt: skip
def test_wrong_hello_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BridgeProtocolError):
        parse_hello(json.dumps(HELLO | wrong))


@given(st.text(max_size=60) | st.just("[" * 100_000) | st.just("[]"))
def test_any_text_is_a_message_or_raises_the_one_error(text: str) -> None:
    for read in (parse_hello, is_bye):
        with pytest.raises(BridgeProtocolError):
            read(text)


def test_welcome_tells_all_that_a_page_must_know() -> None:
    decoder = make_decoder("polar_h10")
    assert isinstance(decoder, GattDevice)
    told = json.loads(welcome(profile("polar_h10", decoder.gatt, decoder), 17))
    assert (told["type"], told["version"], told["next"]) == ("welcome", 1, 17)
    assert told["channels"] == list(channels_of(decoder.gatt))
    assert [bytes.fromhex(c) for c in told["start"]] == list(decoder.start_commands())
    assert [bytes.fromhex(c) for c in told["stop"]] == list(decoder.stop_commands())
    assert told["gatt"]["name"] == decoder.gatt.name
    assert set(told["gatt"]["services"]) == set(decoder.gatt.services)


def test_short_messages() -> None:
    assert json.loads(ack(9)) == {"type": "ack", "next": 9}
    assert json.loads(write(b"\x02\xff")) == {"type": "write", "hex": "02ff"}
    assert is_bye('{"type": "bye"}')


def inbox_after(hello_next: int = 0) -> BridgeInbox:
    inbox = BridgeInbox()
    assert inbox.begin(Hello("abcdefgh", "", hello_next, False))
    return inbox


def test_what_waited_at_the_page_does_not_look_new() -> None:
    page, inbox, host_ns = PageModel(), inbox_after(), 50 * NS_PER_S
    for k in range(10):  # live: 20 ms on the way
        page.add(1000.0 * k, b"%d" % k)
        wire = page.message(1000.0 * k, k, 1)
        (item,) = inbox.take(decode_batch(wire, CHANNELS), host_ns + k * NS_PER_S + 20 * MS)
        assert isinstance(item, Packet)
    for k in range(10, 40):  # away for 30 s
        page.add(1000.0 * k, b"%d" % k)
    wire = page.message(40_000.0, 10, 100)
    late = inbox.take(decode_batch(wire, CHANNELS), host_ns + 40 * NS_PER_S + 35 * MS)
    assert len(late) == 30
    for k, item in enumerate(late, start=10):
        assert isinstance(item, Packet)
        assert item.host_time_ns == host_ns + k * NS_PER_S + 20 * MS


def test_times_neither_run_backwards_nor_into_the_future() -> None:
    inbox = inbox_after()
    items = []
    for k, (sent_ms, at_ms, arrived_ms) in enumerate(
        [(100.0, 100.0, 1000), (200.0, 150.0, 1050), (300.0, 9000.0, 1200), (400.0, 10.0, 1300)]
    ):
        wire = batch(sent_ms, record(k, at_ms, NOTIFICATION, 1, b"x"))
        items += inbox.take(decode_batch(wire, CHANNELS), arrived_ms * MS)
    times = [item.host_time_ns // MS for item in items if isinstance(item, Packet)]
    assert times == [1000, 1000, 1200, 1200]


def test_numbers_that_were_skipped_are_counted_as_dropped_by_the_page() -> None:
    page, inbox = PageModel(limit=4), inbox_after()
    for k in range(10):
        page.add(float(k), b"%d" % k)
    items = inbox.take(decode_batch(page.message(10.0, 0, 100), CHANNELS), NS_PER_S)
    assert [item.data for item in items if isinstance(item, Packet)] == [b"6", b"7", b"8", b"9"]
    assert (inbox.dropped, page.dropped) == (6, 6)


def test_device_changes_keep_their_place() -> None:
    page, inbox = PageModel(), inbox_after()
    page.add(0.0, "Polar H10 µ".encode(), CONNECTED, 0)
    page.add(1.0, b"data")
    page.add(2.0, b"\xff\x1b[2J\n" + 999 * b"x", LOST, 0)
    first, data, last = inbox.take(decode_batch(page.message(3.0, 0, 9), CHANNELS), NS_PER_S)
    assert first == DeviceChange(True, "Polar H10 µ")
    assert isinstance(data, Packet)
    assert last == DeviceChange(False, "\ufffd[2J" + 96 * "x")


def test_another_page_begins_anew_and_the_same_one_goes_on() -> None:
    inbox = inbox_after()
    wire = batch(1.0, record(0, 1.0, NOTIFICATION, 1, b"x"))
    assert len(inbox.take(decode_batch(wire, CHANNELS), NS_PER_S)) == 1
    assert not inbox.begin(Hello("abcdefgh", "", 0, True))
    assert inbox.take(decode_batch(wire, CHANNELS), NS_PER_S) == []
    assert inbox.duplicates == 1
    assert inbox.begin(Hello("ijklmnop", "", 0, True))
    assert len(inbox.take(decode_batch(wire, CHANNELS), NS_PER_S)) == 1


def test_page_that_returns_after_another_goes_on_where_it_was() -> None:
    inbox = inbox_after()
    wire = batch(1.0, record(0, 1.0, NOTIFICATION, 1, b"x"))
    assert len(inbox.take(decode_batch(wire, CHANNELS), NS_PER_S)) == 1
    assert inbox.begin(Hello("ijklmnop", "", 0, True))
    assert inbox.begin(Hello("abcdefgh", "", 0, True))
    assert inbox.next_number == 1
    assert inbox.take(decode_batch(wire, CHANNELS), NS_PER_S) == []
    for k in range(1000):
        assert inbox.begin(Hello(f"another-{k}", "", 0, True))
    assert len(inbox._pages) == SESSIONS_MAX


class Delivery(RuleBasedStateMachine):
    """A page, a network that cuts, and an inbox. What was sent on a connection arrives in order,
    but at the cut any number of the last messages is lost, or arrives after the next connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self.page, self.inbox = PageModel(limit=12), inbox_after()
        self.wire: list[bytes] = []
        self.stragglers: list[bytes] = []
        self.acks: list[int] = []
        self.cursor = 0
        self.now_ms = 0.0
        self.delivered: list[int] = []

    @rule(count=st.integers(1, 5))
    def notify(self, count: int) -> None:
        for _ in range(count):
            self.now_ms += 100.0
            self.page.add(self.now_ms, struct.pack("<I", self.page.next))

    @rule(count=st.integers(1, 4))
    def send(self, count: int) -> None:
        start = max(self.cursor, self.page.first)
        self.wire.append(self.page.message(self.now_ms, start, count))
        self.cursor = min(start + count, self.page.next)

    @precondition(lambda self: self.wire)
    @rule()
    def arrive(self) -> None:
        self._take(self.wire.pop(0))
        self.acks.append(self.inbox.next_number)

    @precondition(lambda self: self.acks)
    @rule()
    def acknowledge(self) -> None:
        self.page.acknowledge(self.acks.pop(0))

    @rule(late=st.booleans())
    def cut_and_come_back(self, late: bool) -> None:
        self.stragglers += self.wire if late else []
        self.wire, self.acks = [], []
        self.inbox.begin(Hello("abcdefgh", "", self.page.first, True))
        self.page.acknowledge(self.inbox.next_number)
        self.cursor = self.page.first

    @precondition(lambda self: self.stragglers)
    @rule()
    def straggler_arrives(self) -> None:
        self._take(self.stragglers.pop(0))

    def _take(self, wire: bytes) -> None:
        items = self.inbox.take(decode_batch(wire, CHANNELS), round(self.now_ms * MS) + 5 * MS)
        self.delivered += [
            struct.unpack("<I", item.data)[0] for item in items if isinstance(item, Packet)
        ]

    @invariant()
    def each_once_and_in_order(self) -> None:
        assert self.delivered == sorted(set(self.delivered))

    @invariant()
    def none_is_lost_but_what_was_dropped_and_counted(self) -> None:
        missing = self.inbox.next_number - len(self.delivered)
        assert missing == self.inbox.dropped
        assert self.inbox.next_number >= self.page.first - self.page.dropped

    def teardown(self) -> None:
        self.cut_and_come_back(False)
        while self.cursor < self.page.next:
            self.send(4)
            self.arrive()
        self.none_is_lost_but_what_was_dropped_and_counted()
        assert self.inbox.next_number == self.page.next
        assert self.inbox.dropped <= self.page.dropped


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
