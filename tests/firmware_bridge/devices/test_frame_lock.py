"""Frames found by consistency, on a small format: AB, counter, value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices.frame_lock import NO_KEY, NO_MESSAGE, UNDECIDED, FrameLock
from firmware_bridge.devices.tally import Tally

SIZE = 3


def key(data: bytes, at: int) -> int:
    return data[at + 1] if data[at] == 0xAB else NO_KEY


def follows(before: int, after: int, frames: int) -> bool:
    return (after - before) % 256 == max(1, frames)


def aside(data: bytes, at: int) -> int:
    """`!`, a length, and so many bytes."""
    if data[at] != ord("!"):
        return NO_MESSAGE
    return 2 + data[at + 1] if len(data) > at + 1 else UNDECIDED


def lock(
    confirm: int = 2, strict: bool = True, trusted: bool = False, **more: object
) -> tuple[FrameLock, Tally]:
    tally = Tally()
    return (
        FrameLock(
            SIZE, key, follows, tally, confirm=confirm, strict=strict, trusted=trusted, **more
        ),
        tally,
    )


def frames(*counters: int) -> list[bytes]:
    return [bytes([0xAB, counter % 256, 7]) for counter in counters]


def test_a_stream_that_begins_with_a_frame_is_believed_at_once_where_it_may() -> None:
    (first,) = frames(5)
    assert lock(trusted=True)[0].push(first) == [first]
    wary, _ = lock()
    assert wary.push(first) == []
    (second,) = frames(6)
    assert wary.push(second) == [first, second]


@pytest.mark.parametrize("confirm", [1, 2, 3])
def test_the_first_frame_waits_for_those_that_confirm_it(confirm: int) -> None:
    cutter, _ = lock(confirm)
    found = [len(cutter.push(wire)) for wire in frames(1, 2, 3, 4)]
    assert found == [0] * (confirm - 1) + [confirm] + [1] * (4 - confirm)


def test_a_bad_frame_costs_itself_and_the_next_must_continue_the_row() -> None:
    cutter, tally = lock(trusted=True)
    good = frames(1, 2, 4)
    assert cutter.push(good[0] + good[1] + b"zzz" + good[2]) == good
    assert (tally.bad_frames, tally.skipped_bytes) == (1, 3)


def test_a_row_that_goes_on_elsewhere_is_confirmed_and_kept() -> None:
    cutter, tally = lock(trusted=True)
    wires = frames(1, 2, 90, 91)
    assert cutter.push(b"".join(wires[:3])) == wires[:2]
    assert cutter.push(wires[3]) == wires[2:]
    assert (tally.bad_frames, tally.skipped_bytes) == (0, 0)


def test_a_row_may_jump_where_the_format_is_not_strict() -> None:
    wires = frames(1, 2, 90, 3)
    assert lock(strict=False, trusted=True)[0].push(b"".join(wires)) == wires


def test_bytes_that_no_frame_begins_with_are_not_waited_for() -> None:
    _, tally = both = lock(begins=b"\xab")
    both[0].push(b"z")
    assert tally.skipped_bytes == 1
    _, tally = both = lock()
    both[0].push(b"z")
    assert tally.skipped_bytes == 0


def test_skipped_bytes_may_say_that_a_frame_is_due() -> None:
    heard = bytearray()

    def hear(byte: int) -> bool:
        heard.append(byte)
        return byte == ord("$")

    cutter, _ = lock(begins=b"\xab", skipped=hear)
    assert cutter.push(b"ab$" + frames(9)[0]) == frames(9)
    assert bytes(heard) == b"ab$"


def test_messages_are_taken_where_a_frame_is_due_and_nowhere_else() -> None:
    cutter, tally = lock(trusted=True, aside=aside)
    first, second, third = frames(1, 2, 3)
    assert cutter.push(first + b"!\x02hi" + second) == [first, b"!\x02hi", second]
    inside = b"\xab\x03!"
    assert cutter.push(inside + frames(4)[0]) == [inside, *frames(4)]
    assert cutter.push(b"?" + b"!\x00" + third) == []
    assert tally.skipped_bytes >= 1


def test_messages_before_the_first_frame_are_found_among_noise() -> None:
    cutter, _ = lock(begins=b"\xab", aside=aside)
    assert cutter.push(b"noise!\x01x") == [b"!\x01x"]


@given(
    st.lists(st.one_of(st.binary(max_size=5), st.integers(0, 9)), max_size=20),
    st.lists(st.integers(1, 8), min_size=1, max_size=4),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
)
def test_chunks_do_not_matter_and_all_bytes_are_accounted_for(
    pieces: list[bytes | int], sizes: list[int], confirm: int, strict: bool, trusted: bool
) -> None:
    data = b"".join(p if isinstance(p, bytes) else b"".join(frames(p, p + 1)) for p in pieces)
    whole, whole_tally = lock(confirm, strict, trusted, aside=aside)
    parts, parts_tally = lock(confirm, strict, trusted, aside=aside)
    expected, found, at = whole.push(data), [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        found += parts.push(data[at : at + size])
        at += size
    assert found == expected
    assert whole_tally.count == parts_tally.count
    whole.reset()
    taken = sum(len(wire) for wire in expected)
    assert taken + whole_tally.skipped_bytes == whole_tally.bytes == len(data)
