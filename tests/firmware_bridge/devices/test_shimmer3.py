"""The Shimmer3 decoder: its dialogue, its packets, and what damages them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.shimmer3 import Shimmer3Decoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Conversing, Decoder, Refusing, SerialDevice
from firmware_bridge.stream import Frame, Packet
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.shimmer3_wire import (
    ECG_CHANNELS,
    answer,
    data_packet,
    inquiry_answer,
)

COUNT_UV = 2.42e6 / (2**23 - 1)
ACK = b"\xff"
BASE = 0x112233
"""So that no byte of a sample is 0, with which a packet begins."""


def push(decoder: Shimmer3Decoder, data: bytes, size: int = 1 << 20) -> list[Frame]:
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return [frame for chunk in chunks for frame in decoder.push(Packet(chunk, 0))]


def packets(count: int, first: int = 0, step: int = 64) -> list[bytes]:
    return [
        data_packet(at * step, (BASE + at, -BASE - at, 2 * BASE, BASE))
        for at in range(first, first + count)
    ]


def numbers(frames: list[Frame]) -> list[int]:
    """Which of `packets` they are, by the first lead."""
    values = [value for frame in frames for value in frame.samples_uv[:, 0].tolist()]
    return [round(value / COUNT_UV * 4) - BASE for value in values]


def times_ns(frames: list[Frame]) -> list[int]:
    """Of each sample."""
    return [
        (frame.device_time_ns or 0) + row * 1_953_125
        for frame in frames
        for row in range(len(frame.samples_uv))
    ]


def converse(decoder: Shimmer3Decoder) -> list[bytes]:
    said, todo = [], list(decoder.start_commands())
    while todo:
        said.append(todo.pop(0))
        for packet in answer(said[-1]):
            decoder.push(packet)
        todo += decoder.replies()
    return said


def test_it_is_what_the_bridge_expects_of_a_serial_device() -> None:
    decoder = Shimmer3Decoder()
    for kind in (Decoder, SerialDevice, Conversing, Refusing):
        assert isinstance(decoder, kind)
    assert decoder.stop_commands() == (b"\x20",)


def test_the_dialogue_is_one_command_at_a_time_up_to_the_start() -> None:
    assert converse(Shimmer3Decoder(rate=256, gain=6)) == [
        b"\x01",
        b"\x20",
        b"\x05\x80\x00",
        b"\x08\x18\x00\x00",
        bytes.fromhex("61 00 00 0a 02 a0 10 00 00 2d 00 00 02 03"),
        bytes.fromhex("61 01 00 0a 02 a0 10 00 07 00 00 00 02 01"),
        b"\x01",
        b"\x07",
    ]


def test_lead_off_detection_is_set_where_asked_for() -> None:
    said = converse(Shimmer3Decoder(rate=128, lead_off="1"))
    assert said[4] == bytes.fromhex("61 00 00 0a 01 e0 10 40 40 3d 07 00 02 03")
    assert said[5] == bytes.fromhex("61 01 00 0a 01 e0 10 40 47 00 04 00 02 01")


def test_a_new_inquiry_begins_the_dialogue_anew() -> None:
    decoder = Shimmer3Decoder()
    converse(decoder)
    assert numbers(push(decoder, b"".join(packets(3)))) == [0, 1, 2]
    push(decoder, ACK + inquiry_answer())
    assert decoder.replies() == (b"\x20",)
    decoder.reset()
    assert decoder.replies() == ()


def test_packets_become_microvolts_with_times_of_the_first_sample() -> None:
    decoder = Shimmer3Decoder(channels="1,2,3,4", gain=1)
    (frame,) = push(decoder, data_packet(9, (1, -1, 1 << 22, -(1 << 23))))
    expected = [COUNT_UV, -COUNT_UV, COUNT_UV * (1 << 22), -COUNT_UV * (1 << 23)]
    assert frame.samples_uv[0].tolist() == pytest.approx(expected)
    assert frame.format.leads == ("LL-RA", "LA-RA", "EXG2 CH1", "Vx-RL")
    assert frame.format.rate_hz == 512
    assert frame.device_time_ns == 0


def test_the_clock_goes_on_where_it_wraps() -> None:
    first = (1 << 24) // 64 - 2
    frames = push(Shimmer3Decoder(), b"".join(packets(5, first)), 18)
    assert [frame.device_time_ns for frame in frames] == [at * 1_953_125 for at in range(5)]


def test_lost_packets_show_in_the_time() -> None:
    frames = push(Shimmer3Decoder(), b"".join(packets(3) + packets(3, 10)))
    assert [frame.device_time_ns for frame in frames] == [0, 10 * 1_953_125]
    assert numbers(frames) == [0, 1, 2, 10, 11, 12]


def test_after_a_break_the_host_tells_how_long_it_was() -> None:
    decoder, timeline = Shimmer3Decoder(), Timeline(0)
    for frame in push(decoder, b"".join(packets(512)), 18 * 64):
        timeline.push(frame, 1_000_000_000)
    timeline.disconnected(1_100_000_000)
    decoder.reset()
    for frame in push(decoder, b"".join(packets(64, 100_000))):
        timeline.push(frame, 11_125_000_000)
    assert timeline.count.gap == pytest.approx(10 * 512, abs=1)
    assert timeline.count.delivered == 576


@pytest.mark.parametrize(
    ("status", "lead_off"),
    [
        ((0x80, 0x80), 0),
        ((0x81, 0x80), 0b001),
        ((0x84, 0x80), 0b010),
        ((0x8F, 0x80), 0b011),
        ((0x90, 0x80), 0b011),
        ((0x80, 0x84), 0b100),
    ],
)
def test_status_bits_tell_which_leads_are_off(status: tuple[int, int], lead_off: int) -> None:
    (frame,) = push(Shimmer3Decoder(), data_packet(0, (0, 0, 0, 0), status))
    assert frame.lead_off == lead_off


def test_the_answer_to_the_inquiry_sets_rate_and_channels() -> None:
    decoder = Shimmer3Decoder()
    channels = (0x0A, 0x1B, *ECG_CHANNELS)  # a gyroscope axis and pressure before them
    push(decoder, ACK + inquiry_answer(128, channels))
    wires = [wire[:4] + b"\0\1\2\3\4" + wire[4:] for wire in packets(4, 5, 128)]
    frames = push(decoder, b"".join(wires), 5)
    assert numbers(frames) == [5, 6, 7, 8]
    assert frames[0].format.rate_hz == 256


def test_samples_of_16_bits_are_the_upper_part_of_24() -> None:
    decoder = Shimmer3Decoder()
    push(decoder, inquiry_answer(64, (0x1D, 0x23, 0x24, 0x20, 0x25, 0x26)))
    (frame,) = push(decoder, data_packet(0, (-2, 1, 1, 300), bits=16))
    expected = [-256 * COUNT_UV / 4, 128 * COUNT_UV / 4, 38_400 * COUNT_UV / 4]
    assert frame.samples_uv[0].tolist() == pytest.approx(expected)


def test_one_chip_alone_gives_its_two_leads() -> None:
    decoder = Shimmer3Decoder()
    push(decoder, inquiry_answer(64, ECG_CHANNELS[:3]))
    (frame,) = push(decoder, packets(1)[0][:11])
    assert frame.format.leads == ("LL-RA", "LA-RA")


def test_battery_and_status_come_between_packets() -> None:
    decoder = Shimmer3Decoder()
    assert decoder.keep_alive_commands() == ()
    wires = packets(4)
    volts_3_8106 = round(3.8106 / 1.988 / 3 * 4095).to_bytes(2, "little")
    battery = ACK + b"\x8a\x94" + volts_3_8106 + b"\x80"
    frames = push(decoder, wires[0] + b"\x8a\x71\x20" + wires[1] + battery + wires[2] + wires[3], 1)
    assert numbers(frames) == [0, 1, 2, 3]
    assert [frame.battery_percent for frame in frames] == [None, None, 57, 57]
    assert decoder.count.skipped_bytes == 0
    assert decoder.keep_alive_commands() == (b"\x95",)


def test_a_refused_command_is_named() -> None:
    decoder = Shimmer3Decoder()
    push(decoder, ACK + inquiry_answer() + ACK)
    assert decoder.replies() == (b"\x20", b"\x05\x40\x00")
    push(decoder, b"\xfe")
    assert decoder.refusals == 1
    assert "the sampling rate" in decoder.last_refusal
    assert decoder.replies() == ()


def test_a_unit_without_ecg_is_refused_in_words() -> None:
    decoder = Shimmer3Decoder()
    push(decoder, ACK + inquiry_answer(64, (0x12,)) + ACK * 6)
    assert decoder.replies()[-1] == b"\x01"
    assert decoder.refusals == 0
    push(decoder, inquiry_answer(64, (0x12,)))
    assert decoder.refusals == 1
    assert "no ECG" in decoder.last_refusal
    assert decoder.replies() == ()


def test_noise_before_the_answers_does_not_stop_the_dialogue() -> None:
    decoder = Shimmer3Decoder()
    push(decoder, b"CONNECT\r\n" + ACK + inquiry_answer())
    assert decoder.replies() == (b"\x20",)


@given(st.integers(1, 17), st.booleans())
def test_bytes_lost_or_added_cost_their_own_packet_only(count: int, lost: bool) -> None:
    wires = packets(10)
    wires[4] = wires[4][count:] if lost else wires[4] + b"\x55" * count
    frames = push(Shimmer3Decoder(), b"".join(wires))
    assert [n for n in numbers(frames) if n != 4] == [0, 1, 2, 3, 5, 6, 7, 8, 9]


@given(st.integers(0, 3), st.integers(1, 255))
def test_a_packet_with_a_wrong_clock_is_not_delivered(place: int, change: int) -> None:
    wires = packets(10)
    damaged = bytearray(wires[4])
    damaged[place] ^= change
    wires[4] = bytes(damaged)
    found = numbers(push(Shimmer3Decoder(), b"".join(wires)))
    assert [n for n in found if n != 4] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    if place != 1 or change > 4:  # so far a clock may be off
        assert 4 not in found


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.binary(max_size=40))
def test_chunks_do_not_matter(sizes: list[int], noise: bytes) -> None:
    data = ACK + inquiry_answer() + b"".join(packets(5)) + noise + b"".join(packets(5, 5))
    whole, parts = Shimmer3Decoder(), Shimmer3Decoder()
    expected = push(whole, data)
    found, at = [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        found += push(parts, data[at : at + size])
        at += size
    assert numbers(found) == numbers(expected)
    assert times_ns(found) == times_ns(expected)
    assert whole.count == parts.count
    assert whole.replies() == parts.replies()


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_nonsense_is_counted_and_never_raises(pieces: list[bytes]) -> None:
    decoder = Shimmer3Decoder()
    for piece in pieces:
        push(decoder, piece)
        assert len(decoder.replies()) <= 16
    decoder.reset()
    count = decoder.count
    assert count.bytes == sum(len(piece) for piece in pieces)
    assert count.skipped_bytes <= count.bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": "500"}, "rate must be one of 128, 256, 512, 1024"),
        ({"gain": "5"}, "gain must be one of"),
        ({"channels": "0"}, "channels must be a whole number from 1 to 4"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("shimmer3", **options)
