"""The BITalino decoder: frames by PLUX's own library and firmware, and what damages them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.bitalino import FRAMES, BitalinoDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Decoder, GattDevice, SerialDevice
from firmware_bridge.stream import Frame, Packet
from tests.firmware_bridge.devices.bitalino_wire import bitalino_frame

STEP_UV = 3.3e6 / 1100 / 1024
VALUES = (11, 222, 333, 444, 55, 6)
SIZES = (3, 4, 6, 7, 8, 8)


def push(decoder: BitalinoDecoder, data: bytes, size: int = 1 << 20) -> list[Frame]:
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return [frame for chunk in chunks for frame in decoder.push(Packet(chunk, 0))]


def adc(frames: list[Frame], lead: int = 0) -> list[int]:
    values = [value for frame in frames for value in frame.samples_uv[:, lead].tolist()]
    return [round(value / STEP_UV + 512) for value in values]


def counters(frames: list[Frame]) -> list[int]:
    """Of each sample."""
    return [
        ((frame.counter or 0) + row) % 16
        for frame in frames
        for row in range(len(frame.samples_uv))
    ]


def two(count: int, first: int = 0) -> list[bytes]:
    return [bitalino_frame(at, (at, 1000 - at)) for at in range(first, first + count)]


def test_the_encoder_here_makes_the_known_frame() -> None:
    assert bitalino_frame(5, (512, 300)) == bytes.fromhex("2C01F851")


def test_the_known_frame_decodes_to_its_known_values() -> None:
    known = [bitalino_frame(3, (0, 0)), bitalino_frame(4, (0, 0)), bytes.fromhex("2C01F851")]
    (frame,) = push(BitalinoDecoder(channels="1,2"), b"".join(known))
    assert frame.samples_uv[2].tolist() == pytest.approx([0.0, (300 - 512) * STEP_UV])
    assert (frame.counter, frame.counter_modulus) == (3, 16)


@pytest.mark.parametrize("count", range(1, 7))
def test_frames_have_the_length_and_the_bits_of_their_number_of_channels(count: int) -> None:
    wires = [bitalino_frame(at, VALUES[:count]) for at in range(4)]
    assert {len(wire) for wire in wires} == {SIZES[count - 1]}
    decoder = BitalinoDecoder(channels=range(1, count + 1))
    frames = push(decoder, b"".join(wires))
    full = np.array([1024] * 4 + [64] * 2)[:count]
    expected_uv = (np.array(VALUES[:count]) / full - 0.5) * 3000
    assert counters(frames) == [0, 1, 2, 3]
    assert frames[0].samples_uv[0].tolist() == pytest.approx(expected_uv.tolist(), abs=1e-3)
    assert decoder.count.skipped_bytes == 0


def test_only_the_channels_named_as_ecg_are_delivered_in_that_order() -> None:
    decoder = BitalinoDecoder(rate="100", channels="2,1,3", ecg="A3,A1")
    frames = push(decoder, b"".join(bitalino_frame(at, VALUES[:3]) for at in range(3)))
    assert frames[0].format.leads == ("A3", "A1")
    assert frames[0].format.rate_hz == 100
    assert (adc(frames)[0], adc(frames, 1)[0]) == (333, 11)


def test_commands_are_those_of_the_library() -> None:
    everything = BitalinoDecoder(channels="1,2,3,4,5,6")
    assert everything.start_commands() == (b"\x00", b"\xc3", b"\xfd")
    assert BitalinoDecoder(rate=100).start_commands() == (b"\x00", b"\x83", b"\x09")
    assert everything.stop_commands() == (b"\x00",)


def test_it_is_reached_by_serial_port_and_by_ble() -> None:
    decoder = BitalinoDecoder(channels="1,2")
    for kind in (Decoder, SerialDevice, GattDevice):
        assert isinstance(decoder, kind)
    assert decoder.gatt.data == (FRAMES,)
    wire = b"".join(two(5))
    frames = [f for at in range(20) for f in decoder.push(Packet(wire[at : at + 1], 0, FRAMES))]
    assert counters(frames) == [0, 1, 2, 3, 4]
    assert decoder.push(Packet(b"abc", 0, "0000180f-0000-1000-8000-00805f9b34fb")) == []
    assert decoder.count.skipped_bytes == 3


def test_three_frames_in_a_row_are_needed_and_then_none_is_lost() -> None:
    decoder = BitalinoDecoder(channels="1,2")
    wires = two(5)
    assert push(decoder, b"BITalino_v5.1\n" + wires[0] + wires[1]) == []
    assert adc(push(decoder, wires[2])) == [0, 1, 2]
    assert adc(push(decoder, wires[3])) == [3]


@given(st.integers(0, 31), st.integers(1, 15))
def test_an_error_within_four_bits_never_yields_a_sample(bit: int, pattern: int) -> None:
    wires = two(10)
    damaged = int.from_bytes(wires[5], "big") ^ pattern << bit
    assume(damaged < 1 << 32)
    wires[5] = damaged.to_bytes(4, "big")
    frames = push(BitalinoDecoder(channels="1,2"), b"".join(wires))
    assert adc(frames) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


@given(st.integers(1, 3), st.booleans())
def test_bytes_lost_or_added_cost_their_own_frame_only(count: int, lost: bool) -> None:
    wires = two(12)
    wires[4] = wires[4][count:] if lost else wires[4] + bytes(count)
    frames = push(BitalinoDecoder(channels="1,2"), b"".join(wires))
    assert [value for value in adc(frames) if value != 4] == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]


def test_frames_that_the_device_drops_show_in_the_counter() -> None:
    wires = two(4) + two(4, 9)
    frames = push(BitalinoDecoder(channels="1,2"), b"".join(wires))
    assert [frame.counter for frame in frames] == [0, 9]
    assert counters(frames) == [0, 1, 2, 3, 9, 10, 11, 12]


@given(st.lists(st.integers(1, 17), min_size=1, max_size=5), st.binary(max_size=20))
def test_chunks_do_not_matter(sizes: list[int], noise: bytes) -> None:
    data = b"".join(two(6)) + noise + b"".join(two(6, 6))
    whole, parts = BitalinoDecoder(channels="1,2"), BitalinoDecoder(channels="1,2")
    expected = push(whole, data)
    found, at = [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        found += push(parts, data[at : at + size])
        at += size
    assert adc(found) == adc(expected)
    assert whole.count == parts.count


@given(st.lists(st.binary(max_size=64), max_size=20), st.integers(1, 6))
def test_nonsense_is_counted_and_never_raises(pieces: list[bytes], channels: int) -> None:
    decoder = BitalinoDecoder(channels=range(1, channels + 1))
    for piece in pieces:
        push(decoder, piece)
    decoder.reset()
    count = decoder.count
    assert count.bytes == sum(len(piece) for piece in pieces)
    assert SIZES[channels - 1] * count.frames + count.skipped_bytes == count.bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": "10"}, "rate must be one of 100, 1000"),
        ({"channels": "7"}, "channels must be a whole number from 1 to 6"),
        ({"channels": ""}, "channels"),
        ({"channels": "1,2", "ecg": "3"}, "ecg names input 3, but channels are 1,2"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("bitalino", **options)
