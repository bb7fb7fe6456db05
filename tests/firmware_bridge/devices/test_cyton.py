"""The Cyton decoder: packets by OpenBCI's documents, the dialogue with the board, and nonsense."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.cyton import CytonDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import (
    Conversing,
    Decoder,
    Introducing,
    Refusing,
    SerialDevice,
    Telling,
)
from firmware_bridge.stream import Frame, Packet, Waveform
from firmware_bridge.timeline import Timeline
from tests.firmware_bridge.devices.cyton_wire import GREETING, RADIO_FAILURE, cyton_packet

SCALES_UV = {24: 0.02235174, 12: 0.04470349, 6: 0.08940698, 1: 0.5364418}
"""Microvolts a count by gain, as OpenBCI gives them."""


def push(decoder: CytonDecoder, data: bytes, size: int = 1 << 20) -> list[Frame]:
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return [frame for chunk in chunks for frame in decoder.push(Packet(chunk, 0))]


def column(frames: list[Frame], lead: int = 0) -> list[float]:
    values = [value for frame in frames for value in frame.samples_uv[:, lead].tolist()]
    return [round(value / SCALES_UV[24]) for value in values]


def counters(frames: list[Frame]) -> list[int]:
    """Of each sample."""
    return [
        ((frame.counter or 0) + row) % frame.counter_modulus
        for frame in frames
        for row in range(len(frame.samples_uv))
    ]


def plain(counter: int, aux: bytes = bytes(6), stop: int = 0xC0) -> bytes:
    return cyton_packet(counter, [counter + 1000, -counter, 3, 4, 5, 6, 7, 8], aux, stop)


def test_it_is_what_the_bridge_expects_of_a_serial_device() -> None:
    decoder = CytonDecoder()
    for kind in (Decoder, SerialDevice, Conversing, Introducing, Refusing, Telling):
        assert isinstance(decoder, kind)
    assert decoder.serial.baud == 115_200


@pytest.mark.parametrize(("gain", "scale_uv"), SCALES_UV.items())
def test_counts_become_microvolts_by_the_gain(gain: int, scale_uv: float) -> None:
    (frame,) = push(CytonDecoder(gain=gain), cyton_packet(7, [100_000, -1, 0, 1, 2, 3, 4, 5]))
    assert frame.samples_uv[0].tolist() == pytest.approx([100_000 * scale_uv, -scale_uv, 0])
    assert (frame.counter, frame.counter_modulus) == (7, 256)
    assert frame.format.leads == ("CH1", "CH2", "CH3")


def test_a_railed_channel_counts_as_a_lead_off() -> None:
    (frame,) = push(CytonDecoder(), cyton_packet(0, [-(1 << 23), 0, (1 << 23) - 1, 0, 0, 0, 0, 0]))
    assert frame.samples_uv[0, 0] == pytest.approx(-187_500.02, abs=0.02)
    assert frame.lead_off == 0b101


def test_the_board_is_reset_and_then_told_settings_and_start() -> None:
    decoder = CytonDecoder(gain=12, channels="1,2")
    assert decoder.start_commands() == (b"s", b"v")
    assert decoder.replies() == ()
    push(decoder, GREETING, 3)
    assert decoder.replies() == (b"c", b"x1050110X", b"x2050110X", b"<", b"b")
    assert decoder.about() == {"firmware": "v3.1.1"}
    push(decoder, b"Success: Channel set for 1$$$,Time stamp ON$$$")
    assert decoder.replies() == ()
    assert decoder.stop_commands() == (b"s",)
    assert decoder.keep_alive_commands() == ()
    assert decoder.refusals == 0


def test_packets_behind_text_need_no_confirmation() -> None:
    decoder = CytonDecoder()
    assert len(push(decoder, GREETING + plain(0))) == 1


@pytest.mark.parametrize(
    ("daisy", "text", "words"),
    [
        (False, RADIO_FAILURE, "switch the board on"),
        (True, b"no daisy to attach!8$$$", "leave out daisy=1"),
        (False, b"Failure: too few chars$$$", "too few chars"),
    ],
)
def test_refusals_are_told_in_words(daisy: bool, text: bytes, words: str) -> None:
    decoder = CytonDecoder(daisy=daisy)
    push(decoder, text)
    assert decoder.refusals == 1
    assert words in decoder.last_refusal
    assert decoder.replies() == ()


def test_differential_inputs_leave_the_common_reference() -> None:
    decoder = CytonDecoder(srb2="0", clock="0", channels="8")
    push(decoder, GREETING)
    assert decoder.replies() == (b"c", b"x8060100X", b"b")


def test_with_a_daisy_a_sample_is_an_odd_packet_and_the_even_one_behind_it() -> None:
    decoder = CytonDecoder(daisy=True, channels="1,9")
    wires = [cyton_packet(at, [at] * 8) for at in (0, 1, 2, 3, 5, 6, 254, 255, 0, 1)]
    frames = push(decoder, b"".join(wires))
    assert [(frame.counter, frame.counter_modulus) for frame in frames] == [
        (0, 128),
        (2, 128),
        (127, 128),
    ]
    assert list(zip(column(frames), column(frames, 1), strict=True)) == [(1, 2), (5, 6), (255, 0)]
    assert decoder.count.skipped_bytes == 3 * 33  # 0, 3 and 254 have no other half
    decoder.reset()
    assert push(decoder, cyton_packet(2, [0] * 8)) == []


@pytest.mark.parametrize(("channels", "counts"), [("1,8", [1, 3]), ("9,16", [2, 4])])
def test_channels_of_one_half_do_not_wait_for_the_other(channels: str, counts: list[int]) -> None:
    decoder = CytonDecoder(daisy=True, channels=channels)
    frames = push(decoder, b"".join(cyton_packet(at, [at] * 8) for at in (1, 2, 3, 4)))
    assert column(frames) == counts
    assert counters(frames) == [0, 1]
    assert frames[0].format.rate_hz == 125


def test_movement_comes_with_every_tenth_packet() -> None:
    decoder = CytonDecoder()
    push(decoder, plain(0, struct.pack(">3h", 8000, -16, 0)) + plain(1))
    (reading,) = decoder.readings()
    assert isinstance(reading, Waveform)
    assert (reading.kind, reading.unit, reading.rate_hz) == ("acc", "mg", 25.0)
    assert reading.samples.tolist() == [[1000.0, -2.0, 0.0]]
    assert decoder.readings() == ()


def test_time_stamped_packets_tell_the_time_and_movement_byte_by_byte() -> None:
    decoder = CytonDecoder()
    parts = zip(b"XxYyZz", struct.pack(">3h", 16, 32, -16), strict=True)
    wires = [
        plain(at, bytes(part) + struct.pack(">I", 7_000 + 4 * at), 0xC3 + (at > 0))
        for at, part in enumerate(parts)
    ]
    frames = push(decoder, b"".join(wires), 33)
    assert [frame.device_time_ns for frame in frames] == [
        (7_000 + 4 * at) * 1_000_000 for at in range(6)
    ]
    (reading,) = decoder.readings()
    assert isinstance(reading, Waveform)
    assert reading.samples.tolist() == [[2.0, 4.0, -2.0]]


def test_the_boards_time_tells_losses_that_its_counter_cannot() -> None:
    wires = [
        plain(at, b"X\0" + struct.pack(">I", 4 * at), 0xC4) for at in (*range(10), *range(610, 620))
    ]
    timeline = Timeline(0)
    for frame in push(CytonDecoder(), b"".join(wires)):
        timeline.push(frame, 0)
    assert (timeline.count.gap, timeline.count.delivered) == (600, 20)


def test_a_movement_with_a_byte_missing_is_not_told() -> None:
    decoder = CytonDecoder()
    for at, code in enumerate(b"XxYZz"):
        push(decoder, plain(at, bytes([code, 1, 0, 0, 0, at * 4]), 0xC4))
    assert decoder.readings() == ()


@given(st.lists(st.integers(1, 90), min_size=1, max_size=6), st.binary(max_size=60))
def test_chunks_do_not_matter(sizes: list[int], noise: bytes) -> None:
    wires = [plain(at) for at in range(12)]
    data = GREETING + b"".join(wires[:5]) + noise + b"".join(wires[5:])
    whole, parts = CytonDecoder(), CytonDecoder()
    expected = push(whole, data)
    found, at = [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        found += push(parts, data[at : at + size])
        at += size
    assert column(found) == column(expected)
    assert whole.count == parts.count
    assert whole.replies() == parts.replies()


@given(st.integers(0, 32), st.integers(1, 255))
def test_an_altered_byte_costs_its_own_packet_at_most(place: int, change: int) -> None:
    wires = [bytearray(plain(at)) for at in range(8)]
    wires[4][place] ^= change
    frames = push(CytonDecoder(), b"".join(wires))
    assert len(counters(frames)) in (7, 8)  # no checksum tells an altered sample
    intact = {c + 1000 for c in (0, 1, 2, 3, 5, 6, 7)}
    assert intact <= set(column(frames))


@given(st.integers(1, 32))
def test_bytes_lost_cost_their_own_packet_only(lost: int) -> None:
    wires = [plain(at) for at in range(8)]
    wires[4] = wires[4][lost:]
    frames = push(CytonDecoder(), b"".join(wires))
    assert column(frames) == [1000, 1001, 1002, 1003, 1005, 1006, 1007]


@given(st.lists(st.binary(max_size=120), max_size=20))
def test_nonsense_is_counted_and_never_raises(pieces: list[bytes]) -> None:
    decoder = CytonDecoder(daisy=True, channels="1,16")
    for piece in pieces:
        push(decoder, piece)
    decoder.reset()
    count = decoder.count
    assert count.bytes == sum(len(piece) for piece in pieces)
    assert 66 * count.frames + count.skipped_bytes <= count.bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gain": "5"}, "gain must be one of 1, 2, 4, 6, 8, 12, 24"),
        ({"channels": "9"}, "channels must be a whole number from 1 to 8"),
        ({"channels": "1,1"}, "different"),
        ({"daisy": "maybe"}, "daisy must be 1 or 0"),
        ({"leads": "1"}, "no option leads"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceUriError, match=words):
        make_decoder("cyton", **options)


def test_samples_without_a_gap_between_come_in_one_frame() -> None:
    railed = cyton_packet(10, [1 << 22, (1 << 23) - 1, 0, 0, 0, 0, 0, 0])
    frames = push(CytonDecoder(), plain(0) + plain(1) + plain(9) + railed + plain(11))
    assert [frame.samples_uv.shape for frame in frames] == [(2, 3), (1, 3), (1, 3), (1, 3)]
    assert [frame.lead_off for frame in frames] == [0, 0, 2, 0]
    assert counters(frames) == [0, 1, 9, 10, 11]
    assert frames[0].samples_uv.dtype == np.float32
