"""The PC-80B: both ways of measuring, answers, counters, lead-off and nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.devices import make_decoder
from firmware_bridge.devices.pc80b import Pc80bDecoder
from firmware_bridge.errors import SourceUriError
from firmware_bridge.protocols import Conversing, GattDevice, Telling
from firmware_bridge.stream import Frame, HeartRate, Packet
from tests.firmware_bridge.devices.pc80b_wire import (
    NOTIFY,
    SPECIMENS,
    continuous,
    fast,
    message,
    session,
)
from tests.firmware_bridge.devices.specimen import Specimen

FLAT = [2048] * 25


def push(decoder: Pc80bDecoder, *pieces: bytes) -> list[Frame]:
    return [frame for piece in pieces for frame in decoder.push(Packet(piece, 0, NOTIFY))]


@pytest.mark.parametrize("specimen", SPECIMENS, ids=["continuous", "fast"])
def test_sessions_decode_whatever_the_pieces(specimen: Specimen) -> None:
    wire = b"".join(packet.data for packet in specimen.packets)
    whole, bytewise = Pc80bDecoder(), Pc80bDecoder()
    frames = push(whole, wire)
    pieces = push(bytewise, *(bytes([byte]) for byte in wire))
    assert whole.count == bytewise.count
    assert whole.count.skipped_bytes == 0
    assert whole.replies() == bytewise.replies()
    for decoded in (frames, pieces):
        samples = np.concatenate([frame.samples_uv for frame in decoded])
        np.testing.assert_allclose(samples, specimen.samples_uv, atol=1e-3)


def test_the_counter_turns_where_the_device_turns() -> None:
    frames = push(Pc80bDecoder(), continuous(255, FLAT), continuous(0, FLAT))
    assert [(each.counter, each.counter_modulus) for each in frames] == [(6375, 6400), (0, 6400)]
    frames = push(Pc80bDecoder(), fast(65_535, FLAT), fast(0, FLAT))
    assert [each.counter for each in frames] == [65_535 * 25, 0]
    assert {each.counter_modulus for each in frames} == {65_536 * 25}


def test_a_count_has_3_03_microvolts_and_12_bits() -> None:
    (frame,) = push(Pc80bDecoder(), continuous(1, [2048, 2049, 0, 4095, 0xF800, *FLAT[5:]]))
    first_uv = frame.samples_uv[:5, 0].tolist()
    assert first_uv == pytest.approx([0, 3.0303, -6206.06, 6203.03, 0], rel=1e-4)


@pytest.mark.parametrize("gain", [0, 1, 2, 4])
def test_gain_bits_leave_the_scale_alone(gain: int) -> None:
    (frame,) = push(Pc80bDecoder(), continuous(1, [2378] * 25, gain=gain))
    assert frame.samples_uv[0, 0] == pytest.approx(1000)


@pytest.mark.parametrize("encode", [continuous, fast])
def test_lead_off_and_heart_rate_come_with_each_packet(encode: object) -> None:
    assert callable(encode)
    decoder = Pc80bDecoder()
    assert isinstance(decoder, Telling)
    wires = [encode(1, FLAT, bpm=70), encode(2, FLAT, bpm=70), encode(3, FLAT, 0, True)]
    assert [frame.lead_off for frame in push(decoder, *wires)] == [0, 0, 1]
    assert decoder.readings() == (HeartRate(70, contact=True), HeartRate(0, contact=False))


def test_a_session_is_answered() -> None:
    decoder = Pc80bDecoder()
    assert isinstance(decoder, Conversing)
    push(decoder, session())
    assert decoder.replies() == (message(0x55, b"\x00"),)
    assert decoder.replies() == ()


def test_every_64th_packet_and_the_end_are_acknowledged() -> None:
    decoder = Pc80bDecoder()
    push(decoder, *(continuous(n % 256, FLAT) for n in range(300)), message(0xAA, b"\x2c"))
    expected = [message(0xAA, bytes([n, 0])) for n in (0, 64, 128, 192, 0, 0x2C)]
    assert list(decoder.replies()) == expected
    assert decoder.replies() == ()


def test_a_stored_recording_is_declined_and_no_ecg() -> None:
    decoder = Pc80bDecoder()
    assert push(decoder, session(stored=True), continuous(1, FLAT)) == []
    assert decoder.replies() == (message(0x55, b"\x01"),)
    assert decoder.count.skipped_bytes == len(continuous(1, FLAT))
    assert len(push(decoder, session(), continuous(1, FLAT))) == 1


def test_the_heartbeat_goes_out_every_10_seconds() -> None:
    decoder = Pc80bDecoder()
    (heartbeat,) = decoder.keep_alive_commands()
    assert heartbeat[:4] == bytes.fromhex("A5FF0100")
    assert heartbeat == message(0xFF, b"\x00")
    assert decoder.keep_alive_s == 10
    assert decoder.start_commands() == decoder.stop_commands() == ()


def test_packets_without_samples_are_no_frames() -> None:
    decoder = Pc80bDecoder()
    wires = (fast(1, [], kind=0, stage=1), fast(2, [7] * 5, kind=2, stage=4), message(0xFF, b"\3"))
    assert push(decoder, *wires) == []
    assert (decoder.count.bad_frames, decoder.count.skipped_bytes) == (0, 0)
    information = message(0x11, bytes(6))
    push(decoder, information)
    assert decoder.count.skipped_bytes == len(information)


@pytest.mark.parametrize("wire", [fast(1, FLAT[:24]), message(0xAA, bytes(53))])
def test_a_packet_of_another_length_is_bad(wire: bytes) -> None:
    decoder = Pc80bDecoder()
    assert push(decoder, wire) == []
    assert decoder.count.bad_frames == 1


@settings(max_examples=60)
@given(at=st.integers(0, 57), value=st.integers(1, 255))
def test_an_altered_byte_never_yields_a_sample(at: int, value: int) -> None:
    wire = bytearray(continuous(7, range(25)))
    wire[at] ^= value
    decoder = Pc80bDecoder()
    frames = push(decoder, bytes(wire), *(continuous(8, FLAT) for _ in range(6)))
    assert {frame.counter for frame in frames} == {8 * 25}


@settings(max_examples=50)
@given(noise=st.binary(max_size=300))
def test_noise_is_skipped(noise: bytes) -> None:
    decoder = Pc80bDecoder()
    push(decoder, noise, *(continuous(n, FLAT) for n in range(10)))
    assert decoder.count.frames >= 4
    assert decoder.count.skipped_bytes <= decoder.count.bytes


def test_replies_and_readings_are_bounded() -> None:
    decoder = Pc80bDecoder()
    push(decoder, *(continuous(0, FLAT, bpm=60 + n % 2) for n in range(300)))
    assert len(decoder.replies()) == 64
    assert len(decoder.readings()) == 256


def test_reset_forgets_the_session() -> None:
    decoder = Pc80bDecoder()
    push(decoder, session(stored=True), continuous(1, FLAT)[:30])
    decoder.reset()
    assert decoder.replies() == ()
    assert len(push(decoder, continuous(1, FLAT))) == 1


def test_it_is_found_by_its_name_and_options_are_checked() -> None:
    decoder = make_decoder("pc80b")
    assert isinstance(decoder, GattDevice)
    assert decoder.gatt.name == "PC80B-BLE*"
    assert decoder.push(Packet(b"abc", 0, "00002a19-0000-1000-8000-00805f9b34fb")) == []
    assert decoder.count.skipped_bytes == 3
    with pytest.raises(SourceUriError, match="uv_per_lsb must be a number above 0"):
        make_decoder("pc80b", uv_per_lsb="0")
