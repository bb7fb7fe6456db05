"""The supervisor: order, back-pressure, stalls, reconnection and stopping."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import SourceError, TransientSourceError
from firmware_bridge.link import Link, LinkEvent, LinkState
from firmware_bridge.lookalike import looks_like
from firmware_bridge.native import NativeDecoder, encode_frame
from firmware_bridge.protocols import Decoder
from firmware_bridge.pseudo_terminal import PseudoTerminal
from firmware_bridge.source import Source
from firmware_bridge.stream import NS_PER_S, Frame, Packet
from firmware_bridge.transports.serial_port import SerialTransport
from firmware_bridge.watchdog import LinkTiming, Watchdog, Yield
from tests.firmware_bridge.devices.specimen import Specimen
from tests.firmware_bridge.specimens import specimens
from tests.firmware_bridge.watched_for import PAUSE_MAX_S, CountedBackOff, await_looks, count_looks
from tests.patience import FULL, WAIT_S

QUICK = LinkTiming(backoff_min_s=0.001, backoff_max_s=0.002, watch_s=0.001, poll_s=0.01)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Commanded(NativeDecoder):
    def start_commands(self) -> tuple[bytes, ...]:
        return (b"start",)

    def stop_commands(self) -> tuple[bytes, ...]:
        return (b"stop",)


class Scripted:
    """A transport that follows a script: bytes to give, errors to raise, calls to make, and
    "refuse" for an opening that fails; after the last step it is silent.
    """

    name = "scripted"

    def __init__(self, *script: object) -> None:
        self.script = deque(script)
        self.log: list[str] = []
        self._closed = threading.Event()

    def open(self) -> None:
        self._closed.clear()
        self.log.append("open")
        if self.script and self.script[0] == "refuse":
            self.script.popleft()
            raise SourceError("no such port")

    def read(self, timeout_s: float) -> Packet | None:
        if not self.script:
            self._closed.wait(timeout_s)
            return None
        step = self.script.popleft()
        if isinstance(step, bytes):
            return Packet(step, 0)
        if callable(step):
            step()
            return None
        assert isinstance(step, BaseException)
        raise step

    def write(self, data: bytes) -> None:
        self.log.append(data.decode())

    def close(self) -> None:
        if not self._closed.is_set():
            self.log.append("close")
        self._closed.set()


def source_of(
    transport: Scripted | SerialTransport, *, finite: bool = False, decoder: Decoder | None = None
) -> Source:
    return Source("scripted:", transport, decoder or Commanded(), finite, "a scripted device")


def events_until(events: queue.Queue[LinkEvent], last: str) -> list[LinkEvent]:
    got: list[LinkEvent] = []
    while True:
        got.append(events.get(timeout=WAIT_S))
        if isinstance(got[-1], LinkState) and got[-1].phase == last:
            return got


def told(events: list[LinkEvent]) -> list[object]:
    return [event.data if isinstance(event, Packet) else event.phase for event in events]


def test_states_and_packets_come_in_order_to_the_end() -> None:
    transport = Scripted(b"a", b"b", EOFError())
    events: queue.Queue[LinkEvent] = queue.Queue()
    Link(source_of(transport, finite=True), events, timing=QUICK).start()
    assert told(events_until(events, "ended")) == ["connecting", "streaming", b"a", b"b", "ended"]
    assert transport.log[:2] == ["open", "start"]


def test_broken_link_is_opened_again_with_its_reason_told() -> None:
    broken = TransientSourceError("unplugged")
    transport = Scripted(b"a", broken, "refuse", b"b")
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(source_of(transport), events, timing=QUICK)
    link.start()
    first = events_until(events, "disconnected")
    second = events_until(events, "disconnected")
    third = [*events_until(events, "streaming"), events.get(timeout=WAIT_S)]
    assert link.stop(WAIT_S)
    assert told(first) == ["connecting", "streaming", b"a", "disconnected"]
    assert told(second) == ["connecting", "disconnected"]
    assert told(third) == ["connecting", "streaming", b"b"]
    reasons = [event.reason for event in (first[-1], second[-1]) if isinstance(event, LinkState)]
    assert reasons == ["unplugged", "no such port"]
    assert transport.log[-2:] == ["stop", "close"]


def test_first_opening_that_fails_is_final_and_carries_the_error() -> None:
    transport = Scripted("refuse")
    events: queue.Queue[LinkEvent] = queue.Queue()
    Link(source_of(transport), events, timing=QUICK).start()
    failed = events_until(events, "failed")[-1]
    assert isinstance(failed, LinkState)
    assert isinstance(failed.error, SourceError)
    assert failed.reason == "no such port"
    assert transport.log.count("open") == 1


def test_unexpected_error_of_the_transport_is_told_and_survived() -> None:
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(source_of(Scripted(ZeroDivisionError("bug"), b"a")), events, timing=QUICK)
    link.start()
    lost = events_until(events, "disconnected")[-1]
    assert isinstance(lost, LinkState)
    assert lost.reason == "ZeroDivisionError: bug"
    assert told(events_until(events, "streaming")) == ["connecting", "streaming"]
    assert link.stop(WAIT_S)


def test_finite_source_that_breaks_fails_for_good() -> None:
    events: queue.Queue[LinkEvent] = queue.Queue()
    broken = Scripted(b"a", TransientSourceError("port gone"))
    link = Link(source_of(broken, finite=True), events, timing=QUICK)
    link.start()
    assert told(events_until(events, "failed")) == ["connecting", "streaming", b"a", "failed"]
    assert link.join(WAIT_S)


def test_sink_that_fails_ends_the_link_and_closes_the_device() -> None:
    def refuse(event: LinkEvent) -> None:
        if isinstance(event, Packet):
            raise RuntimeError("consumer bug")

    transport = Scripted(b"a")
    link = Link(source_of(transport), refuse, timing=QUICK)
    link.start()
    link.join(WAIT_S)
    assert not link.alive
    assert transport.log == ["open", "start", "stop", "close"]


def test_stall_prods_the_device_and_then_opens_the_link_anew() -> None:
    clock = Clock()

    def later() -> None:
        clock.now_ns += 6 * NS_PER_S

    transport = Scripted(b"a", later, later, b"b", later, b"c")
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(source_of(transport), events, clock, QUICK)
    link.start()
    until_lost = events_until(events, "disconnected")
    after = [events.get(timeout=WAIT_S) for _ in range(6)]
    assert link.stop(WAIT_S)
    assert told(until_lost) == ["connecting", "streaming", b"a", "stalled", "disconnected"]
    assert told(after) == ["connecting", "streaming", b"b", "stalled", "streaming", b"c"]
    assert " ".join(transport.log) == "open start start close open start start stop close"


def test_device_that_makes_no_sense_is_named_once() -> None:
    decoder = NativeDecoder()
    reasons: queue.Queue[str] = queue.Queue()

    def take(event: LinkEvent) -> None:
        if isinstance(event, Packet):
            decoder.push(event)
        elif event.phase == "unreadable":
            reasons.put(event.reason)

    handed_on = threading.Event()
    transport = Scripted(*[bytes(range(1, 256))] * 80, handed_on.set)
    link = Link(source_of(transport, decoder=decoder), take, timing=QUICK)
    link.start()
    assert "no frame decodes" in reasons.get(timeout=WAIT_S)
    assert handed_on.wait(WAIT_S)
    assert link.stop(WAIT_S)
    assert reasons.empty()


def test_decodable_device_is_not_called_unreadable() -> None:
    decoder = NativeDecoder()
    phases: list[str] = []

    def take(event: LinkEvent) -> None:
        if isinstance(event, Packet):
            decoder.push(event)
        else:
            phases.append(event.phase)

    handed_on = threading.Event()
    frames = [native_frame(k) for k in range(300)]
    transport = Scripted(*frames, handed_on.set)
    link = Link(source_of(transport, decoder=decoder), take, timing=QUICK)
    link.start()
    assert handed_on.wait(WAIT_S)
    assert link.stop(WAIT_S)
    assert phases == ["connecting", "streaming"]


def test_slow_reader_holds_the_link_back_and_loses_nothing() -> None:
    sent = [bytes([k]) for k in range(200)]
    events: queue.Queue[LinkEvent] = queue.Queue(maxsize=1)
    Link(source_of(Scripted(*sent, EOFError()), finite=True), events, timing=QUICK).start()
    got = events_until(events, "ended")
    assert [event.data for event in got if isinstance(event, Packet)] == sent


def test_stop_is_heard_while_the_queue_is_full() -> None:
    events: queue.Queue[LinkEvent] = queue.Queue(maxsize=1)
    reading = threading.Event()
    link = Link(source_of(Scripted(reading.set, *[b"x"] * 100)), events, timing=QUICK)
    link.start()
    assert reading.wait(WAIT_S)
    assert link.stop(WAIT_S)
    assert not link.alive


def test_stop_ends_the_wait_before_opening_again() -> None:
    events: queue.Queue[LinkEvent] = queue.Queue()
    patient = LinkTiming(backoff_min_s=3600.0, backoff_max_s=3600.0)
    link = Link(source_of(Scripted(TransientSourceError("gone"))), events, timing=patient)
    link.start()
    events_until(events, "disconnected")
    assert link.stop(WAIT_S)


def test_stop_before_start_is_harmless() -> None:
    transport = Scripted(b"a")
    assert Link(source_of(transport), queue.Queue()).stop()
    assert transport.log == []


def native_frame(k: int) -> bytes:
    samples = np.full((5, 1), k, np.int32)
    return encode_frame(
        samples, rate_hz=250, scale_nv=1000, sequence=5 * k, device_time_us=20_000 * k
    )


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by /proc")
def test_replugs_leak_neither_threads_nor_files(tmp_path: Path) -> None:
    port = tmp_path / "by-id"
    events: queue.Queue[LinkEvent] = queue.Queue()
    decoder = NativeDecoder()
    link = Link(source_of(SerialTransport(str(port)), decoder=decoder), events, timing=QUICK)
    counts: list[tuple[int, int]] = []
    for turn in range(100 if FULL else 40):
        with PseudoTerminal(port) as terminal:
            if turn == 0:
                link.start()
            assert terminal.wait_for_reader(WAIT_S)
            come_through(terminal, turn, decoder, events)
            counts.append((threading.active_count(), open_files()))
    assert link.stop(WAIT_S)
    for kind in zip(*counts, strict=True):  # a leak adds up; one that is being closed does not
        assert min(kind[-10:]) <= max(kind[:10])


def come_through(
    terminal: PseudoTerminal, k: int, decoder: NativeDecoder, events: queue.Queue[LinkEvent]
) -> None:
    """Send the k-th frame until it is read, as opening a port flushes it.

    What still comes before it are frames that were sent more than once.
    """
    deadline_s = time.monotonic() + WAIT_S
    while time.monotonic() < deadline_s:
        terminal.write(native_frame(k))
        while (event := next_of(events)) is not None:
            if isinstance(event, LinkState):
                if event.phase == "connecting":
                    decoder.reset()
                continue
            firsts = [float(decoded.samples_uv[0, 0]) for decoded in decoder.push(event)]
            assert all(first <= k for first in firsts)
            if k in firsts:
                return
    raise AssertionError("no frame came through")


def next_of(events: queue.Queue[LinkEvent]) -> LinkEvent | None:
    with contextlib.suppress(queue.Empty):
        return events.get(timeout=0.1)
    return None


def test_replugged_port_streams_within_two_seconds(tmp_path: Path) -> None:
    """With the timing of the shipped link: what is unplugged is watched for, without back-off."""
    timing = CountedBackOff()
    port = tmp_path / "by-id"
    events: queue.Queue[LinkEvent] = queue.Queue()
    decoder = NativeDecoder()
    source = source_of(SerialTransport(str(port)), decoder=decoder)
    link = Link(source, events, timing=timing)
    with PseudoTerminal(port) as terminal:
        link.start()
        assert terminal.wait_for_reader(WAIT_S)
    lost = events_until(events, "disconnected")
    unplugged = events_until(events, "disconnected")
    await_looks(count_looks(source), 4)
    with PseudoTerminal(port) as terminal:
        come_through(terminal, 1, decoder, events)
    assert max(timing.noted_s) <= PAUSE_MAX_S  # backing off would double it at each look
    assert link.stop(WAIT_S)
    assert isinstance(lost[-1], LinkState)
    assert "went away" in lost[-1].reason
    assert isinstance(unplugged[-1], LinkState)
    assert "waiting for it" in unplugged[-1].reason


class Talking(Commanded):
    """Wants a sign of life, and answers what it decodes."""

    keep_alive_s = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[bytes] = deque()

    def push(self, packet: Packet) -> list[Frame]:
        self.waiting.append(b"ack " + packet.data)
        return super().push(packet)

    def keep_alive_commands(self) -> tuple[bytes, ...]:
        return (b"alive",)

    def replies(self) -> tuple[bytes, ...]:
        told = tuple(self.waiting)
        self.waiting.clear()
        return told


def test_device_is_answered_and_kept_alive() -> None:
    clock, decoder = Clock(), Talking()

    def later() -> None:
        clock.now_ns += 11 * NS_PER_S

    def take(event: LinkEvent) -> None:
        if isinstance(event, Packet):
            decoder.push(event)

    handed_on = threading.Event()
    transport = Scripted(b"a", later, b"b", handed_on.set)
    patient = LinkTiming(stall_s=3600, poll_s=0.01)
    link = Link(source_of(transport, decoder=decoder), take, clock, patient)
    link.start()
    assert handed_on.wait(WAIT_S)
    assert link.stop(WAIT_S)
    assert transport.log == ["open", "start", "ack a", "alive", "ack b", "stop", "close"]


def test_board_that_restarts_is_told_to_start_once_it_hears() -> None:
    clock = Clock()

    def later() -> None:
        clock.now_ns += 2 * NS_PER_S

    transport = Scripted(b"boot", later, lambda: transport.log.append("settled"), b"a")
    source = replace(source_of(transport), settle_s=2.0)
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(source, events, clock, QUICK)
    link.start()
    while events.get(timeout=WAIT_S) != Packet(b"a", 0):
        pass
    assert link.stop(WAIT_S)
    assert transport.log == ["open", "start", "settled", "stop", "close"]


def test_stop_does_not_wait_for_a_board_to_settle() -> None:
    transport = Scripted()
    events: queue.Queue[LinkEvent] = queue.Queue()
    link = Link(replace(source_of(transport), settle_s=3600.0), events, timing=QUICK)
    link.start()
    events_until(events, "connecting")
    assert link.stop(WAIT_S)
    assert "start" not in transport.log


def test_wrong_device_is_named_by_what_its_bytes_look_like() -> None:
    cyton = specimen_of("cyton")
    decoder = NativeDecoder()
    reasons: queue.Queue[str] = queue.Queue()

    def take(event: LinkEvent) -> None:
        if isinstance(event, Packet):
            decoder.push(event)
        elif event.phase == "unreadable":
            reasons.put(event.reason)

    wire = b"".join(packet.data for packet in cyton.packets)
    repeated = wire * (1 + 8192 // len(wire))
    link = Link(source_of(Scripted(repeated), decoder=decoder), take, timing=QUICK)
    link.start()
    assert "look like device=cyton" in reasons.get(timeout=WAIT_S)
    assert link.stop(WAIT_S)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Hello, I am a GPS\r\n" * 20, "'Hello, I am a GPS'"),
        (b"\x00\xff" * 100, "0x00 and 0xFF: a wrong baud rate"),
        (bytes(range(256)), ""),
        (b"", ""),
    ],
)
def test_bytes_of_no_device_are_described(data: bytes, words: str) -> None:
    said = looks_like(data)
    assert words in said
    assert bool(said) == bool(words)


@pytest.mark.parametrize("device", ["native", "chords", "ads1292r", "bioharness"])
def test_device_is_known_by_its_bytes(device: str) -> None:
    wire = b"".join(packet.data for packet in specimen_of(device).packets)
    assert (
        looks_like((wire * (1 + 4096 // len(wire)))[3:]) == f"the bytes look like device={device}"
    )


def specimen_of(device: str) -> Specimen:
    return next(each for each in specimens() if each.device == device)


@given(
    failures=st.integers(0, 10_000),
    chance=st.floats(0, 1),
)
def test_backoff_stays_between_its_bounds(failures: int, chance: float) -> None:
    wait_s = LinkTiming().backoff_s(failures, chance)
    assert 0.125 <= wait_s <= 30.0
    assert wait_s <= LinkTiming().backoff_s(failures + 1, 1.0)


def test_bytes_without_frames_are_no_data_once_there_were_frames() -> None:
    decoder = NativeDecoder()
    yielding = Yield(decoder)
    whole = encode_frame([[1], [2]], rate_hz=250, scale_nv=1000, sequence=0, device_time_us=0)
    decoder.push(Packet(b"no frame\0", 0))
    assert not yielding.dried_up()  # it may be another device: Doubts decides
    decoder.push(Packet(whole, 0))
    assert not yielding.dried_up()
    assert not yielding.dried_up()  # nothing was decoded since: the engine may be behind
    decoder.push(Packet(b"no frame\0", 0))
    assert yielding.dried_up()
    decoder.push(Packet(whole, 0))
    assert not yielding.dried_up()


def test_watchdog_of_a_resting_source_never_barks() -> None:
    dog = Watchdog(LinkTiming(), 0, 10, enabled=False)
    assert dog.verdict(10**15) == "fine"


def test_watchdog_waits_longer_for_the_first_data() -> None:
    dog = Watchdog(LinkTiming(stall_s=5), 0, first_data_s=35)
    assert dog.verdict(34 * NS_PER_S) == "fine"
    assert dog.verdict(35 * NS_PER_S) == "prod"
    assert dog.verdict(39 * NS_PER_S) == "fine"
    assert dog.verdict(40 * NS_PER_S) == "reopen"


def test_busy_host_is_not_taken_for_a_silent_device() -> None:
    dog = Watchdog(LinkTiming(stall_s=5), 0, 10)
    assert dog.fed(1 * NS_PER_S)
    dog.excuse(100 * NS_PER_S)
    assert dog.verdict(104 * NS_PER_S) == "fine"
    assert dog.verdict(105 * NS_PER_S) == "prod"
    assert dog.fed(106 * NS_PER_S)
    assert not dog.fed(107 * NS_PER_S)
